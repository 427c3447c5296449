"""Small GGUF files by gguf-py's own writer, with logits and greedy ids by transformers' Qwen2ForCausalLM.

usage: gguf_files.py OUT --data DIR [--table FILE]
"""

import argparse, hashlib, runpy, shutil, tempfile
from common import *
import gguf
from gguf import quants
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoModelForCausalLM, Qwen2ForCausalLM

ap = argparse.ArgumentParser()
ap.add_argument("out", type=Path)
ap.add_argument("--data", type=Path, required=True)
ap.add_argument("--table", default=str(Path(__file__).with_name("gguf_table.py")))
args = ap.parse_args()
T = runpy.run_path(args.table)
S, SEED = T["SIZE"], T["SEED"]
args.out.mkdir(parents=True, exist_ok=True)
Q = gguf.GGMLQuantizationType

# ---- a small tokenizer: 256 bytes, the first merges of Qwen2, three added tokens at the end
B2U = {b: chr(b) for b in [*range(33, 127), *range(161, 173), *range(174, 256)]}
for n, b in enumerate([b for b in range(256) if b not in B2U]):
    B2U[b] = chr(256 + n)
lines = (args.data / "tokenizer/qwen2/merges.lf.txt").read_text(encoding="utf-8").split("\n")
tokens, merges = sorted(B2U.values()), []
for a, b in (l.split(" ") for l in lines if l and not l.startswith("#version")):
    if len(tokens) == S["vocab"] - 3:
        break
    if a in tokens and b in tokens and a + b not in tokens:
        tokens.append(a + b)
        merges.append((a, b))
added = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
bos, im_start, eos = (len(tokens) + i for i in range(3))
tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges))
tok.normalizer = normalizers.NFC()
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
tok.pre_tokenizer = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]
)
tok.decoder = decoders.ByteLevel()
tok.add_special_tokens([AddedToken(a, special=True, normalized=False) for a in added])
tokens += added

cfg = Qwen2Config(
    vocab_size=S["vocab"],
    hidden_size=S["hidden"],
    intermediate_size=S["ff"],
    num_hidden_layers=S["depth"],
    num_attention_heads=S["heads"],
    num_key_value_heads=S["kv"],
    rms_norm_eps=1e-6,
    max_position_embeddings=1024,
    rope_parameters={"rope_type": "default", "rope_theta": S["theta"]},
    tie_word_embeddings=True,
    bos_token_id=bos,
    eos_token_id=eos,
    pad_token_id=bos,
)


def gguf_name(k):
    k = (
        k.replace("model.embed_tokens", "token_embd")
        .replace("model.norm", "output_norm")
        .replace("lm_head", "output")
    )
    k = (
        k.replace("model.layers.", "blk.")
        .replace("input_layernorm", "attn_norm")
        .replace("post_attention_layernorm", "ffn_norm")
    )
    k = k.replace("self_attn.o_proj", "attn_output")
    return re.sub(
        r"(?:self_attn|mlp)\.(\w+)_proj",
        lambda m: ("ffn_" if m[1] in ("gate", "up", "down") else "attn_") + m[1],
        k,
    )


def weights():
    out = {}
    for k, v in Qwen2ForCausalLM(cfg).state_dict().items():
        if k == "lm_head.weight":
            continue
        r = rng(SEED, k)
        if "norm" in k:
            a = 1 + r.normal(0, 0.1, v.shape)
        elif k.endswith("bias"):
            a = r.normal(0, 0.05 if "v_proj" in k else 0.5, v.shape)
        elif "embed" in k:
            a = r.normal(0, 0.25, v.shape)
        else:
            a = r.normal(0, gain(k[:-7], None) / np.sqrt(v.shape[1]), v.shape)
        out[k] = a.astype(np.float32)
    return out


