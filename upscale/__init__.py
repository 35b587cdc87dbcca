"""Make pictures larger by whole factors: nearest-neighbour unpooling and transposed convolution.

The names below are imported when they are first used, so that `import upscale` costs nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from upscale.batch.enlarge_file import enlarge_file as enlarge_file
    from upscale.batch.enlarge_files import enlarge_files as enlarge_files
    from upscale.batch.task import FileResult as FileResult
    from upscale.errors import ArgumentError as ArgumentError
    from upscale.errors import FileError as FileError
    from upscale.errors import UpscaleError as UpscaleError
    from upscale.kernels.kernel import Kernel as Kernel
    from upscale.learning.learn_kernel import learn_kernel as learn_kernel
    from upscale.operators.conv import conv1d as conv1d
    from upscale.operators.conv import conv2d as conv2d
    from upscale.operators.conv import conv3d as conv3d
    from upscale.operators.conv_transpose import conv_transpose1d as conv_transpose1d
    from upscale.operators.conv_transpose import conv_transpose2d as conv_transpose2d
    from upscale.operators.conv_transpose import conv_transpose3d as conv_transpose3d
    from upscale.operators.enlarge import enlarge as enlarge
    from upscale.operators.nearest_plan import unpool_nearest as unpool_nearest
    from upscale.operators.pixel_shuffle import pixel_shuffle as pixel_shuffle
    from upscale.operators.pixel_shuffle import pixel_unshuffle as pixel_unshuffle
    from upscale.operators.pooling import avg_pool2d as avg_pool2d
    from upscale.operators.pooling import max_pool2d as max_pool2d
    from upscale.operators.unpooling import max_unpool2d as max_unpool2d
    from upscale.operators.unpooling import unpool_bed_of_nails as unpool_bed_of_nails

__version__ = "0.1.0"

#: The public names, and where each is at home. Type checkers read the imports above, which a test holds equal.
_HOMES = {
    "enlarge": "upscale.operators.enlarge",
    "enlarge_file": "upscale.batch.enlarge_file",
    "enlarge_files": "upscale.batch.enlarge_files",
    "FileResult": "upscale.batch.task",
    "unpool_nearest": "upscale.operators.nearest_plan",
    "unpool_bed_of_nails": "upscale.operators.unpooling",
    "max_pool2d": "upscale.operators.pooling",
    "avg_pool2d": "upscale.operators.pooling",
    "max_unpool2d": "upscale.operators.unpooling",
    "pixel_shuffle": "upscale.operators.pixel_shuffle",
    "pixel_unshuffle": "upscale.operators.pixel_shuffle",
    "conv1d": "upscale.operators.conv",
    "conv2d": "upscale.operators.conv",
    "conv3d": "upscale.operators.conv",
    "conv_transpose1d": "upscale.operators.conv_transpose",
    "conv_transpose2d": "upscale.operators.conv_transpose",
    "conv_transpose3d": "upscale.operators.conv_transpose",
    "Kernel": "upscale.kernels.kernel",
    "learn_kernel": "upscale.learning.learn_kernel",
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
