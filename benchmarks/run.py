"""Run every benchmark and write docs/performance.md: `python benchmarks/run.py`."""

from pathlib import Path

import engines
import png
import start
from timing import machine

TARGET = Path(__file__).parent.parent / "docs" / "performance.md"

TEXT = """# Performance

Written by `python benchmarks/run.py` on {machine}.

Whole commands, timed in turn in one run, medians: machines are shared and noisy, so read the ratios.

## Starting

`python benchmarks/start.py`. Numba is not started for a small picture, and NumPy and Pillow only when there is work.

{start}
## Packing PNG

`python benchmarks/png.py`. A band of rows is packed by run lengths (`fast`), by the better of run lengths and a search as a
piece of it shows (`balanced`), or by the smallest of three ways (`small`).

{png}
## From where on Numba pays

`python benchmarks/engines.py`. The rule that chooses an engine stands in `upscale/engines.py`: Numba, when NumPy is estimated
to take longer by more than Numba's start; and for tconv from 2 megapixels of input on, whatever the estimate.

{engines}"""

if __name__ == "__main__":
    TARGET.write_text(TEXT.format(machine=machine(), start=start.report(), png=png.report(), engines=engines.report()))
