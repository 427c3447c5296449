"""Tokenizer goldens: Qwen2 byte-level BPE by HF tokenizers, Llama 2 unigram-free BPE by sentencepiece.

usage: tokenizer.py OUT --data DIR [--table FILE]   (DIR/tokenizer/qwen2, DIR/tokenizer/llama2)
"""

import argparse, json, runpy, unicodedata
from pathlib import Path
import regex, sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from common import rng, write_json, versions

ap = argparse.ArgumentParser()
ap.add_argument("out", type=Path)
ap.add_argument("--data", type=Path, required=True)
ap.add_argument("--table", default=str(Path(__file__).with_name("tokenizer_strings.py")))
args = ap.parse_args()
T = runpy.run_path(args.table)
args.out.mkdir(parents=True, exist_ok=True)
q = args.data / "tokenizer" / "qwen2"

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
VOCAB = json.loads((q / "vocab.json").read_text(encoding="utf-8"))
MERGES = [
    tuple(l.split(" "))
    for l in (q / "merges.lf.txt").read_text(encoding="utf-8").split("\n")
    if l and not l.startswith("#version")
]


def build(image_token):
    t = Tokenizer(
        models.BPE(
            vocab=VOCAB,
            merges=MERGES,
            continuing_subword_prefix="",
            end_of_word_suffix="",
            fuse_unk=False,
            byte_fallback=False,
        )
    )
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    t.decoder = decoders.ByteLevel()
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"] + (["<image>"] if image_token else [])
    t.add_special_tokens([AddedToken(n, special=True, normalized=False) for n in names])
    assert [t.token_to_id(n) for n in names] == list(range(151643, 151643 + len(names)))
    return t


apple, native = build(False), build(True)
enc = lambda t, s: t.encode(s, add_special_tokens=False).ids

# ---- random strings: runs from many Unicode blocks, spaces, digits and marks
BLOCKS = [
    (0x20, 0x7E),
    (0xA0, 0xFF),
    (0x100, 0x24F),
    (0x300, 0x36F),
    (0x370, 0x3FF),
    (0x400, 0x4FF),
    (0x590, 0x5FF),
    (0x600, 0x6FF),
    (0x900, 0x97F),
    (0xE00, 0xE7F),
    (0x1100, 0x11FF),
    (0x2000, 0x206F),
    (0x2070, 0x209F),
    (0x2190, 0x21FF),
    (0x3040, 0x30FF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7A3),
    (0xFF00, 0xFFEF),
    (0x1F300, 0x1F6FF),
    (0x1D400, 0x1D7FF),
    (0x20000, 0x2A6DF),
]


def random_string(i):
    g, s = rng(T["SEED"], f"string:{i}"), ""
    for _ in range(int(g.integers(2, 7))):
        lo, hi = BLOCKS[int(g.integers(len(BLOCKS)))]
        s += "".join(chr(int(c)) for c in g.integers(lo, hi + 1, int(g.integers(1, 7))))
        s += ["", " ", "  ", "\n", " \n", "'s", "'RE", "7", "\u0301", "\t"][int(g.integers(10))]
    return s


# ---- a second, slow implementation (regex module, plain BPE) to check the HF one
B2U = {b: chr(b) for b in [*range(33, 127), *range(161, 173), *range(174, 256)]}
for n, b in enumerate(b for b in range(256) if b not in B2U.copy()):
    B2U[b] = chr(256 + n)
RANK = {m: i for i, m in enumerate(MERGES)}


def slow(s):
    out = []
    for part in regex.split(r"(<\|endoftext\|>|<\|im_start\|>|<\|im_end\|>)", s):
        if part in ("<|endoftext|>", "<|im_start|>", "<|im_end|>"):
            out.append(apple.token_to_id(part))
            continue
        for piece in regex.findall(PATTERN, unicodedata.normalize("NFC", part), flags=regex.V0):
            w = [B2U[b] for b in piece.encode()]
            while len(w) > 1:
                r, i = min((RANK.get((w[i], w[i + 1]), 1 << 30), i) for i in range(len(w) - 1))
                if r == 1 << 30:
                    break
                w[i : i + 2] = [w[i] + w[i + 1]]
            out += [VOCAB[x] for x in w]
    return out


strings = list(dict.fromkeys(T["STRINGS"] + [random_string(i) for i in range(T["RANDOM"])]))
assert enc(apple, "Hello world") == [9707, 1879] and enc(apple, " Hello world") == [21927, 1879]
cases, differ = [], []
for s in strings:
    ids = enc(apple, s)
    if slow(s) != ids:
        differ.append(s)
    c = dict(text=s, ids=ids, decoded=apple.decode(ids, skip_special_tokens=True))
    full = apple.decode(ids, skip_special_tokens=False)
    if full != c["decoded"]:
        c["decoded_with_special"] = full
    if enc(native, s) != ids:
        c["ids_with_image_token"] = enc(native, s)
    cases.append(c)
