#!/usr/bin/env bash
# test_convert.sh - a Hugging Face folder and the GGUF made from it are one model.
source "$(dirname "$0")/lib.sh"

folder=$tmp/model
cp -r tests/golden/format/hf/llama "$folder"
python3 - "$folder" <<'END'
import json, sys
folder = sys.argv[1]
n = json.load(open(folder + "/config.json"))["vocab_size"]
letters = "abcdefghijklmnopqrstuvwxyz0123456789!\"#$%&'()*+,-./:;<=>?@[]ABCDEFG"
vocab = {"\u0120": 0} | {c: i + 1 for i, c in enumerate(letters[:n - 3])}
special = [{"id": len(vocab) + i, "content": s, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True} for i, s in enumerate(["<|end|>", "<|user|>"])]
json.dump({"version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
           "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
           "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True,
           "use_regex": True}, "model": {"type": "BPE", "dropout": None, "unk_token": None, "vocab": vocab,
           "merges": []}}, open(folder + "/tokenizer.json", "w"))
json.dump({"eos_token": "<|end|>", "chat_template": "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}"},
          open(folder + "/tokenizer_config.json", "w"))
END

expect 0 "$isobit" convert "$folder" "$tmp/model.gguf"
says out "model.gguf"
for command in "tokenize -p <|user|>abc" "logits -p abc" "run -p abc -n 20 -s 1 -q"; do
    expect 0 "$isobit" ${command%% *} -m "$folder" ${command#* }
    cp "$tmp/out" "$tmp/wanted"
    expect 0 "$isobit" ${command%% *} -m "$tmp/model.gguf" ${command#* }
    cmp -s "$tmp/out" "$tmp/wanted" || fail "the file differs from the folder: $command"
done
expect 0 "$isobit" run -m "$tmp/model.gguf" -p abc -n 1
says err "the model's own chat template"
expect 0 "$isobit" inspect --json "$folder"
sed -n '/"identity"/,$p' "$tmp/out" >"$tmp/wanted"
expect 0 "$isobit" inspect --json "$tmp/model.gguf"
sed -n '/"identity"/,$p' "$tmp/out" | cmp -s - "$tmp/wanted" || fail "another identity"

# Quantising the folder is converting it and quantising the file: tokenizer and templates come along.
expect 0 "$isobit" quantize "$folder" "$tmp/direct.gguf" Q8_0
expect 0 "$isobit" quantize "$tmp/model.gguf" "$tmp/twice.gguf" Q8_0
expect 0 "$isobit" logits -m "$tmp/direct.gguf" -p abc
cp "$tmp/out" "$tmp/wanted"
expect 0 "$isobit" logits -m "$tmp/twice.gguf" -p abc
cmp -s "$tmp/out" "$tmp/wanted" || fail "a quantised folder differs from its quantised file"
expect 0 "$isobit" run -m "$tmp/direct.gguf" -p abc -n 1
says err "the model's own chat template"

refuses 2 "$isobit" convert "$folder" "$tmp/x.gguf" --type Q4_K -- "--type"
refuses 2 "$isobit" convert tests/golden/engine/talker.gguf "$tmp/x.gguf" -- "is no folder"
refuses 1 "$isobit" convert "$tmp/none" "$tmp/x.gguf" -- "$tmp/none"
refuses 1 "$isobit" convert "$folder" "$tmp/no/such.gguf" -- "no/such.gguf"
rm "$folder/tokenizer.json"
refuses 1 "$isobit" convert "$folder" "$tmp/x.gguf" -- "tokenizer.json"
[ ! -e "$tmp/x.gguf" ] || fail "a file is left behind"
