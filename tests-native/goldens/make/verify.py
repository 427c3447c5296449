"""Reload what models.py wrote and reproduce the goldens. usage: verify.py OUT [--table FILE]

hf folders: transformers' from_pretrained, no missing or unexpected names, all arrays again, ids by generate().
llava folders: names mapped back by the table of spec 2.8 (written here a second time, the other way round);
  training form: by timm's own checkpoint_filter_fn.
training form: fused by timm's reparameterize_model, and by the formulas of spec 2.9 in numpy.
"""

import argparse, copy, runpy
from common import *
from safetensors.torch import load_file
from timm.models.fastvit import checkpoint_filter_fn
from timm.utils.model import reparameterize_model

ap = argparse.ArgumentParser()
ap.add_argument("out", type=Path)
ap.add_argument("--table", default=str(Path(__file__).with_name("table.py")))
args = ap.parse_args()
FOLDERS = runpy.run_path(args.table)["FOLDERS"]


def llava_to_hf(sd, training):
    out, tower = {}, {}
    for k, v in sd.items():
        if k.startswith(TOWER_LLAVA):
            tower[k[len(TOWER_LLAVA) :]] = v
        elif k.startswith("model.mm_projector."):
            out[
                k.replace("model.mm_projector.0", "model.multi_modal_projector.linear_1").replace(
                    "model.mm_projector.2", "model.multi_modal_projector.linear_2"
                )
            ] = v
        else:
            out[k if k == "lm_head.weight" else "model.language_model." + k[6:]] = v
    tower.pop("head.proj")
    if training:
        mapped = checkpoint_filter_fn(tower, None)
    else:
        mapped = {}
        stage = {
            0: "stages.0.blocks",
            2: "stages.1.blocks",
            4: "stages.2.blocks",
            7: "stages.3.blocks",
            10: "stages.4.blocks",
            1: "stages.1.downsample",
            3: "stages.2.downsample",
            5: "stages.3.downsample",
            8: "stages.4.downsample",
            6: "stages.3.pos_emb",
            9: "stages.4.pos_emb",
        }
        for k, v in tower.items():
            p = k.split(".")
            if p[0] == "network":
                p = [stage[int(p[1])]] + p[2:]
            p = [
                {
                    "patch_embed": "stem",
                    "conv_exp": "final_conv",
                    "convffn": "mlp",
                    "reduce": "fc1",
                    "expand": "fc2",
                    "lkb_reparam": "reparam_conv",
                }.get(x, x)
                for x in p
            ]
            if p[-1].startswith("layer_scale"):
                p.append("gamma")
            mapped[".".join(p)] = v
    out.update({TOWER_HF + k: v for k, v in mapped.items()})
    return out


def load_any(folder, e):
    files = sorted(folder.glob("model*.safetensors"))
    sd = {}
    for f in files:
        sd.update(load_file(str(f)))
    return sd


