"""Shared helpers: seeded weights, small FastVLM models, taps, name mapping, file writing.

Every random number comes from a generator keyed by (seed, name), so values do not depend on the order of calls.
"""

import os

os.environ.setdefault("TIMM_FUSED_ATTN", "0")  # explicit softmax(QK)V in the tower (spec 2.9)
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
import hashlib, json, re, warnings
from pathlib import Path
import numpy as np
import torch
from torch import nn
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
import transformers

transformers.logging.set_verbosity_error()
from transformers import (
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    Qwen2Config,
    TimmWrapperConfig,
)
import timm

IMG = -200  # Apple's image sentinel (spec 5.2)
TOWER_HF = "model.vision_tower.timm_model."
TOWER_LLAVA = "model.vision_tower.vision_tower.model."


# ---------------------------------------------------------------- random numbers


def rng(seed, name):
    key = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key[:16], "little")))


def pixels(seed, name, n, h, w):
    """[n,3,h,w] f32, multiples of 1/255: smooth waves and noise, a full 0..255 range."""
    g = rng(seed, f"pixels:{name}")
    y, x = np.mgrid[0:h, 0:w]
    out = np.empty((n, 3, h, w), np.float32)
    for b in range(n):
        for c in range(3):
            v = np.zeros((h, w))
            for _ in range(4):
                fy, fx, ph = g.uniform(-0.12, 0.12), g.uniform(-0.12, 0.12), g.uniform(0, 6.28)
                v += np.cos(fy * y + fx * x + ph)
            v = 127.5 + 45 * v + g.normal(0, 30, (h, w))
            u8 = np.clip(np.rint(v), 0, 255)
            out[b, c] = (u8 * (1 / 255)).astype(np.float32)
    return torch.from_numpy(out)


# ---------------------------------------------------------------- configuration


