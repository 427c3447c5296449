#!/bin/sh
# Makes every folder of goldens again and checks it; about two minutes on one core.
#   run_all.sh OUT [DATA]
# OUT is written to. DATA is the folder with the public vocabularies (tests-native/README.md says
# which); without it tokenizer/ and gguf/ are left out. PYTHON may name an interpreter. Needed from
# PyPI: torch transformers timm safetensors tokenizers sentencepiece gguf numpy pillow regex
# (accelerate, if present, lets gguf_files.py have transformers load the GGUF file itself as one
# more check). The versions that made the committed files are in ../README.md.
set -e
OUT=$(realpath "$1")
[ -z "$2" ] || DATA=$(realpath "$2")
cd "$(dirname "$0")"
P=${PYTHON:-python3}
"$P" models.py "$OUT"
"$P" verify.py "$OUT"
"$P" preprocess.py "$OUT/preprocess"
"$P" quant.py "$OUT/quant"
if [ -n "$DATA" ]; then
  "$P" tokenizer.py "$OUT/tokenizer" --data "$DATA"
  "$P" gguf_files.py "$OUT/gguf" --data "$DATA"
fi
