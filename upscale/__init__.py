"""Make pictures larger by whole factors: nearest-neighbour unpooling and transposed convolution.

The names below are imported when they are first used, so that `import upscale` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upscale.conv_transpose import conv_transpose2d as conv_transpose2d
    from upscale.errors import ArgumentError as ArgumentError
    from upscale.errors import FileError as FileError
    from upscale.errors import UpscaleError as UpscaleError
    from upscale.kernel import Kernel as Kernel
    from upscale.learn import learn_kernel as learn_kernel
    from upscale.methods import enlarge as enlarge
    from upscale.nearest import unpool_nearest as unpool_nearest

__version__ = "0.1.0"

#: The public names, and where each is at home. Type checkers read the imports above, which a test holds equal.
_HOMES = {
    "enlarge": "upscale.methods",
    "unpool_nearest": "upscale.nearest",
    "conv_transpose2d": "upscale.conv_transpose",
    "Kernel": "upscale.kernel",
    "learn_kernel": "upscale.learn",
    "UpscaleError": "upscale.errors",
    "ArgumentError": "upscale.errors",
    "FileError": "upscale.errors",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'upscale' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
