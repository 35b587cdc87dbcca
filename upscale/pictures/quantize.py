"""Pictures reduced to a palette, for GIF: exactly where they have at most 256 colours."""

import numpy as np
from numpy.typing import NDArray

from upscale.pictures.mode_conversion import widened
from upscale.pictures.picture import Picture

Array = NDArray[np.uint8]


def quantised(picture: Picture, source: Picture | None = None) -> tuple[Picture, str | None]:
    """Reduce a picture to a palette: exactly where it has at most 256 colours, else to the best that Pillow finds.

    Parameters
    ----------
    picture : Picture
        Of 8 bits a sample.
    source : Picture, optional
        Whose palette is taken, in its order, where it holds every colour.

    Returns
    -------
    (Picture, str or None)
        And a line that says what was lost.
    """
    key = picture.info.get("transparency")
    if picture.mode in ("L", "P") and (key is None or (picture.mode == "P" and isinstance(key, int))):
        return picture, None
    if picture.mode == "P" and isinstance(key, bytes) and set(key) <= {0, 255} and key.count(0) <= 1:
        return picture.with_info(transparency=key.index(0) if 0 in key else None), None
    if picture.mode == "1" and key is None:
        return widened(picture, "L"), None
    colours = widened(picture, "RGBA" if picture.has_alpha else "RGB").samples
    lost, clear = None, None
    if colours.shape[2] == 4:
        alpha = colours[..., 3]
        if ((alpha > 0) & (alpha < 255)).any():
            lost = "GIF has no partial transparency: pixels less than half opaque became transparent"
        clear = alpha < 128
        # Colours that nobody sees must not take places in the palette.
        colours = colours[..., :3]
        colours = np.where(clear[..., None], colours[~clear][:1] if not clear.all() else np.uint8(0), colours)
        clear = clear if clear.any() else None
    values = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    used, indices = np.unique(values if clear is None else values[~clear], return_inverse=True)
    room = 256 if clear is None else 255
    number = None if clear is None else min(room, len(used))
    kept = None if source is None or source.palette is None else _looked_up(used, source, clear is not None)
    if kept is not None:
        assert source is not None and source.palette is not None
        made, number = source.palette, source.info.get("transparency") if clear is not None else None
        indices = kept[indices]
    elif len(used) <= room:
        made = used.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:]
    else:
        lost = "; ".join(filter(None, (f"GIF holds 256 colours: reduced to the best {room}", lost)))
        reduced, made = _reduced(colours, room)
        number = None if clear is None else len(made)
        indices = (reduced.reshape(-1) if clear is None else reduced[~clear]).astype(np.intp)
    if clear is None:
        samples = indices.astype(np.uint8).reshape(values.shape)
    else:
        samples = np.full(values.shape, number, np.uint8)
        samples[~clear] = indices.reshape(-1)
        if number == len(made):
            made = np.concatenate((made, np.zeros((1, 3), np.uint8)))
    result = picture._replace(samples=samples, mode="P", palette=made)
    return result.with_info(transparency=number, bits=None), lost


def _looked_up(values: NDArray[np.uint32], source: Picture, clear: bool) -> NDArray[np.intp] | None:
    """Find each value's index in a palette; None where one is missing, or an index for what is transparent."""
    assert source.palette is not None
    known = source.palette.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    key = source.info.get("transparency")
    if isinstance(key, int) and key < len(known):
        known[key] = -1
    elif clear:
        return None
    order = np.argsort(known, kind="stable")
    at = np.minimum(np.searchsorted(known[order], values), len(known) - 1)
    found: NDArray[np.intp] = order[at]
    return found if (known[found] == values).all() else None


def _reduced(colours: Array, room: int) -> tuple[Array, Array]:
    from PIL import Image

    # Without dithering, equal pixels stay equal: enlarged blocks stay blocks.
    image = Image.fromarray(colours).quantize(room, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.frombuffer(image.palette.tobytes(), np.uint8).reshape(-1, 3) if image.palette else np.zeros((1, 3), np.uint8)
    return np.asarray(image), palette
