#!/usr/bin/env bash
# setup.sh - installs what the default build needs and this machine lacks (Debian's packages).
# Does nothing, and needs no root, where everything is there. Optional parts are only named.
set -euo pipefail

packages=()
need_command() { command -v "$1" >/dev/null || packages+=("$2"); }
need_module() { pkg-config --exists "$1" 2>/dev/null || packages+=("$2"); }

need_command gcc gcc
need_command make make
need_command cmake cmake
need_command pkg-config pkg-config
need_command python3 python3
[ -e /usr/include/stdio.h ] || packages+=(libc6-dev)
need_module jansson libjansson-dev
need_module libpcre2-8 libpcre2-dev
need_module libutf8proc libutf8proc-dev
need_module libedit libedit-dev
need_module libsodium libsodium-dev
need_module libevent_openssl libevent-dev
need_module openssl libssl-dev
need_module libcurl libcurl4-openssl-dev
need_module sqlite3 libsqlite3-dev
need_module cmocka libcmocka-dev

if [ ${#packages[@]} -gt 0 ]; then
    echo "Installing: ${packages[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "setup: this machine has no apt-get; install the above by other means" >&2
        exit 1
    fi
    sudo=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || { echo "setup: run as root once, or install sudo" >&2; exit 1; }
        sudo=sudo
    fi
    $sudo apt-get update -qq
    $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
fi

missing=()
command -v clang-14 >/dev/null || missing+=("clang-14 (sanitizer and fuzz presets)")
command -v aarch64-linux-gnu-gcc >/dev/null || missing+=("gcc-aarch64-linux-gnu (NEON cross build)")
command -v qemu-aarch64 >/dev/null || missing+=("qemu-user (NEON tests)")
if [ ${#missing[@]} -gt 0 ]; then
    printf 'Optional and absent: %s\n' "${missing[@]}"
fi
