"""Gain maps for HDR screens, such as Ultra HDR's: a second picture in a JPEG file, which XMP announces.

An enlarged picture has no gain map, so its XMP must not announce one. The names are those of Adobe's, Google's and Apple's
namespaces (Ultra HDR Image Format 1.0).
"""

import re

_MAPS = (b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.apple.com/HDRGainMap/1.0/")
_CONTAINER = b"http://ns.google.com/photos/1.0/container/"


def without_gain_map(xmp: bytes) -> bytes | None:
    """Remove from XMP what announces a gain map.

    Returns
    -------
    bytes or None
        None if it announces none.
    """
    prefixes = [prefix for namespace in _MAPS for prefix in _prefixes(xmp, namespace)]
    if not prefixes:
        return None
    for prefix in prefixes:
        for pattern in (
            rb"<%b:(\w+)\b[^>]*?(?:/>|>.*?</%b:\1>)" % (prefix, prefix),
            rb"\s+%b:\w+\s*=\s*(?:\"[^\"]*\"|'[^']*')" % prefix,
            rb"\s+xmlns:%b\s*=\s*(?:\"[^\"]*\"|'[^']*')" % prefix,
        ):
            xmp = re.sub(pattern, b"", xmp, flags=re.DOTALL)
    for prefix in _prefixes(xmp, _CONTAINER):
        directory = re.compile(rb"<%b:Directory\b.*?</%b:Directory>" % (prefix, prefix), re.DOTALL)
        xmp = directory.sub(lambda found: b"" if b"GainMap" in found[0] else found[0], xmp)
    return xmp


def _prefixes(xmp: bytes, namespace: bytes) -> list[bytes]:
    """List the names under which a namespace is declared."""
    return re.findall(rb"xmlns:(\w+)\s*=\s*[\"']%b[\"']" % re.escape(namespace), xmp)
