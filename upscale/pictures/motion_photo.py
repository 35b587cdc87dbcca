"""Motion photos: a JPEG file with a video after its picture, which XMP announces.

An enlarged picture has no video, so its XMP must not announce one. The names are those of Google's namespace for cameras
(Motion Photo 1.0, and MicroVideo before it).
"""

from upscale.pictures.xmp_parts import prefixes, without_container, without_properties

_CAMERA = b"http://ns.google.com/photos/1.0/camera/"


def without_video(xmp: bytes) -> bytes:
    """Remove from XMP what announces a video; other XMP stays as it is."""
    for prefix in prefixes(xmp, _CAMERA):
        xmp = without_properties(xmp, prefix, rb"(?:MotionPhoto|MicroVideo)\w*")
    return without_container(xmp, b"MotionPhoto")
