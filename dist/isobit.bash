# isobit.bash - completion for bash: commands, their options, models' files and pulled names.
# What there is to complete is asked of the program itself, so it cannot be out of date.

_isobit() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} program=${COMP_WORDS[0]}
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" --help 2>/dev/null | sed -n 's/^  \([a-z-]*\)  .*/\1/p') --help --version" -- "$current")
        return
    fi
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null | sed -nE 's/^  (-., |    )(--[a-z0-9-]+).*/\2/p')" -- "$current")
        return
    fi
    case $before in
    -m | --model) mapfile -t COMPREPLY < <(compgen -W "$("$program" list 2>/dev/null | awk 'NR > 1 {print $1}')" -- "$current") ;;
    esac
    compopt -o filenames 2>/dev/null
    local files
    mapfile -t files < <(compgen -f -- "$current")
    COMPREPLY+=("${files[@]}")
}
complete -F _isobit isobit
