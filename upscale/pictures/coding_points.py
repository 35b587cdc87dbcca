"""Colour spaces that a file names by numbers (ITU-T H.273), as ICC profiles, which most formats store.

A profile is made of a matrix and one curve (ICC.1:2022, 8.3): what it says of colours is what the numbers say.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

#: Red, green, blue and white as x and y, by the number of the primaries.
_D65 = (0.3127, 0.329)
PRIMARIES: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06), _D65),
    5: ((0.64, 0.33), (0.29, 0.6), (0.15, 0.06), _D65),
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), _D65),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), _D65),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.314, 0.351)),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), _D65),
}
_BT709 = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
#: Curves by the number of the transfer function: y = (a x + b)^g from d on, else c x; the numbers are g, a, b, c, d.
CURVES: dict[int, tuple[float, ...]] = {
    1: _BT709,
    4: (2.2,),
    5: (2.8,),
    6: _BT709,
    8: (1.0,),
    13: (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    14: _BT709,
    15: _BT709,
    17: (2.6,),
}
#: Transfer functions without a profile, for screens of high dynamic range.
HDR_CURVES = {16: "PQ", 18: "HLG"}
UNSPECIFIED = 2
_SRGB = (1, 13)
_D50 = np.array([0.9642, 1.0, 0.8249])
#: Cone responses of Bradford (ICC.1:2022, annex E).
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def profile_of(primaries: int, transfer: int) -> bytes | None:
    """Make the profile of a colour space that two numbers of H.273 name.

    Returns
    -------
    bytes or None
        Empty for sRGB, which needs none, and for unspecified colours; None where a profile cannot say it.
    """
    primaries, transfer = (d if n == UNSPECIFIED else n for n, d in zip((primaries, transfer), _SRGB, strict=True))
    if (primaries, transfer) == _SRGB:
        return b""
    if primaries not in PRIMARIES or transfer not in CURVES:
        return None
    return make_profile(PRIMARIES[primaries], CURVES[transfer])


def info_of(primaries: int, transfer: int, note: Callable[[str], None]) -> dict[str, Any]:
    """Return the colour space that two numbers of H.273 name as metadata; what no profile says is noted.

    Parameters
    ----------
    primaries, transfer : int
    note : callable
        Called with a line.
    """
    profile = profile_of(primaries, transfer)
    if profile is None:
        curve = f"{HDR_CURVES[transfer]} curve for HDR screens" if transfer in HDR_CURVES else "colour space"
        note(f"its {curve} was dropped: the output's colours are declared as sRGB (H.273: {primaries}, {transfer})")
    return {"icc_profile": profile} if profile else {}


def make_profile(primaries: Sequence[tuple[float, float]], curve: Sequence[float], *, grey: bool = False) -> bytes:
    """Make a profile of RGB or grey.

    Parameters
    ----------
    primaries : sequence of (float, float)
        x and y of red, green, blue and white; of grey, only white counts.
    curve : sequence of float
        The numbers of a parametric curve: g; or g, a, b, c and d.
    grey : bool
    """
    x, y = primaries[3]
    white = np.array([x / y, 1, (1 - x - y) / y])
    adapted = np.linalg.inv(_BRADFORD) @ np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white)) @ _BRADFORD
    kind = 0 if len(curve) == 1 else 3
    tone = b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(map(_fixed, curve))
    tags = {b"desc": _text("RGB of the file"), b"cprt": _text("none"), b"wtpt": _xyz(_D50)}
    tags[b"chad"] = b"sf32" + bytes(4) + b"".join(map(_fixed, adapted.ravel()))
    if grey:
        tags[b"kTRC"] = tone
    else:
        columns = np.array([(a / b, 1, (1 - a - b) / b) for a, b in primaries[:3]]).T
        matrix = adapted @ (columns * np.linalg.solve(columns, white))
        for name, column in zip(b"rgb", matrix.T, strict=True):
            tags[bytes([name]) + b"XYZ"] = _xyz(column)
            tags[bytes([name]) + b"TRC"] = tone
    return _assembled(tags, b"GRAY" if grey else b"RGB ")


def _assembled(tags: dict[bytes, bytes], space: bytes) -> bytes:
    at, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for name, contents in tags.items():
        table += struct.pack(">4sII", name, at + len(data), len(contents))
        data += contents + bytes(-len(contents) % 4)
    size = at + len(data)
    header = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + b"".join(map(_fixed, _D50))
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(float(value) * 65536))


def _xyz(values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]") -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _text(text: str) -> bytes:
    coded = text.encode("utf-16-be")
    return b"mluc" + bytes(4) + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(coded), 28) + coded
