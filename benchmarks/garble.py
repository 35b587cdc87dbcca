"""Make broken copies of files, to see what they do: `python benchmarks/garble.py FOLDER OUTPUT [SEED]`.

Each file is cut off, overwritten at random offsets, overwritten in its header, or has something put in between.
"""

import random
import sys
from pathlib import Path


def broken(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """Break data; say how."""
    how = rng.choice(["cut", "garbled", "header", "inserted"])
    if how == "cut":
        return how, data[: rng.randrange(1, len(data))]
    if how == "inserted":
        at = rng.randrange(len(data))
        return how, data[:at] + rng.randbytes(rng.randrange(1, 50)) + data[at:]
    garbled = bytearray(data)
    for _ in range(rng.randrange(1, 20 if how == "garbled" else 6)):
        garbled[rng.randrange(len(data) if how == "garbled" else min(200, len(data)))] = rng.randrange(256)
    return how, bytes(garbled)


def main() -> None:
    """Break each file of a folder and those below."""
    source, output = Path(sys.argv[1]), Path(sys.argv[2])
    rng = random.Random(int(sys.argv[3]) if len(sys.argv) > 3 else 0)
    output.mkdir(parents=True, exist_ok=True)
    for number, path in enumerate(sorted(p for p in source.rglob("*") if p.is_file() and p.stat().st_size > 1)):
        how, data = broken(path.read_bytes(), rng)
        (output / f"{number}_{how}_{path.name}").write_bytes(data)


if __name__ == "__main__":
    main()
