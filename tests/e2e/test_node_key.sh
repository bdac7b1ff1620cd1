#!/usr/bin/env bash
# test_node_key.sh - keys of a node: made once, renewed, revoked, private; an identity kept elsewhere.
source "$(dirname "$0")/lib.sh"

d=$tmp/node
expect 0 "$isobit" node-key create --dir "$d"
says err "signs for 30 days, certificate 1"
id=$(cat "$tmp/out")
[[ $id =~ ^[0-9a-f]{64}$ ]] || fail "no public key: $id"
for secret in identity signing; do
    [ "$(stat -c %a "$d/$secret.key")" = 600 ] || fail "others can read $secret.key"
done
[ "$(stat -c %a "$d")" = 700 ] || fail "others can read the folder"
refuses 2 "$isobit" node-key create --dir "$d" -- "an identity already" rotate

cp "$d/signing.key" "$tmp/first"
mv "$d/identity.key" "$tmp/offline.key"
refuses 1 "$isobit" node-key rotate --dir "$d" -- identity.key
expect 0 "$isobit" node-key rotate --dir "$d" --identity "$tmp/offline.key" --days 7
says err "signs for 7 days, certificate 2"
! cmp -s "$d/signing.key" "$tmp/first" || fail "the key was not renewed"
refuses 2 "$isobit" node-key create --dir "$d" -- "certificates of an identity"

expect 0 "$isobit" node-key revoke 1 --dir "$d" --identity "$tmp/offline.key"
says err "revocation-1.json"
refuses 2 "$isobit" node-key revoke 1 --dir "$d" --identity "$tmp/offline.key" -- "revoked already"
refuses 1 "$isobit" node-key revoke 3 --dir "$d" --identity "$tmp/offline.key" -- "no certificate 3"
expect 0 "$isobit" node-key show --dir "$d"
says out "identity $id" "revoked" "valid"
[ "$(wc -l <"$tmp/out")" = 4 ] || fail "not two certificates"

expect 0 "$isobit" node-key create --dir "$tmp/other"
for action in rotate "revoke 2"; do
    refuses 2 "$isobit" node-key $action --dir "$d" --identity "$tmp/other/identity.key" -- "another identity"
done

chmod 644 "$tmp/offline.key"
refuses 2 "$isobit" node-key rotate --dir "$d" --identity "$tmp/offline.key" -- "chmod 600"
sed -i 's/"serial":2/"serial":3/' "$d/certificate-2.json"
expect 1 "$isobit" node-key show --dir "$d"
says err certificate-2.json "does not fit"
refuses 1 "$isobit" node-key show --dir "$tmp/none" -- "holds no keys"
refuses 2 "$isobit" node-key sho --dir "$d" -- 'did you mean "show"?'
refuses 2 "$isobit" node-key show --days 3 -- "--days belongs"
refuses 2 "$isobit" node-key revoke -- usage
echo "node keys: ok"
