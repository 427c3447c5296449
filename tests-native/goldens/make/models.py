"""Model folders: checkpoint, config.json, one safetensors file of goldens per case, manifest.json.

usage: models.py OUT [--table FILE] [--only FOLDER]
"""

import argparse, copy, runpy
from common import *

ap = argparse.ArgumentParser()
ap.add_argument("out", type=Path)
ap.add_argument("--table", default=str(Path(__file__).with_name("table.py")))
ap.add_argument("--only")
args = ap.parse_args()
table = runpy.run_path(args.table)["FOLDERS"]
DT = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@torch.no_grad()
def make(e):
    """The model, its values already rounded to the stored type; kept in f32 (RoPE tables must not be rounded)."""
    dt = DT[e.get("dtype", "float32")]
    model = build_model(
        e["size"], e["seed"], inference=not e.get("training"), **e.get("weights", {})
    )
    state = {}
    for k, v in model.state_dict().items():
        if v.is_floating_point():
            v.copy_(v.to(dt).float())
        if k != "lm_head.weight" or not e["size"]["tied"]:
            state[k] = (v.to(dt) if v.is_floating_point() else v).clone()
    return model, state


for e in table:
    if args.only and e["folder"] != args.only:
        continue
    s, folder = e["size"], args.out / e["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    model, state = make(e)
    dtype = e.get("dtype", "float32")
    tower = sum(k.startswith(TOWER_HF) for k in state)
    llava = e["form"] == "llava"
    tensors = to_llava(state, e["seed"], e.get("write_tied_head", True)) if llava else state
    if llava:
        write_json(
            folder / "config.json", llava_config(s, dtype, e.get("tie_flag", False)), sort_keys=True
        )
    else:
        write_hf_config(folder / "config.json", model.config, dtype)
    if e.get("shards", 1) > 1:
        write_sharded(folder, tensors, e["shards"])
    else:
        write_tensors(folder / "model.safetensors", tensors)

    names = sorted({re.sub(r"\.\d+\.", ".N.", k) for k in tensors})
    manifest = dict(
        what=f"FastVLM checkpoint, {'Apple (LLaVA)' if llava else 'transformers'} names, "
        f"{'training' if e.get('training') else 'inference'} form, stored as {dtype}",
        seed=e["seed"],
        size=s,
        tensors=len(tensors),
        tower_tensors=tower + llava,
        parameters=sum(v.numel() for v in state.values() if v.is_floating_point()),
        head=(
            "tied"
            if s["tied"] and "lm_head.weight" not in tensors
            else (
                "lm_head.weight equals the embedding byte for byte"
                if s["tied"]
                else "untied, differs from the embedding"
            )
        ),
        image_placeholder=dict(prompt_ids=IMG, input_ids=3),
        computed_by="transformers FastVlmForConditionalGeneration, float64, stored as float32; "
        "TIMM_FUSED_ATTN=0; greedy ignores end tokens",
        keys=dict(
            pixel_values="[B,3,H,W], multiples of 1/255",
            input_ids="[N] placeholder expanded",
            prompt_ids="[n] with -200 per picture",
            **{"stem, stageK, final_conv": "[B,C,h,w]"},
            projector="[B,tokens,hidden]",
            **{"inputs_embeds, layerK, final_norm": "[N,hidden]"},
            logits_last="[V], last row",
            greedy_ids="[n]",
        ),
        names=names,
    )
    if e.get("same_as"):
        manifest["goldens"] = f"../{e['same_as']}/case-*.safetensors (same weights)"
    else:
        m64, cases = copy.deepcopy(model).double(), []
        for c in e["cases"]:
            keep = None if c.get("keep_all") else e.get("keep")
            arrays, info = run_case(m64, model, c, e["seed"], s["vocab"], keep)
            write_tensors(folder / info["file"], arrays)
            cases.append(info)
            print(
                e["folder"],
                info["file"],
                "gap",
                info["min_greedy_gap"],
                "sub",
                info["sub_seed"],
                "dev",
                max(info["f32_deviation"].values()),
                flush=True,
            )
        manifest["cases"] = cases
    write_json(folder / "manifest.json", manifest)
