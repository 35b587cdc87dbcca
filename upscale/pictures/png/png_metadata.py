"""Metadata as PNG chunks: read into `Picture.info`, and made from it."""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from upscale.errors import ArgumentError
from upscale.pictures.png.png_format import COLOUR_CHUNKS, MODEL_CHUNKS, TEXT_CHUNKS, VALUE_CHUNKS, XMP_KEY
from upscale.pictures.png.png_texts import inflate, read_text, readable_elsewhere

Info = Mapping[str, Any]
Chunk = tuple[bytes, bytes]

#: Lengths in bytes that chunks must have; by colour type where it matters.
_LENGTHS: dict[bytes, int | dict[int, int]] = {
    b"gAMA": 4,
    b"cHRM": 32,
    b"sRGB": 1,
    b"pHYs": 9,
    b"tIME": 7,
    b"cICP": 4,
    b"sBIT": {0: 1, 2: 3, 3: 3, 4: 2, 6: 4},
    b"bKGD": {0: 2, 2: 6, 3: 1, 4: 2, 6: 6},
}
_EXIF_HEAD = b"Exif\0\0"
_METRES_PER_INCH = 0.0254


def has_valid_length(kind: bytes, data: bytes, colour: int) -> bool:
    """Return whether a chunk's data are as long as its type and the picture's colour type prescribe."""
    length = _LENGTHS.get(kind)
    if isinstance(length, dict):
        length = length[colour]
    return length is None or length == len(data)


def read_chunk(kind: bytes, data: bytes, info: dict[str, Any]) -> None:
    """Add what a chunk says, in the terms that other formats share, to a picture's metadata.

    Parameters
    ----------
    kind : bytes
        Chunks of other types than the known ones are ignored.
    data : bytes
        Of a valid length.
    info : dict
        By the keys of `formats.METADATA`; changed in place.

    Raises
    ------
    ArgumentError
        Where the chunk is damaged.
    """
    if kind == b"gAMA":
        info["gamma"] = int.from_bytes(data, "big") / 100000
    elif kind == b"cHRM":
        info["chromaticity"] = tuple(v / 100000 for v in struct.unpack(">8I", data))
    elif kind == b"sRGB":
        info["srgb"] = data[0]
    elif kind == b"pHYs" and data[8] == 1:
        info["dpi"] = tuple(v * _METRES_PER_INCH for v in struct.unpack(">II", data[:8]))
    elif kind == b"iCCP":
        name, _, packed = data.partition(b"\0")
        if not name or packed[:1] != b"\0":
            raise ArgumentError("its compression method is unknown" if name else "it has no name")
        info["icc_profile"] = inflate(packed[1:])
    elif kind == b"eXIf":
        info["exif"] = _EXIF_HEAD + data.removeprefix(_EXIF_HEAD)
    elif kind in TEXT_CHUNKS:
        key, text = read_text(kind, data)
        if key == XMP_KEY:
            info.setdefault("xmp", text.encode())
        else:
            info.setdefault("text", {})[key] = text


def png_chunks(
    info: Info, model: tuple[str, int], smooth: bool, note: Callable[[str], None]
) -> tuple[list[Chunk], list[Chunk]]:
    """Make PNG's chunks of metadata.

    Parameters
    ----------
    info : mapping
        As in `Picture.info`. A PNG file's own chunks, its entry `chunks`, are copied as they are.
    model : (str, int)
        Colour model and depth of the output.
    smooth : bool
        Whether the operator mixed samples, so that statements about their exact values are no longer true.
    note : callable
        Called with a line for what is dropped.

    Returns
    -------
    (list, list)
        The chunks before the palette and those after it, each as type and data.
    """
    if "chunks" in info:
        untrue = {*(VALUE_CHUNKS if smooth else ()), *(() if info.get("model") == model else MODEL_CHUNKS)}
        chunks = [c for c in info["chunks"] if c[0] not in untrue]
        if info.get("turned"):
            chunks = [c for c in chunks if c[0] != b"pHYs" and not _may_state_orientation(c)]
            chunks += _chunks_of({k: info[k] for k in ("dpi", "xmp") if k in info})
        elif "exif" in info and any(c[0] in (b"tEXt", b"zTXt") and c[1].startswith(b"Raw profile type exif") for c in chunks):
            return _before_and_after_palette(chunks, note)  # that text is the EXIF
    else:
        chunks = _chunks_of(info)
    if "exif" in info:
        chunks.append((b"eXIf", info["exif"].removeprefix(_EXIF_HEAD)))
    return _before_and_after_palette(chunks, note)


def _before_and_after_palette(chunks: list[Chunk], note: Callable[[str], None]) -> tuple[list[Chunk], list[Chunk]]:
    chunks = list(readable_elsewhere(chunks, note))
    return [c for c in chunks if c[0] in COLOUR_CHUNKS], [c for c in chunks if c[0] not in COLOUR_CHUNKS]


def _may_state_orientation(chunk: Chunk) -> bool:
    """Return whether a chunk is a text that may state the orientation: XMP, or EXIF as ImageMagick writes it."""
    return chunk[0] in TEXT_CHUNKS and chunk[1].startswith((XMP_KEY.encode(), b"Raw profile type "))


def _chunks_of(info: Info) -> list[Chunk]:
    """Make chunks of another format's metadata."""
    chunks = []
    if "gamma" in info:
        chunks.append((b"gAMA", round(info["gamma"] * 100000).to_bytes(4, "big")))
    if "chromaticity" in info:
        chunks.append((b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in info["chromaticity"]))))
    if "icc_profile" in info:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(info["icc_profile"])))
    elif "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"]])))
    if "dpi" in info:
        per_metre = (min(round(float(v) / _METRES_PER_INCH), (1 << 31) - 1) for v in info["dpi"])
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    texts = dict(info.get("text", {}))
    if "comment" in info:
        texts["Comment"] = info["comment"].decode("utf-8", "replace")
    for key, text in texts.items():
        try:
            chunks.append((b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:
            chunks.append((b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode()))
    if "xmp" in info:
        chunks.append((b"iTXt", XMP_KEY.encode() + b"\0\0\0\0\0" + info["xmp"]))
    return chunks
