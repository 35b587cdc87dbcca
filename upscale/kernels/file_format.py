"""What `read_files` and `write_files` share: the project's own form, names of tensors, optional libraries.

The project's own form is an .npz file without pickled objects, so that any NumPy reads it. Weights may be of any real type;
those that floats of 16 or 32 bits store exactly are written so. Its arrays:

===================  =============================================================================
``format``           the text "upscale kernel"
``version``          the number 1, 2 with corrections, 3 with layers or a chain, or 4 with layers that have biases;
                     a reader refuses greater ones
``weights``          (kH, kW), or (C, M / groups, kH, kW)
``factor``           (vertical, horizontal); may be missing, as all below
``padding``          (top, bottom, left, right); missing means `same`
``bias``             (M,), or (1,) for weights of 2 dimensions; 1 is full scale
``groups``           a number
``normalized``       0 or 1
``title``            a text
``training``         what it was learned from: a text, as JSON
``compared``         (nodes, 2), and the four that follow: an adaptive kernel's `corrections.Corrections`
``thresholds``       (nodes,)
``leaves``           (nodes + 1,)
``corrections``      (classes, 25, 9 * factor ** 2), 16-bit integers
``unit``             what these are multiples of
``convolution_0``    (M, C, k, k), and so on for each convolution of a deep kernel's `layers.Layers`
``slopes_0``         (M,), likewise
``biases_0``         (M,), likewise; may be missing, which means zeros
``transposed``       (C, 1, n * factor, n * factor), the weights of the layers' transposed convolution
``chain_weights_0``  (M, C, k, k), and so on for each convolution of a network's `chain.Chain`
``chain_biases_0``   (M,), likewise
``chain_slopes_0``   (M,), likewise
``adds_input``       0 or 1: whether a network adds its input
===================  =============================================================================
"""

from importlib import import_module
from typing import Any

from upscale.errors import ArgumentError

FORMAT = "upscale kernel"
#: The greatest version that this release reads.
VERSION = 4
CORRECTION_NAMES = ("compared", "thresholds", "leaves", "corrections", "unit")
NAMES = (
    "format",
    "version",
    "weights",
    "factor",
    "padding",
    "bias",
    "groups",
    "normalized",
    "title",
    "training",
    *CORRECTION_NAMES,
    "transposed",
    "adds_input",
)
#: Names of the arrays of convolutions begin so, and end with their number.
CONVOLUTION, SLOPES, BIASES = "convolution_", "slopes_", "biases_"
#: The same for those of a network's chain: weights, biases, slopes.
CHAIN = ("chain_weights_", "chain_biases_", "chain_slopes_")
#: Suffixes of the files that store tensors by name.
TENSOR_SUFFIXES = (".safetensors", ".pt", ".pth")


class MissingLibraryError(ArgumentError):
    """A library is not installed."""


def import_optional(module: str, package: str) -> Any:
    """Import a library that not every installation has.

    Raises
    ------
    MissingLibraryError
        If it is not installed; the text says how to install it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise MissingLibraryError(f"needs the library {package}: pip install {package}") from None


def bias_name(weight_name: str) -> str:
    """Return the name of the bias that belongs to a tensor of weights.

    Examples
    --------
    >>> bias_name("up.weight"), bias_name("weight")
    ('up.bias', 'bias')
    """
    return weight_name[: weight_name.rfind(".") + 1] + "bias"
