"""Coverage-guided fuzzing of the readers: `python benchmarks/fuzz.py READER SECONDS [FOLDER]`, with `pip install atheris`.

READER is png, gif, tiff, psd, jpeg or kernel. Whatever the bytes are, they are read, or refused by this package's own error:
one line without the name of a Python exception. FOLDER keeps the inputs that reached new code. A failure is written to a file
in the folder in which this runs.
"""

import contextlib
import io
import logging
import re
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path

import atheris
import numpy as np

with atheris.instrument_imports(include=["upscale", "PIL.PsdImagePlugin", "PIL.TiffImagePlugin", "tifffile"]):
    import tifffile
    from PIL import Image

    from upscale.errors import FileError
    from upscale.kernels.kernel import Kernel
    from upscale.kernels.read_files import read_kernel
    from upscale.kernels.write_files import write_kernel

    # Imported here to be instrumented: `Source` would import them later.
    from upscale.pictures import pillow_formats  # noqa: F401
    from upscale.pictures.gif import gif_reader  # noqa: F401
    from upscale.pictures.jpeg import truncated_jpeg  # noqa: F401
    from upscale.pictures.photoshop import psd_reader  # noqa: F401
    from upscale.pictures.png import png_reader  # noqa: F401
    from upscale.pictures.reading import Source
    from upscale.pictures.tiff import tiff_reader  # noqa: F401

#: A message must not have these: they are Python's, and mean nothing to a user.
EXCEPTIONS = re.compile(r"\b[A-Z][a-z]\w*(Error|Exception|Warning)\b|struct\.error")
MOST_PIXELS = 100_000
MOST_FRAMES = 20
RNG = np.random.default_rng(0)


def encoded(form: str, image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def photo(mode: str = "RGB") -> Image.Image:
    return Image.fromarray(RNG.integers(0, 256, (7, 9, 3), np.uint8)).convert(mode)


def tiffs() -> list[bytes]:
    result = [encoded("TIFF", photo(m)) for m in ("1", "L", "P", "RGB", "RGBA", "CMYK", "LAB")]
    result.append(encoded("TIFF", photo(), compression="tiff_lzw"))
    for dtype, options in (
        ("u2", {"bigtiff": True, "byteorder": ">"}),
        ("u2", {"compression": "zlib", "predictor": True}),
        ("f4", {"tile": (16, 16)}),
        ("u1", {"planarconfig": "separate", "photometric": "rgb"}),
    ):
        file = io.BytesIO()
        shape = (3, 7, 9) if "planarconfig" in options else (7, 9, 3)
        tifffile.imwrite(file, RNG.integers(0, 255, shape).astype(dtype), **options)
        result.append(file.getvalue())
    return result


def psds() -> list[bytes]:
    result = []
    for channels, mode, depth, packed in (
        (3, 3, 8, 0),
        (4, 3, 8, 1),
        (1, 1, 8, 0),
        (4, 4, 8, 1),
        (1, 0, 1, 0),
        (3, 3, 16, 0),
        (3, 9, 8, 0),
    ):
        header = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, 2, 3, depth, mode) + bytes(12)
        row = bytes(range(1, 1 + -(-3 * depth // 8)))
        rows = [bytes([len(row) - 1]) + row if packed else row] * (2 * channels)
        lengths = b"".join(struct.pack(">H", len(r)) for r in rows) if packed else b""
        result.append(header + struct.pack(">H", packed) + lengths + b"".join(rows))
    return result


def kernels() -> list[bytes]:
    result = [b"1 2 1\n2 4 2\n", b"[[1, 2], [3, 4.5]]", b"1,2\n3,4\n"]
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".npz", ".npy", ".txt", ".json", ".safetensors"):
            path = f"{folder}/k{suffix}"
            write_kernel(path, Kernel(np.arange(16.0).reshape(4, 4)))
            result.append(Path(path).read_bytes())
    return result


def read_picture(data: bytes) -> None:
    notes: list[str] = []
    try:
        source = Source(io.BytesIO(data), "in", layout="hwc", allow_8_bit=False, max_pixels=MOST_PIXELS, note=notes.append)
        if source.contents.size[0] * source.contents.size[1] > MOST_PIXELS:
            return
        for frames in (source.contents.frames, source.contents.parts):
            for number, _ in enumerate(source.frames(frames) if frames else ()):
                if number == MOST_FRAMES:
                    break
    except FileError as error:
        notes.append(str(error))
    check(notes)


def read_png(data: bytes) -> None:
    """Read a PNG file, of even lengths with right checksums, which no mutation would hit."""
    if len(data) % 2 == 0:
        at, fixed = 8, [data[:8]]
        while at + 12 <= len(data):
            end = at + 8 + min(int.from_bytes(data[at : at + 4], "big"), len(data) - at - 12)
            fixed += [data[at:end], struct.pack(">I", zlib.crc32(data[at + 4 : end]))]
            at = end + 4
        data = b"".join(fixed)
    read_picture(data)


def read_kernel_file(folder: str) -> Callable[[bytes], None]:
    suffixes = (".npz", ".npy", ".txt", ".csv", ".json", ".safetensors")

    def read(data: bytes) -> None:
        notes: list[str] = []
        path = f"{folder}/k{suffixes[data[0] % len(suffixes)]}" if data else f"{folder}/k.txt"
        Path(path).write_bytes(data[1:])
        try:
            read_kernel(path)
        except FileError as error:
            notes.append(str(error))
        check(notes)

    return read


def check(notes: list[str]) -> None:
    for note in notes:
        if "\n" in note or EXCEPTIONS.search(note):
            raise AssertionError(f"a message that no user should see: {note!r}")


def main() -> None:
    """Fuzz one reader."""
    reader, seconds = sys.argv[1], sys.argv[2]
    logging.disable()
    animation = {"save_all": True, "append_images": [photo("P"), photo("P")], "duration": 70}
    seeds = {
        "png": lambda: (
            [encoded("PNG", photo(m)) for m in ("1", "L", "P", "RGB", "RGBA", "I;16")]
            + [encoded("PNG", photo("P"), **animation)]
        ),
        "gif": lambda: [
            encoded("GIF", photo("P")),
            encoded("GIF", photo("P"), **animation),
            encoded("GIF", photo("P"), comment=b"hello"),
        ],
        "jpeg": lambda: [encoded("JPEG", photo(m), progressive=p)[:-2] for m in ("L", "RGB", "CMYK") for p in (False, True)],
        "tiff": tiffs,
        "psd": psds,
        "kernel": lambda: [bytes([i]) + data for i in range(6) for data in kernels()],
    }[reader]()
    with contextlib.ExitStack() as stack:
        folder = sys.argv[3] if len(sys.argv) > 3 else stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder).mkdir(exist_ok=True)
        for number, data in enumerate(seeds):
            (Path(folder) / f"seed{number}").write_bytes(data)
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        run = {"kernel": read_kernel_file(scratch), "png": read_png}.get(reader, read_picture)
        arguments = [sys.argv[0], folder, f"-max_total_time={seconds}", "-max_len=20000", "-timeout=20", "-rss_limit_mb=4096"]
        atheris.Setup(arguments, run)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