def numpy_fold(sd, prefix):
    """Spec 2.9: kernel and bias of one MobileOne block from its branches (f64)."""
    g = lambda n: sd[prefix + n].double().numpy() if prefix + n in sd else None

    def bn(p):
        t = g(p + "weight") / np.sqrt(g(p + "running_var") + 1e-5)
        return t, g(p + "bias") - g(p + "running_mean") * t

    k = [
        n
        for n in ("conv_kxk.0.", "conv_scale.", "large_conv.", "small_conv.")
        if prefix + n + "conv.weight" in sd
    ]
    size = max(g(n + "conv.weight").shape[-1] for n in k)
    w = b = 0
    for n in k:
        t, o = bn(n + "bn.")
        x = g(n + "conv.weight") * t[:, None, None, None]
        p = (size - x.shape[-1]) // 2
        w, b = w + np.pad(x, ((0, 0), (0, 0), (p, p), (p, p))), b + o
    if prefix + "identity.weight" in sd:
        t, o = bn("identity.")
        cin = w.shape[1]
        i = np.arange(w.shape[0])
        w[i, i % cin, size // 2, size // 2] += t
        b = b + o
    return w, b


worst_all = 0
for e in FOLDERS:
    folder = args.out / e["folder"]
    llava = e["form"] == "llava"
    raw = load_any(folder, e)
    if llava:
        mapped = llava_to_hf(raw, e.get("training"))
        if e["size"]["tied"] and "lm_head.weight" in mapped:
            assert torch.equal(
                mapped.pop("lm_head.weight"), mapped["model.language_model.embed_tokens.weight"]
            )
        model = FastVlmForConditionalGeneration(
            build_config(e["size"], not e.get("training"))
        ).float()
        res = model.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in mapped.items()}, strict=False
        )
        assert not res.unexpected_keys and set(res.missing_keys) <= {"lm_head.weight"}, res
        model.tie_weights()
        if e.get("same_as"):
            hf = load_any(args.out / e["same_as"], e)
            assert hf.keys() == mapped.keys() and all(torch.equal(hf[k], mapped[k]) for k in hf)
            print(e["folder"], "equals", e["same_as"], "tensor by tensor:", len(hf), "of", len(raw))
    else:
        model, info = FastVlmForConditionalGeneration.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True
        )
        assert not any(
            info[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")
        ), info
    model.eval()
    m64 = copy.deepcopy(model).double()
    if e.get("training"):
        fused = copy.deepcopy(m64)
        fused.model.vision_tower.timm_model = (
            reparameterize_model(fused.model.vision_tower.timm_model).double().eval()
        )
        sd, fd = (
            m64.model.vision_tower.timm_model.state_dict(),
            fused.model.vision_tower.timm_model.state_dict(),
        )
        worst = 0
        for k in [
            k
            for k in fd
            if k.endswith("reparam_conv.weight") and "token_mixer" not in k and "pos_emb" not in k
        ]:
            w, b = numpy_fold(sd, k[: -len("reparam_conv.weight")])
            worst = max(
                worst,
                np.abs(w - fd[k].numpy()).max(),
                np.abs(b - fd[k[:-6] + "bias"].numpy()).max(),
            )
        for k in [k for k in fd if k.endswith("token_mixer.reparam_conv.weight")]:
            p = k[: -len("reparam_conv.weight")]
            w, b = numpy_fold(sd, p + "mixer.")
            g = lambda n: sd[p + n].numpy()
            t = g("norm.identity.weight") / np.sqrt(g("norm.identity.running_var") + 1e-5)
            o = g("norm.identity.bias") - g("norm.identity.running_mean") * t
            w[:, 0, 1, 1] -= t
            ls = g("layer_scale.gamma").reshape(-1)
            w, b = w * ls[:, None, None, None], (b - o) * ls
            w[:, 0, 1, 1] += 1
            worst = max(
                worst,
                np.abs(w - fd[k].numpy()).max(),
                np.abs(b - fd[k[:-6] + "bias"].numpy()).max(),
            )
        for k in [k for k in fd if k.endswith("pos_emb.reparam_conv.weight")]:
            w = sd[k.replace("reparam_conv", "pos_enc")].numpy().copy()
            w[:, 0, 3, 3] += 1
            worst = max(worst, np.abs(w - fd[k].numpy()).max())
        print(e["folder"], "spec 2.9 folding vs timm reparameterize: max difference %.1e" % worst)
        assert worst < 1e-12
    if e.get("same_as"):
        continue
    for f in sorted(folder.glob("case-*.safetensors")):
        a = load_file(str(f))
        ids = a["input_ids"].tolist()
        pix = a.get("pixel_values")
        if pix is not None:
            assert torch.equal(pix, (torch.round(pix * 255).double() * (1 / 255)).float())
        p64 = None if pix is None else pix.double()
        taps = run_taps(m64, ids, p64, detail=True)
        worst = max(rel(taps[k], a[k]) for k in a if k in taps)
        d = None
        if e.get("training"):
            ft = run_taps(fused, ids, p64)
            d = max(rel(ft[k], a[k]) for k in a if k in ft)
            assert d < 1e-6, d
        kw = dict(
            input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)
        )
        if pix is not None:
            kw["pixel_values"] = pix
        model.generation_config.eos_token_id = None
        out = model.generate(
            **kw, max_new_tokens=len(a["greedy_ids"]), do_sample=False, pad_token_id=0
        )[0, len(ids) :]
        assert out.tolist() == a["greedy_ids"].tolist(), (f, out.tolist(), a["greedy_ids"].tolist())
        assert worst < 1e-6, (f, worst)
        worst_all = max(worst, worst_all)
        print(
            e["folder"],
            f.name,
            "reproduced %.1e" % worst,
            "" if d is None else "fused %.1e" % d,
            "generate() ids equal",
        )
print("all reproduced, worst %.1e" % worst_all)
