"""Sources of goldens/preprocess: src/... are made by preprocess.py, the others are public test images."""

SEED = 2010
SIZES = [64, 256, 384]
SYNTH = {
    "portrait-37x61.png": ("RGB", 37, 61),
    "tall-1x40.png": ("RGB", 1, 40),
    "wide-50x3.png": ("RGB", 50, 3),
    "rgba-45x30.png": ("RGBA", 45, 30),
    "square-256.png": ("L", 256, 256),
}
JPEG = "JPEG source: other decoders may differ by a level or two before resizing"
SOURCES = [
    ("images/scikit-image/coffee.png", "landscape"),
    (
        "images/exif-orientation/Portrait_6.jpg",
        "EXIF orientation 6, stored as landscape; not applied on these paths. " + JPEG,
    ),
    ("images/scikit-image/coins.png", "grayscale"),
    ("images/scikit-image/horse.png", "RGBA"),
    ("images/jpeg-decoder/reftest/images/ycck.jpg", "CMYK. " + JPEG),
    ("images/pngsuite/png/basn6a08.png", "RGBA gradient: alpha dropped, not composited"),
    ("images/pngsuite/png/basn4a16.png", "16-bit gray + alpha: PIL reads 8 high bits"),
    ("images/pngsuite/png/basn2c16.png", "16-bit RGB: PIL reads 8 high bits"),
    (
        "images/pngsuite/png/basn0g16.png",
        "16-bit gray: PIL's I;16 -> RGB clips at 255 instead of scaling",
    ),
    ("images/pngsuite/png/basn0g01.png", "1 bit"),
    ("images/pngsuite/png/basn3p08.png", "palette"),
    ("images/pngsuite/png/tbbn3p08.png", "palette with transparency: palette colour kept"),
    ("images/pngsuite/png/s01n3p01.png", "1x1 palette"),
    ("src/portrait-37x61.png", "odd padding: extra column goes right"),
    ("src/tall-1x40.png", None),
    ("src/wide-50x3.png", None),
    ("src/rgba-45x30.png", "random alpha, dropped"),
    ("src/square-256.png", "already 256x256: unchanged at 256"),
]
HASH_ONLY = {
    (n, 384)
    for n in (
        "coffee",
        "Portrait_6",
        "coins",
        "horse",
        "ycck",
        "portrait-37x61",
        "rgba-45x30",
        "basn6a08",
        "tbbn3p08",
        "basn3p08",
        "square-256",
        "basn2c16",
        "wide-50x3",
    )
} | {
    ("ycck", "crop", 256),
    ("Portrait_6", "crop", 256),
    ("square-256", "crop", 256),
    ("square-256", "pad", 256),
}
