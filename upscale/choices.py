"""Names that the command's options and the library's arguments share; nothing here needs NumPy."""

METHODS = ("nn", "tconv")
ENGINES = ("auto", "numba", "numpy")
#: What lies beyond a picture's border: the operator's own zeros, the outermost values, the picture mirrored or repeated.
EDGES = ("zero", "replicate", "reflect", "wrap")
#: How an array's axes are laid out: (H, W) or (H, W, C), or (C, H, W) or (N, C, H, W).
LAYOUTS = ("hwc", "chw")
#: How PNG is packed: soonest, near the smallest at nearly that speed, or smallest.
COMPRESSIONS = ("fast", "balanced", "small")
#: Bits a sample.
DEPTHS = ("8", "16")