def write(path, arrays, types, file_type, big=False):
    """arrays: HF name -> f32; types: HF name -> GGML type."""
    w = gguf.GGUFWriter(
        str(path), "qwen2", endianess=gguf.GGUFEndian.BIG if big else gguf.GGUFEndian.LITTLE
    )
    w.add_name("tiny random qwen2")
    w.add_file_type(file_type)
    w.add_block_count(S["depth"])
    w.add_context_length(1024)
    w.add_embedding_length(S["hidden"])
    w.add_feed_forward_length(S["ff"])
    w.add_head_count(S["heads"])
    w.add_head_count_kv(S["kv"])
    w.add_rope_freq_base(S["theta"])
    w.add_layer_norm_rms_eps(1e-6)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("qwen2")
    w.add_token_list(tokens)
    w.add_token_types([1] * (len(tokens) - 3) + [3] * 3)
    w.add_token_merges([f"{a} {b}" for a, b in merges])
    w.add_bos_token_id(bos)
    w.add_eos_token_id(eos)
    w.add_pad_token_id(bos)
    w.add_add_bos_token(False)
    w.add_chat_template(T["TEMPLATE"])
    for k, a in arrays.items():
        t = types[k]
        if t == Q.F32:
            w.add_tensor(gguf_name(k), a)
        elif t == Q.F16:
            w.add_tensor(gguf_name(k), a.astype(np.float16))
        else:
            w.add_tensor(gguf_name(k), quants.quantize(a, t), raw_dtype=t)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def stored(a, t):
    return (
        a
        if t == Q.F32
        else (
            a.astype(np.float16).astype(np.float32)
            if t == Q.F16
            else quants.dequantize(quants.quantize(a, t), t)
        )
    )


def describe(path):
    r, kv = gguf.GGUFReader(str(path)), {}
    for n, f in r.fields.items():
        v = f.contents()
        if isinstance(v, list) and len(v) > 8:
            v = dict(array_of=f.types[-1].name, length=len(v), first=v[:4], last=v[-4:])
        kv[n] = v
    return kv, [
        dict(
            name=t.name,
            type=t.tensor_type.name,
            ne=[int(x) for x in t.shape],
            bytes=int(t.n_bytes),
            offset=int(t.data_offset),
            sha256_f32=hashlib.sha256(
                np.ascontiguousarray(quants.dequantize(t.data, t.tensor_type), np.float32).tobytes()
            ).hexdigest(),
        )
        for t in r.tensors
    ]


@torch.no_grad()
def goldens(arrays, tied, prompt, n):
    c = copy_cfg(tied)
    m = Qwen2ForCausalLM(c).eval()
    sd = {k: torch.from_numpy(np.ascontiguousarray(a, np.float32)) for k, a in arrays.items()}
    if tied:
        sd["lm_head.weight"] = sd["model.embed_tokens.weight"]
    m.load_state_dict(sd)
    m64 = Qwen2ForCausalLM(c).double().eval()
    m64.load_state_dict({k: v.double() for k, v in sd.items()})
    ids, gaps, l = greedy(m64, prompt, None, n)
    assert ids == greedy(m, prompt, None, n)[0]
    return m64, ids, min(gaps), l


def copy_cfg(tied):
    d = cfg.to_dict()
    d["tie_word_embeddings"] = tied
    return Qwen2Config(
        **{k: v for k, v in d.items() if k not in ("model_type", "transformers_version")}
    )


arrays = weights()
f32 = {k: Q.F32 for k in arrays}
mixed = dict(arrays)
mixed["lm_head.weight"] = arrays["model.embed_tokens.weight"]
kinds = {
    "embed_tokens": Q.F16,
    "lm_head": Q.Q8_0,
    "q_proj": Q.Q8_0,
    "k_proj": Q.BF16,
    "v_proj": Q.F16,
    "o_proj": Q.Q4_0,
    "gate_proj": Q.Q8_0,
    "up_proj": Q.Q4_0,
    "down_proj": Q.Q4_1 if T.get("WITH_1") else Q.Q8_0,
}
mtypes = {
    k: Q.F32 if a.ndim == 1 else next(t for n, t in kinds.items() if n in k)
    for k, a in mixed.items()
}