def build_config(s, inference=True):
    """s: a size entry with layers, dims, mlp, vocab, hidden, depth, heads, kv, ff, tied."""
    text = Qwen2Config(
        vocab_size=s["vocab"],
        hidden_size=s["hidden"],
        intermediate_size=s["ff"],
        num_hidden_layers=s["depth"],
        num_attention_heads=s["heads"],
        num_key_value_heads=s["kv"],
        hidden_act="silu",
        rms_norm_eps=1e-6,
        max_position_embeddings=2048,
        tie_word_embeddings=s["tied"],
        use_sliding_window=False,
        rope_parameters={"rope_type": "default", "rope_theta": s.get("theta", 1e6)},
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    vision = TimmWrapperConfig(
        architecture="fastvit_mci3",
        hidden_size=2 * s["dims"][-1],
        do_pooling=True,
        initializer_range=0.02,
        model_args=dict(
            inference_mode=inference,
            layers=s["layers"],
            embed_dims=s["dims"],
            mlp_ratios=[s["mlp"]] * 5,
        ),
    )
    return FastVlmConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=3,
        image_seq_length=(s.get("image_size", 256) // 64) ** 2,
        tie_word_embeddings=s["tied"],
    )


# ---------------------------------------------------------------- weights (spec 10.1)

# Gains on top of 1/sqrt(fan_in). Plain 1/sqrt(fan_in) loses the picture: a small signal is halved by each of the
# eleven GELUs in a row, until biases outweigh it and a wrong tower would still pass. Softmax gets sharp scores for
# the same reason. The second table keeps greedy text from repeating one word.
GAINS = [  # first match counts; *_conv, conv_*, pos_enc: training form
    (r"final_conv\.se", 3.0),
    (r"final_conv\.reparam", 2.5),
    (r"final_conv\.conv_kxk", 1.0),
    (r"large_conv", 1.4),
    (r"small_conv", 0.7),
    (r"proj\.1\.conv_kxk", 0.9),
    (r"token_mixer\.mixer|conv_scale|pos_enc", 0.6),
    (r"stem\.|downsample\.", 1.7),
    (r"mlp\.fc1", 1.5),
    (r"mlp\.fc2", 1.4),
    (r"token_mixer\.qkv", 1.8),
    (r"linear_1", 2.0),
    (r"linear_2", 1.5),
    (r"[qk]_proj", 1.6),
    (r"o_proj", 1.3),
    (r"gate_proj|up_proj", 1.5),
    (r"down_proj", 2.0),
]


def gain(path, layers):
    v = next((g for pat, g in GAINS if re.search(pat, path)), 1.0)
    if path.endswith("mlp.fc2"):  # many blocks in a stage: smaller steps, so that maps stay near 1
        v /= np.sqrt(layers[int(re.search(r"stages\.(\d)", path)[1])])
    return v


@torch.no_grad()
def randomize(model, seed, embed_std=0.25, head_std=None, qk_bias_std=0.5, mixer_identity=False):
    """Non-trivial values for every parameter and buffer, so that no mistake can hide."""
    layers = model.config.vision_config.model_args["layers"]

    def put(t, name, make):
        t.copy_(
            torch.from_numpy(np.ascontiguousarray(make(rng(seed, name))))
            .to(t.dtype)
            .reshape(t.shape)
        )

    for path, m in model.named_modules():
        own = dict(m.named_parameters(recurse=False))
        n = lambda p: f"{path}.{p}"
        if isinstance(m, nn.BatchNorm2d):
            c = m.num_features
            put(m.weight, n("weight"), lambda g: g.uniform(0.5, 1.5, c))
            put(m.bias, n("bias"), lambda g: g.normal(0, 0.1, c))
            put(m.running_mean, n("running_mean"), lambda g: g.normal(0, 0.2, c))
            put(m.running_var, n("running_var"), lambda g: g.uniform(0.5, 2.0, c))
            m.num_batches_tracked.fill_(1000)
        elif isinstance(m, nn.LayerNorm) or type(m).__name__ == "Qwen2RMSNorm":
            put(m.weight, n("weight"), lambda g: 1 + g.normal(0, 0.1, m.weight.numel()))
            if getattr(m, "bias", None) is not None:
                put(m.bias, n("bias"), lambda g: g.normal(0, 0.05, m.bias.numel()))
        elif isinstance(m, nn.Embedding):
            put(m.weight, n("weight"), lambda g: g.normal(0, embed_std, m.weight.shape))
        elif isinstance(m, (nn.Conv2d, nn.Linear)):
            std = gain(path, layers) / np.sqrt(m.weight[0].numel())
            if path == "lm_head":
                if model.config.tie_word_embeddings:
                    continue
                std = head_std or embed_std
            put(m.weight, n("weight"), lambda g: g.normal(0, std, m.weight.shape))
            if mixer_identity and path.endswith("token_mixer.reparam_conv"):
                # deep towers: centre tap near 1, as the folded residual of real weights has it
                m.weight.mul_(0.5)
                m.weight[:, :, 1, 1] += 0.8
            if m.bias is not None:
                b = qk_bias_std if path.endswith(("q_proj", "k_proj")) else 0.05
                put(m.bias, n("bias"), lambda g: g.normal(0, b, m.bias.numel()))
        elif "gamma" in own:  # LayerScale2d
            put(
                m.gamma,
                n("gamma"),
                lambda g: g.uniform(0.2, 1.0, m.gamma.numel())
                * np.where(g.random(m.gamma.numel()) < 0.5, -1, 1),
            )
        else:
            assert not own, (path, list(own))
    model.tie_weights()
    return model.eval()


def build_model(size, seed, inference=True, **kw):
    return randomize(
        FastVlmForConditionalGeneration(build_config(size, inference)).float(), seed, **kw
    )


# ---------------------------------------------------------------- running and tapping


def n_tokens(h, w):
    for _ in range(6):  # six stride-2 layers, each rounds up
        h, w = (h + 1) // 2, (w + 1) // 2
    return h * w


def expand(prompt, image_id, per_image):
    out, k = [], 0
    for t in prompt:
        if t == IMG:
            out += [image_id] * per_image[k]
            k += 1
        else:
            out.append(t)
    return out


@torch.no_grad()
def greedy(model, ids, pix, n):
    """Greedy ids with the KV cache, end tokens ignored; and the smallest relative gap of the two best logits."""
    ids = torch.tensor([ids])
    out, gaps, logits0 = [], [], None
    kw = dict(input_ids=ids, use_cache=True)
    if pix is not None:
        kw["pixel_values"] = pix
    past = None
    for _ in range(n):
        r = model(**kw, past_key_values=past) if past is not None else model(**kw)
        past = r.past_key_values
        l = r.logits[0, -1].double()
        logits0 = l if logits0 is None else logits0
        a, b = l.topk(2).values
        gaps.append(float((a - b) / l.abs().max()))
        out.append(int(l.argmax()))
        kw = dict(input_ids=torch.tensor([[out[-1]]]), use_cache=True)
    return out, gaps, logits0


@torch.no_grad()
def run_taps(model, ids, pix, detail=False):
    """One forward pass with hooks. Returns name -> tensor (maps NCHW, rows [N,h])."""
    taps, handles = {}, []

    def tap(mod, key, squeeze=False):
        def f(_m, _a, o):
            o = o[0] if isinstance(o, tuple) else o
            taps[key] = (o[0] if squeeze else o).detach().clone()

        handles.append(mod.register_forward_hook(f))

    tower, lm = model.model.vision_tower.timm_model, model.model.language_model
    tap(tower.stem, "stem")
    for i, st in enumerate(tower.stages):
        tap(st, f"stage{i}")
        if detail:
            if i:
                tap(st.downsample, f"stage{i}.downsample")
            if i >= 3:
                tap(st.pos_emb, f"stage{i}.pos_emb")
    tap(tower.final_conv, "final_conv")
    tap(model.model.multi_modal_projector, "projector")
    handles.append(
        lm.register_forward_pre_hook(
            lambda _m, a, k: taps.__setitem__(
                "inputs_embeds", k["inputs_embeds"][0].detach().clone()
            ),
            with_kwargs=True,
        )
    )
    for i, l in enumerate(lm.layers):
        tap(l, f"layer{i}", True)
    tap(lm.norm, "final_norm", True)
    kw = dict(input_ids=torch.tensor([ids]), use_cache=False)
    if pix is not None:
        kw["pixel_values"] = pix
    logits = model(**kw).logits[0]
    for h in handles:
        h.remove()
    taps["logits_last"] = logits[-1].detach().clone()
    return taps


def rel(a, b):
    return float((a.double() - b.double()).abs().max() / b.double().abs().max().clamp_min(1e-30))


def make_prompt(seed, name, parts, vocab):
    """parts: ints give that many random ids (4..vocab-1), 'img' gives the sentinel."""
    g = rng(seed, f"prompt:{name}")
    out = []
    for p in parts:
        out += [IMG] if p == "img" else [int(v) for v in g.integers(4, vocab, p)]
    return out


def run_case(model64, model32, case, seed, vocab, keep=None):
    """Compute one case in f64 (stored as f32) and in f32 (to record how far plain f32 strays).

    The first sub-seed whose greedy path is unambiguous (gap >= 1e-3, same ids in f32, varied ids) is taken.
    """
    h, w = case.get("hw", (0, 0))
    n_img = case["parts"].count("img")
    for sub in range(200):
        tag = f"{case['name']}:{sub}"
        pix = pixels(seed, tag, n_img, h, w) if n_img else None
        prompt = make_prompt(seed, tag, case["parts"], vocab)
        ids = expand(prompt, model64.config.image_token_id, [n_tokens(h, w)] * n_img)
        g64, gaps, _ = greedy(model64, ids, None if pix is None else pix.double(), case["greedy"])
        if min(gaps) < case.get("min_gap", 1e-3) or len(set(g64)) < case.get(
            "min_distinct", case["greedy"] // 3
        ):
            continue
        g32, _, _ = greedy(model32, ids, pix, case["greedy"])
        if g32 == g64:
            break
    else:
        raise SystemExit(f"no unambiguous greedy path for {case['name']}")
    t64 = run_taps(model64, ids, None if pix is None else pix.double(), case.get("detail", False))
    t32 = run_taps(model32, ids, pix, case.get("detail", False))
    keys = [k for k in t64 if keep is None or k in keep]
    arrays = {k: t64[k].float().contiguous() for k in keys}
    if pix is not None:
        arrays["pixel_values"] = pix
    arrays["input_ids"] = torch.tensor(ids)
    arrays["prompt_ids"] = torch.tensor(prompt)
    arrays["greedy_ids"] = torch.tensor(g64)
    info = dict(
        file=f"case-{case['name']}.safetensors",
        images=n_img,
        sub_seed=sub,
        tokens=len(ids),
        image_tokens=n_tokens(h, w) * n_img if n_img else 0,
        min_greedy_gap=round(min(gaps), 6),
        greedy_ids=g64,
        f32_deviation={k: float(f"{rel(t32[k], t64[k]):.1e}") for k in keys},
    )
    if n_img:
        info["height"], info["width"] = h, w
    return arrays, info


# ---------------------------------------------------------------- names (spec 2.8, 2.9)

NET = {
    ("blocks", 0): 0,
    ("down", 1): 1,
    ("blocks", 1): 2,
    ("down", 2): 3,
    ("blocks", 2): 4,
    ("down", 3): 5,
    ("pos", 3): 6,
    ("blocks", 3): 7,
    ("down", 4): 8,
    ("pos", 4): 9,
    ("blocks", 4): 10,
}


def hf_to_llava(name):
    """HF-native name -> Apple / LLaVA name; inference form and training form."""
    if not name.startswith(TOWER_HF):
        for a, b in (
            ("model.multi_modal_projector.linear_1", "model.mm_projector.0"),
            ("model.multi_modal_projector.linear_2", "model.mm_projector.2"),
            ("model.language_model.", "model."),
        ):
            if name.startswith(a):
                return b + name[len(a) :]
        return name
    k = name[len(TOWER_HF) :]
    k = re.sub(r"^stem\.", "patch_embed.", k)
    k = re.sub(r"^final_conv\.", "conv_exp.", k)
    k = re.sub(r"^stages\.(\d)\.blocks\.", lambda m: f"network.{NET['blocks', int(m[1])]}.", k)
    k = re.sub(r"^stages\.(\d)\.downsample\.", lambda m: f"network.{NET['down', int(m[1])]}.", k)
    k = re.sub(r"^stages\.(\d)\.pos_emb\.", lambda m: f"network.{NET['pos', int(m[1])]}.", k)
    k = re.sub(r"(network\.\d+\.proj\.0)\.reparam_conv", r"\1.lkb_reparam", k)
    k = k.replace(".large_conv.", ".lkb_origin.").replace(".pos_enc.", ".pe.")
    k = (
        k.replace("conv_kxk.", "rbr_conv.")
        .replace("conv_scale.", "rbr_scale.")
        .replace("identity.", "rbr_skip.")
    )
    k = (
        k.replace(".mlp.", ".convffn.")
        .replace(".se.fc1.", ".se.reduce.")
        .replace(".se.fc2.", ".se.expand.")
    )
    k = k.replace(".gamma", "")
    return TOWER_LLAVA + k


def to_llava(state, seed, untie=True):
    """The same tensors under Apple's names, plus the unused head.proj and, when the head is tied, its equal copy."""
    out = {hf_to_llava(k): v for k, v in state.items()}
    assert len(out) == len(state)
    c = state[TOWER_HF + "final_conv.se.fc2.bias"].numel()
    any_w = state["model.language_model.norm.weight"]
    out[TOWER_LLAVA + "head.proj"] = torch.from_numpy(
        rng(seed, "head.proj").normal(0, 0.05, (c, 64))
    ).to(any_w.dtype)
    if untie and "lm_head.weight" not in out:
        out["lm_head.weight"] = out["model.embed_tokens.weight"].clone()
    return out


def llava_config(s, dtype="float32", tie=False):
    """config.json with Apple's keys (spec 1.3), sizes adapted."""
    return {
        "architectures": ["LlavaQwen2ForCausalLM"],
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "freeze_mm_mlp_adapter": False,
        "hidden_act": "silu",
        "hidden_size": s["hidden"],
        "image_aspect_ratio": "pad",
        "image_grid_pinpoints": None,
        "initializer_range": 0.02,
        "intermediate_size": s["ff"],
        "max_position_embeddings": 2048,
        "max_window_layers": s["depth"],
        "mm_hidden_size": 2 * s["dims"][-1],
        "mm_patch_merge_type": "flat",
        "mm_projector_lr": None,
        "mm_projector_type": "mlp2x_gelu",
        "mm_use_im_patch_token": False,
        "mm_use_im_start_end": False,
        "mm_vision_select_feature": "patch",
        "mm_vision_select_layer": -2,
        "mm_vision_tower": f"mobileclip_l_{s.get('image_size', 256)}",
        "model_type": "llava_qwen2",
        "num_attention_heads": s["heads"],
        "num_hidden_layers": s["depth"],
        "num_key_value_heads": s["kv"],
        "rms_norm_eps": 1e-06,
        "rope_theta": s.get("theta", 1e6),
        "sliding_window": 2048,
        "tie_word_embeddings": tie,
        "tokenizer_model_max_length": 2048,
        "tokenizer_padding_side": "right",
        "torch_dtype": dtype,
        "transformers_version": "4.39.3",
        "tune_mm_mlp_adapter": False,
        "unfreeze_mm_vision_tower": True,
        "use_cache": True,
        "use_mm_proj": True,
        "use_sliding_window": False,
        "vision_config": {},
        "vocab_size": s["vocab"],
    }


# ---------------------------------------------------------------- files


def write_json(path, obj, **kw):
    Path(path).write_text(json.dumps(obj, indent=1, **kw) + "\n")


def write_tensors(path, tensors):
    save_file({k: v.contiguous() for k, v in tensors.items()}, str(path), metadata={"format": "pt"})
    os.chmod(path, 0o644)


def write_hf_config(path, cfg, dtype):
    """config.json as save_pretrained writes it."""
    d = json.loads(cfg.to_json_string(use_diff=True))
    d.update(architectures=["FastVlmForConditionalGeneration"], dtype=dtype)
    write_json(path, d, sort_keys=True)


def write_sharded(folder, tensors, shards=2):
    names = sorted(tensors)
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    groups, acc = [[] for _ in range(shards)], 0
    for n in names:
        groups[min(shards - 1, acc * shards // total)].append(n)
        acc += tensors[n].numel() * tensors[n].element_size()
    index = {"metadata": {"total_size": total}, "weight_map": {}}
    for i, g in enumerate(groups):
        f = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        write_tensors(folder / f, {n: tensors[n] for n in g})
        index["weight_map"].update({n: f for n in g})
    write_json(folder / "model.safetensors.index.json", index)


def versions():
    import safetensors, tokenizers, sentencepiece, PIL, importlib.metadata as md

    return dict(
        torch=torch.__version__.split("+")[0],
        transformers=transformers.__version__,
        timm=timm.__version__,
        safetensors=safetensors.__version__,
        tokenizers=tokenizers.__version__,
        sentencepiece=sentencepiece.__version__,
        numpy=np.__version__,
        pillow=PIL.__version__,
        gguf=md.version("gguf"),
    )