print(
    len(cases), "strings; differ from the regex-module implementation:", [ascii(s) for s in differ]
)

# ---- id sequences that are not whole characters
decode = []
for i in range(24):
    g = rng(T["SEED"], f"decode:{i}")
    ids = [int(v) for v in g.integers(0, 151646, int(g.integers(1, 9)))]
    decode.append(dict(ids=ids, decoded=apple.decode(ids, skip_special_tokens=True)))
for s in ("😀", "नमस्ते 🎉", "中文字符", "𠀀𠮷"):
    ids = [VOCAB[B2U[b]] for b in s.encode()]  # one token per byte
    for cut in range(1, len(ids) + 1):
        decode.append(
            dict(ids=ids[:cut], decoded=apple.decode(ids[:cut], skip_special_tokens=True))
        )


def chatml(system, turns, image):
    s = f"<|im_start|>system\n{system}<|im_end|>\n"
    for i, (question, answer) in enumerate(turns):
        s += f"<|im_start|>user\n{'<image>' + chr(10) if image and i == 0 else ''}{question}<|im_end|>\n<|im_start|>assistant\n"
        if answer is not None:
            s += f"{answer}<|im_end|>\n"
    return s


def split_ids(s):
    """Spec 5.2: split at <image>, tokenise the pieces on their own, -200 between them."""
    out = []
    for i, piece in enumerate(s.split("<image>")):
        out += ([-200] if i else []) + enc(apple, piece)
    return out


prompts = []
for system, turns, image in T["PROMPTS"]:
    s = chatml(system, turns, image)
    prompts.append(
        dict(
            system=system,
            turns=[dict(question=a, answer=b) for a, b in turns],
            image=image,
            prompt=s,
            ids=split_ids(s),
            ids_with_image_token=enc(native, s),
        )
    )
known = next(
    (
        p
        for p in prompts
        if p["prompt"]
        == chatml("You are a helpful assistant.", [("Describe the image.", None)], True)
    ),
    None,
)
assert not known or known["ids"] == [
    151644,
    8948,
    198,
    2610,
    525,
    264,
    10950,
    17847,
    13,
    151645,
    198,
    151644,
    872,
    198,
    -200,
    198,
    74785,
    279,
    2168,
    13,
    151645,
    198,
    151644,
    77091,
    198,
]  # spec 5.2
write_json(
    args.out / "qwen2.json",
    dict(
        tokenizer="qwen2 (vocab.json, merges.lf.txt of data/tokenizer/qwen2)",
        pattern=PATTERN,
        added={"<|endoftext|>": 151643, "<|im_start|>": 151644, "<|im_end|>": 151645},
        note="ids: <image> is ordinary text; ids_with_image_token (only where different): <image> is added token 151646",
        cases=cases,
        decode=decode,
        prompts=prompts,
    ),
)

sp = sentencepiece.SentencePieceProcessor(
    model_file=str(args.data / "tokenizer" / "llama2" / "tokenizer.model")
)
spm = []
for s in strings:
    ids = sp.encode(s)
    spm.append(dict(text=s, ids=ids, decoded=sp.decode(ids)))
pieces = [
    dict(
        prompt=p["prompt"],
        ids=[
            x
            for i, t in enumerate(p["prompt"].split("<image>"))
            for x in ([-200] if i else []) + sp.encode(t)
        ],
    )
    for p in prompts
]
write_json(
    args.out / "llama2-spm.json",
    dict(
        tokenizer="data/tokenizer/llama2/tokenizer.model, 32000 pieces",
        vocab_size=sp.vocab_size(),
        note="plain sp.encode / sp.decode: no BOS, no EOS, control tokens such as <s> are ordinary text",
        cases=spm,
        prompts=pieces,
    ),
)
v = versions()
write_json(
    args.out / "manifest.json",
    dict(
        what="tokenizer goldens; JSON is ASCII with \\u escapes (surrogate pairs above U+FFFF)",
        seed=T["SEED"],
        files={
            "qwen2.json": dict(cases=len(cases), decode=len(decode), prompts=len(prompts)),
            "llama2-spm.json": dict(cases=len(spm), prompts=len(pieces)),
        },
        python_unicode=unicodedata.unidata_version,
        tokenizers=v["tokenizers"],
        sentencepiece=v["sentencepiece"],
        checked="the Qwen2 ids equal a second implementation with the regex module except for: "
        + (", ".join(ascii(s) for s in differ) or "none"),
    ),
)
