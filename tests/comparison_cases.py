"""What the tests of `upscale-compare` share."""

from PIL import Image

from upscale.commands.compare import _kernels
from upscale.figures import comparison
from upscale.figures.comparison import Comparison, Panel


def compared(path, kernels, factor=2, **options):
    """Compare by the library, with kernels named as on the command line."""
    return comparison.compare(str(path), comparison.load_contenders(_kernels(kernels), (factor, factor)), **options)


def made(names, size=(20, 20), source="in.png", numbers=(30.0, 0.9, 0.01), zoom=1):
    """Make a comparison of pictures that differ from each other and from all that is drawn around them."""
    panels = [Panel("input", Image.new("RGB", (10, 10), (250, 0, 9)))]
    panels += [Panel(n, Image.new("RGB", size, (9, 200 - i, 250)), *numbers, enlarged=True) for i, n in enumerate(names)]
    return Comparison(source, (10, 10), (0, 0, 10, 10), (2, 2), zoom, panels, [])
