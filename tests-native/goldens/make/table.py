"""The model folders of these goldens. parts: a number = that many random text ids, "img" = one image."""

T0 = dict(
    layers=[1, 1, 1, 1, 1],
    dims=[16, 32, 32, 32, 64],
    mlp=2,
    vocab=1024,
    hidden=64,
    depth=2,
    heads=4,
    kv=2,
    ff=192,
    tied=True,
)
T2W = dict(
    layers=[1, 2, 3, 2, 1],
    dims=[16, 32, 64, 128, 256],
    mlp=3,
    vocab=4096,
    hidden=192,
    depth=6,
    heads=6,
    kv=2,
    ff=512,
    tied=False,
)
T3 = dict(
    layers=[2, 12, 24, 4, 2],
    dims=[16, 32, 64, 128, 128],
    mlp=4,
    vocab=8192,
    hidden=256,
    depth=6,
    heads=8,
    kv=2,
    ff=768,
    tied=True,
)

T0_CASES = [
    dict(name="64", hw=(64, 64), parts=[14, "img", 9], greedy=24, detail=True),
    dict(name="128", hw=(128, 128), parts=[14, "img", 9], greedy=24, detail=True),
    dict(name="192x128", hw=(192, 128), parts=["img", 12], greedy=24),
    dict(name="100x150", hw=(100, 150), parts=[3, "img", 5], greedy=24),
    dict(name="256", hw=(256, 256), parts=[14, "img", 9], greedy=24),
    dict(name="two-64", hw=(64, 64), parts=[6, "img", 7, "img", 5], greedy=24),
    dict(name="text", parts=[17], greedy=24),
]

FOLDERS = [
    dict(folder="t0-hf", form="hf", size=T0, seed=2001, cases=T0_CASES),
    dict(folder="t0-llava", form="llava", size=T0, seed=2001, shards=2, same_as="t0-hf"),
    dict(
        folder="t0-train",
        form="hf",
        size=T0,
        seed=2002,
        training=True,
        keep=["final_conv", "projector", "logits_last"],
        cases=[
            dict(name="64", hw=(64, 64), parts=[14, "img", 9], greedy=24),
            dict(name="128", hw=(128, 128), parts=[14, "img", 9], greedy=24, keep_all=True),
        ],
    ),
    dict(
        folder="t2w-bf16",
        form="hf",
        size=T2W,
        seed=2003,
        dtype="bfloat16",
        keep=["final_conv", "projector", "logits_last"],
        cases=[
            dict(name="256", hw=(256, 256), parts=[14, "img", 10], greedy=48),
            dict(
                name="two-192", hw=(192, 192), parts=[14, "img", 9, 20, 5, "img", 12, 5], greedy=48
            ),
            dict(name="text", parts=[23], greedy=48),
        ],
    ),
    dict(
        folder="t3-full-depth",
        form="hf",
        size=T3,
        seed=2004,
        dtype="bfloat16",
        weights=dict(mixer_identity=True),
        keep=["final_conv", "projector", "logits_last"],
        cases=[dict(name="256", hw=(256, 256), parts=[14, "img", 10], greedy=16)],
    ),
]
