"""Pictures reduced to a palette, for GIF: exactly where they have at most 256 colours."""

import numpy as np
from numpy.typing import NDArray

from upscale.pictures.mode_conversion import widened
from upscale.pictures.picture import Picture

Array = NDArray[np.uint8]


def quantize(picture: Picture, source: Picture | None = None) -> tuple[Picture, str | None]:
    """Reduce a picture to a palette: exactly if it has at most 256 colours, else to the best that Pillow finds.

    Parameters
    ----------
    picture : Picture
        Of 8 bits a sample. Pixels less than half opaque become transparent.
    source : Picture, optional
        Its palette is taken, in its order, if it has every colour.

    Returns
    -------
    (Picture, str or None)
        The picture, of mode P or L, and a line that says what was lost.
    """
    if (stored := _as_it_is(picture)) is not None:
        return stored, None
    colours = widened(picture, "RGBA" if picture.has_alpha else "RGB").samples
    colours, clear, partial = _without_alpha(colours)
    lost = "GIF has no partial transparency: pixels below 50 % alpha became transparent" if partial else None
    values = colours.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    used, indices = np.unique(values if clear is None else values[~clear], return_inverse=True)
    most = 256 if clear is None else 255
    known = None if source is None or source.palette is None else _indices_in(used, source, clear is not None)
    transparency: int | None = None
    if known is not None:
        assert source is not None and source.palette is not None
        palette, indices = source.palette, known[indices]
        transparency = source.info.get("transparency") if clear is not None else None
    elif len(used) <= most:
        palette = used.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:]
    else:
        lost = "; ".join(filter(None, (f"GIF is limited to 256 colours: reduced to the best {most}", lost)))
        reduced, palette = _reduced(colours, most)
        indices = (reduced.reshape(-1) if clear is None else reduced[~clear]).astype(np.intp)
    if clear is None:
        samples = indices.astype(np.uint8).reshape(values.shape)
    else:
        if known is None:  # the transparent index follows the colours
            transparency = len(palette)
            palette = np.concatenate((palette, np.zeros((1, 3), np.uint8)))
        samples = np.full(values.shape, transparency, np.uint8)
        samples[~clear] = indices.reshape(-1)
    result = picture._replace(samples=samples, mode="P", palette=palette)
    return result.with_info(transparency=transparency, bits=None), lost


def _as_it_is(picture: Picture) -> Picture | None:
    """Return a picture whose mode and transparency need no conversion but of their form; None where they do."""
    key = picture.info.get("transparency")
    if picture.mode in ("L", "P") and (key is None or (picture.mode == "P" and isinstance(key, int))):
        return picture
    if picture.mode == "P" and isinstance(key, bytes) and set(key) <= {0, 255} and key.count(0) <= 1:
        return picture.with_info(transparency=key.index(0) if 0 in key else None)
    if picture.mode == "1" and key is None:
        return widened(picture, "L")
    return None


def _without_alpha(colours: Array) -> tuple[Array, NDArray[np.bool_] | None, bool]:
    """Separate RGB or RGBA into RGB, the mask of transparent pixels (None for none), and whether any were half transparent."""
    if colours.shape[2] < 4:
        return colours, None, False
    alpha = colours[..., 3]
    partial = bool(((alpha > 0) & (alpha < 255)).any())
    clear, colours = alpha < 128, colours[..., :3]
    # Colours of transparent pixels are not visible, and must not take entries of the palette.
    colours = np.where(clear[..., None], colours[~clear][:1] if not clear.all() else np.uint8(0), colours)
    return colours, clear if clear.any() else None, partial


def _indices_in(values: NDArray[np.uint32], source: Picture, clear: bool) -> NDArray[np.intp] | None:
    """Find each colour's index in a palette; None where a colour is missing, or the transparent index if it is needed."""
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


def _reduced(colours: Array, most: int) -> tuple[Array, Array]:
    from PIL import Image

    # Without dithering, equal pixels stay equal: enlarged blocks stay blocks.
    image = Image.fromarray(colours).quantize(most, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette = np.frombuffer(image.palette.tobytes(), np.uint8).reshape(-1, 3) if image.palette else np.zeros((1, 3), np.uint8)
    return np.asarray(image), palette
