"""Gain maps for HDR screens, such as Ultra HDR's: a second picture in a JPEG file, which XMP announces.

An enlarged picture has no gain map, so its XMP must not announce one. The names are those of Adobe's, Google's and Apple's
namespaces (Ultra HDR Image Format 1.0).
"""

from upscale.pictures.xmp_parts import prefixes, without_container, without_declaration, without_properties

#: Namespaces of gain maps.
GAIN_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0/")


def without_gain_map(xmp: bytes) -> bytes | None:
    """Remove from XMP what announces a gain map.

    Returns
    -------
    bytes or None
        None if it announces none.
    """
    names = [prefix for namespace in GAIN_MAPS for prefix in prefixes(xmp, namespace)]
    if not names:
        return None
    for prefix in names:
        xmp = without_declaration(without_properties(xmp, prefix), prefix)
    return without_container(xmp, b"GainMap")