files = {}
for name, arr, types, tied, ft in (
    ("qwen2-f32", arrays, f32, True, gguf.LlamaFileType.ALL_F32),
    ("qwen2-mixed", mixed, mtypes, False, gguf.LlamaFileType.MOSTLY_Q8_0),
):
    path = args.out / f"{name}.gguf"
    write(path, arr, types, ft)
    vals = {k: stored(a, types[k]) for k, a in arr.items()}
    for sub in range(100):  # the first prompt whose greedy path is unambiguous
        prompt = (
            [im_start]
            + [int(v) for v in rng(SEED, f"{name}:{sub}").integers(0, bos, T["PROMPT"])]
            + [eos]
        )
        try:
            m64, ids, gap, logits = goldens(vals, tied, prompt, T["GREEDY"])
        except AssertionError:
            continue
        if gap > 1e-3 and len(set(ids)) >= T["GREEDY"] // 3:
            break
    else:
        raise SystemExit("no prompt")
    write_tensors(
        args.out / f"{name}.goldens.safetensors",
        dict(
            input_ids=torch.tensor(prompt), logits_last=logits.float(), greedy_ids=torch.tensor(ids)
        ),
    )
    kv, ts = describe(path)
    for k, a in vals.items():  # what the reader sees is what was meant
        t = next(t for t in ts if t["name"] == gguf_name(k))
        assert (
            t["sha256_f32"]
            == hashlib.sha256(np.ascontiguousarray(a, np.float32).tobytes()).hexdigest()
        ), k
    files[path.name] = dict(
        expect="reads",
        head="tied (no output.weight)" if tied else "output.weight",
        kv=kv,
        tensors=ts,
        min_greedy_gap=round(gap, 6),
        greedy_ids=ids,
        goldens=f"{name}.goldens.safetensors",
    )
    if name == "qwen2-f32":  # transformers reads the file itself and agrees
        try:
            with tempfile.TemporaryDirectory() as d:
                shutil.copy(path, d)
                own = (
                    AutoModelForCausalLM.from_pretrained(
                        d, gguf_file=path.name, dtype=torch.float32
                    )
                    .double()
                    .eval()
                )
            with torch.no_grad():
                r = rel(own(torch.tensor([prompt])).logits[0, -1], logits)
            print("transformers' own GGUF loading: relative difference %.1e" % r)
            files[path.name][
                "checked"
            ] = "loaded by transformers' from_pretrained(gguf_file=...): same logits"
            assert r < 1e-6
        except (ImportError, ValueError) as x:
            print("transformers could not load the file:", type(x).__name__, str(x)[:200])

write(args.out / "qwen2-big-endian.gguf", arrays, f32, gguf.LlamaFileType.ALL_F32, big=True)
files["qwen2-big-endian.gguf"] = dict(
    expect="refuse: big-endian (version reads as 50331648), or read with the values of qwen2-f32.gguf"
)
b = bytearray((args.out / "qwen2-mixed.gguf").read_bytes())
b[4:8] = (2).to_bytes(4, "little")  # versions 2 and 3 have the same little-endian layout
(args.out / "qwen2-v2.gguf").write_bytes(b)
files["qwen2-v2.gguf"] = dict(
    expect="same content as qwen2-mixed.gguf with version field 2: read it, or refuse with a clear message"
)

texts = [
    dict(text=s, ids=tok.encode(s).ids, decoded=tok.decode(tok.encode(s).ids)) for s in T["TEXTS"]
]
write_json(
    args.out / "manifest.json",
    dict(
        what="qwen2 text models in GGUF v3, random weights; goldens by transformers Qwen2ForCausalLM in float64 from the stored values",
        seed=SEED,
        size=S,
        goldens_keys=dict(
            input_ids="[n]",
            logits_last="[V] at the last prompt row",
            greedy_ids="[n], end tokens ignored",
        ),
        offset="of tensor data from the start of the file",
        sha256_f32="of the dequantised values, rows as in PyTorch",
        files=files,
        tokenizer_checks=texts,
    ),
)
print({p.name: p.stat().st_size for p in sorted(args.out.iterdir())})
