"""Block quantisation goldens by gguf-py (its Q8_0..Q5_1 are documented as bit-exact with ggml's reference C).

usage: quant.py OUT [--seed N] [--rows N]
"""

import argparse
from common import *
import gguf
from gguf import quants

ap = argparse.ArgumentParser()
ap.add_argument("out", type=Path)
ap.add_argument("--seed", type=int, default=2030)
ap.add_argument("--rows", type=int, default=12, help="random rows")
args = ap.parse_args()
args.out.mkdir(parents=True, exist_ok=True)
Q = gguf.GGMLQuantizationType
g = rng(args.seed, "rows")
W = 256  # 8 blocks of 32 in a row

rows, notes = [], []


def add(note, v):
    rows.append(np.broadcast_to(np.asarray(v, np.float32), (W,)).copy())
    notes.append(note)


for i in range(args.rows):
    s = 10.0 ** g.uniform(-4, 3)
    add(f"normal, scale {s:.2g}", g.normal(0, s, W))
add("uniform -1..1", g.uniform(-1, 1, W))
add("all positive", g.uniform(0.5, 2, W))
add("all negative", -g.uniform(0.5, 2, W))
add("zeros", 0)
v = g.normal(0, 1, W)
v[32:64] = 0
v[160:192] = 0
add("two zero blocks", v)
v = g.normal(0, 0.01, W)
v[5] = 5e4
v[70] = -5e4
add("one huge outlier in block 0 (+) and 2 (-)", v)
add("constant", 0.37)
add("minus zero and zero", np.where(np.arange(W) % 2, 0.0, -0.0))
v = np.repeat(g.uniform(0.1, 3, W // 2), 2)
v[1::2] *= -1
add("ties: pairs of equal magnitude and opposite sign", v)
add(
    "integers -127..127: scale 1, halves exactly between",
    np.r_[np.arange(-127, 1), np.arange(0, 128)],
)
add(
    "halves: k/2 with amax 127 in each block",
    np.where(np.arange(W) % 32 == 0, 127, (np.arange(W) % 64 - 32) + 0.5),
)
add("scale is a denormal half", g.normal(0, 1e-5, W))
add("scale underflows to half 0 while the codes do not", g.normal(0, 1e-7, W))
v = g.normal(0, 1, W)
v[::3] = g.uniform(-1, 1, len(v[::3])) * 1e-39
add("f32 denormals among normal values", v)
add("single non-zero value per block", np.where(np.arange(W) % 32 == 7, g.normal(0, 1, W), 0))
x = np.stack(rows)

out, man = {"x": torch.from_numpy(x)}, {}
for t in ("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"):
    b = quants.quantize(x, Q[t])
    y = quants.dequantize(b, Q[t])
    out[f"{t}.bytes"], out[f"{t}.values"] = torch.from_numpy(b.copy()), torch.from_numpy(
        y.astype(np.float32).copy()
    )
    man[t] = dict(
        block=32,
        bytes=gguf.GGML_QUANT_SIZES[Q[t]][1],
        rms_error=float(f"{np.sqrt(((x - y) ** 2).mean()):.4g}"),
    )

# K-quants: gguf-py only reads them, so the blocks are random bytes with sane half scales
for t, halves in (("Q4_K", (0, 2)), ("Q5_K", (0, 2)), ("Q6_K", (208,))):
    size = gguf.GGML_QUANT_SIZES[Q[t]][1]
    b = g.integers(0, 256, (8, 2, size)).astype(np.uint8)
    for at in halves:
        d = (g.normal(0, 1, (8, 2)) * 10.0 ** g.uniform(-6, 0, (8, 2))).astype(np.float16)
        d[0, 0] = 0
        b[:, :, at : at + 2] = d.view(np.uint8).reshape(8, 2, 2)
    b = b.reshape(8, 2 * size)
    y = quants.dequantize(b, Q[t])
    out[f"{t}.bytes"], out[f"{t}.values"] = torch.from_numpy(b.copy()), torch.from_numpy(
        y.astype(np.float32).copy()
    )
    man[t] = dict(block=256, bytes=size, dequantise_only=True)

# f16 and bf16 conversion, with special values; NaN is left out of the half list (payloads differ between machines)
s = np.concatenate(
    [
        g.normal(0, 10.0 ** g.uniform(-9, 6, 400), 400).astype(np.float32),
        np.float32(
            [
                0,
                -0.0,
                1,
                -1,
                65504,
                65519.99,
                65520,
                -65520,
                1e38,
                3.4e38,
                5.96e-8,
                2.98e-8,
                2.99e-8,
                6.1e-5,
                6.09e-5,
                1e-45,
                1.1754944e-38,
                np.inf,
                -np.inf,
                1 + 2.0**-11,
                1 + 3 * 2.0**-11,
                1 + 2.0**-8,
                1 + 3 * 2.0**-8,
                2049,
                2051,
                0.1,
                1 / 3,
            ]
        ),
    ]
)
s = s[: len(s) // 2 * 2].reshape(1, -1)
out["half.x"] = torch.from_numpy(s.copy())
with np.errstate(over="ignore"):
    out["F16.bytes"] = torch.from_numpy(s.astype(np.float16).view(np.uint8).copy())
bf = quants.quantize(s, Q.BF16)
out["BF16.bytes"] = torch.from_numpy(bf.copy())
out["F16.values"] = torch.from_numpy(s.astype(np.float16).astype(np.float32))
out["BF16.values"] = torch.from_numpy(quants.dequantize(bf, Q.BF16).astype(np.float32).copy())
write_tensors(args.out / "quant.safetensors", out)
write_json(
    args.out / "manifest.json",
    dict(
        what="x [rows,256] f32; TYPE.bytes = exact quantised rows (u8); TYPE.values = dequantised rows (f32, exact)",
        seed=args.seed,
        gguf=versions()["gguf"],
        rows=notes,
        types=man,
        half="half.x [1,n] f32 -> F16.bytes, BF16.bytes (round to nearest even) and their values",
        left_out="blocks whose largest value is below about 4e-37: 1/d overflows in the reference and its codes are undefined",
    ),
)
print({k: tuple(v.shape) for k, v in out.items()}, (args.out / "quant.safetensors").stat().st_size)
