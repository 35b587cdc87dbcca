"""Parts removed from XMP, as text, so that everything else in it stays as it is."""

import re

_CONTAINER = b"http://ns.google.com/photos/1.0/container/"
_NOTE = b"http://ns.adobe.com/xmp/note/"


def prefixes(xmp: bytes, namespace: bytes) -> list[bytes]:
    """List the names under which a namespace is declared."""
    return re.findall(rb"xmlns:(\w+)\s*=\s*[\"']%b[\"']" % re.escape(namespace), xmp)


def without_properties(xmp: bytes, prefix: bytes, names: bytes = rb"\w+") -> bytes:
    """Remove a namespace's properties, attributes and elements, whose names fit a pattern."""
    for pattern in (
        rb"<%b:(%b)\b[^>]*?(?:/>|>.*?</%b:\1>)" % (prefix, names, prefix),
        rb"\s+%b:(?:%b)\s*=\s*(?:\"[^\"]*\"|'[^']*')" % (prefix, names),
    ):
        xmp = re.sub(pattern, b"", xmp, flags=re.DOTALL)
    return xmp


def without_declaration(xmp: bytes, prefix: bytes) -> bytes:
    """Remove the declaration of a namespace, of which nothing is left."""
    return re.sub(rb"\s+xmlns:%b\s*=\s*(?:\"[^\"]*\"|'[^']*')" % prefix, b"", xmp)


def without_container(xmp: bytes, item: bytes) -> bytes:
    """Remove Google's list of the pictures and videos in a file if one of its items has a meaning (`Semantic`)."""
    announced = re.compile(rb"[\"'>]%b[\"'<]" % re.escape(item))
    for prefix in prefixes(xmp, _CONTAINER):
        directory = re.compile(rb"<%b:Directory\b.*?</%b:Directory>" % (prefix, prefix), re.DOTALL)
        xmp = directory.sub(lambda found: b"" if announced.search(found[0]) else found[0], xmp)
    return xmp


def without_extension(xmp: bytes) -> bytes:
    """Remove the announcement of XMP that a JPEG file has in further segments, which are not read."""
    for prefix in prefixes(xmp, _NOTE):
        xmp = without_properties(xmp, prefix, rb"HasExtendedXMP")
    return xmp
