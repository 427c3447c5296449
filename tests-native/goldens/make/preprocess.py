"""Preprocessing goldens: PIL's own bytes for the two input paths of spec 4.1 (pad) and 4.3 (crop).

usage: preprocess.py OUT [--data DIR] [--table FILE]   (table: SOURCES, SIZES, SYNTH, HASH_ONLY)
Without --data the sources are those that this script makes itself (OUT/src), which may be
committed; with it, the public test images of the table, whose paths are relative to DIR.
Every crop is checked against transformers' own CLIPImageProcessorPil before it is written.
"""

import argparse, hashlib, json, runpy
from pathlib import Path
import numpy as np
from PIL import Image
from common import rng, write_json

ap = argparse.ArgumentParser()
ap.add_argument("out", type=Path)
ap.add_argument("--data", type=Path, help="folder of the public test images")
ap.add_argument("--table", default=str(Path(__file__).with_name("preprocess_table.py")))
args = ap.parse_args()
T = runpy.run_path(args.table)
args.out.mkdir(parents=True, exist_ok=True)


def pad(img, s):
    """predict.py: convert, paste on a black square, bicubic."""
    img = img.convert("RGB")
    w, h = img.size
    side = max(w, h)
    if w != h:
        sq = Image.new("RGB", (side, side), (0, 0, 0))
        sq.paste(img, ((side - w) // 2, (side - h) // 2))
        img = sq
    return img if side == s else img.resize((s, s), Image.BICUBIC)


def has_alpha(img):
    return "A" in img.getbands() or img.info.get("transparency") is not None


def crop_hf(img, s):
    """What transformers 5.23 really does with transparency: composite on white first."""
    img = img.convert("RGBA")
    return crop(Image.alpha_composite(Image.new("RGBA", img.size, (255, 255, 255, 255)), img), s)


def crop(img, s):
    """HF processor: convert, shortest edge to s (long edge truncated), bicubic, centre crop."""
    img = img.convert("RGB")
    w, h = img.size
    size = (s, int(s * h / w)) if w <= h else (int(s * w / h), s)
    img = img.resize(size, Image.BICUBIC)
    x, y = (size[0] - s) // 2, (size[1] - s) // 2
    return img.crop((x, y, x + s, y + s))


def hf_crop(img, s):
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    p = CLIPImageProcessorPil(
        size={"shortest_edge": s},
        crop_size={"height": s, "width": s},
        do_rescale=False,
        do_normalize=False,
    )
    return np.asarray(p(img, return_tensors="np")["pixel_values"][0]).transpose(1, 2, 0)


# synthetic sources: noise over a gradient, so that every pixel counts
if args.data is None:
    (args.out / "src").mkdir(exist_ok=True)
for name, (mode, w, h) in ({} if args.data else T["SYNTH"]).items():
    g = rng(T["SEED"], name)
    c = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}[mode]
    y, x = np.mgrid[0:h, 0:w]
    a = 255 * (x + y + 1)[..., None] / (w + h) + g.normal(0, 60, (h, w, c))
    a = np.clip(np.rint(a), 0, 255).astype(np.uint8)
    Image.fromarray(a[..., 0] if c == 1 else a, mode).save(args.out / "src" / name)

entries, written = [], {}  # written: hash of the pixels -> file
for src, note in T["SOURCES"]:
    if src.startswith("src/") == (args.data is not None):
        continue
    path = (args.data or args.out) / src
    img = Image.open(path)
    img.load()
    kinds = [("pad", pad), ("crop", crop)] + ([("crop-hf", crop_hf)] if has_alpha(img) else [])
    for s in T["SIZES"]:
        theirs = hf_crop(img, s)
        assert (theirs == np.asarray((crop_hf if has_alpha(img) else crop)(img, s))).all(), src
        for kind, fn in kinds:
            r = fn(img, s)
            a = np.asarray(r)
            assert r.mode == "RGB" and a.shape == (s, s, 3)
            if kind == "crop-hf" and (a == np.asarray(crop(img, s))).all():
                continue  # transparency that changes nothing
            stem = Path(src).stem
            file = f"{stem}.{kind}.{s}.png"
            sha256 = hashlib.sha256(a.tobytes()).hexdigest()
            if (stem, s) in T["HASH_ONLY"] or (stem, kind, s) in T["HASH_ONLY"]:
                file = None
            elif sha256 in written:
                file = written[sha256]
            else:
                written[sha256] = file
                Image.fromarray(a).save(args.out / file, optimize=True)  # no ICC profile, no EXIF
            e = dict(
                source=src,
                kind=kind,
                size=s,
                source_size=list(img.size),
                source_mode=img.mode,
                file=file,
                sha256=sha256,
            )
            if note:
                e["note"] = note
            entries.append(e)
write_json(
    args.out / "manifest.json",
    dict(
        what="8-bit RGB results of the two preprocessing paths; file is a PNG of size x size (null: hash only)",
        pad="spec 4.1: convert('RGB'), paste on a black square at floor offsets, bicubic to size",
        crop="spec 4.3: convert('RGB'), shortest edge to size (long = int(size*long/short)), bicubic, centre crop",
        **{
            "crop-hf": "only for sources with transparency: transformers 5.23 composites on white, then does the same as crop"
        },
        source="path relative to "
        + ("this folder" if args.data is None else "the folder of public test images"),
        sha256="of the size*size*3 raw RGB bytes, rows top to bottom; JPEG sources decode as libjpeg-turbo (PIL) does",
        entries=entries,
    ),
)
print(len(entries), "entries")
