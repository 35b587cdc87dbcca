"""What tifffile logs, libtiff prints and Pillow warns of while a TIFF file is read or written, as notes in plain words."""

import contextlib
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Iterator

_NOT_TAGS = "possibly damaged: some of its tags cannot be read and were dropped"
_NOT_PAGES = "possibly damaged: its list of pages is broken, so pages may be missing"
_NOT_PIXELS = "possibly damaged: some of its pixels may be missing or wrong"
#: What messages mean, the first pattern that fits; empty where the file is as it should be, or the tag is not needed.
_MEANINGS = (
    # Values outside tifffile's or libtiff's lists, and private tags that other programs than the picture's do not need.
    (r"is not a valid [A-Z]|GDAL_NODATA|read_uic|uic1tag|imagej_metadata|SonyRaw|estimating ByteCounts|ignoring predictor", ""),
    (r"TIFF_SETGET_UNDEFINED|[Uu]nknown field|IFD entries are not in ascending|not sorted in ascending|subfiletype", ""),
    (r"wrong data type|Nonstandard tile|Fractional|Photometric tag|bilevel|YCbCrSubsampling|coercing invalid ASCII", ""),
    (r"not writing extratag", "some of its tags cannot be written and were dropped"),
    (r"circular reference|page offset|offset to (first )?page|corrupted tag list of page|next (page|directory)", _NOT_PAGES),
    (r"TiffTag|read_(tags|utf8|json|colormap)|GeoKey|[Tt]ag data|Metadata Warning|SetField|FetchNormalTag", _NOT_TAGS),
    (r"EXIF|Truncated File Read|missing required tags", _NOT_TAGS),
    (r"ByteCounts|Offsets|data offset|segments|read_bytes|[Dd]ecod|strip|tile|line|JPEG|Read error", _NOT_PIXELS),
)
_UNKNOWN = "possibly damaged: its decoder complains about it"


class Messages(logging.Handler):
    """Turn tifffile's log, libtiff's lines and Pillow's warnings into notes, each once.

    Parameters
    ----------
    note : callable
        Called with a line.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note, self._seen = note, {""}

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record of the log."""
        self.add([record.getMessage()])

    def add(self, texts: Iterable[str]) -> None:
        """Note what texts of decoders mean, unless that has been noted."""
        for text in texts:
            meaning = next((meaning for pattern, meaning in _MEANINGS if re.search(pattern, text)), _UNKNOWN)
            if meaning not in self._seen:
                self._seen.add(meaning)
                self._note(meaning)

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Collect what is logged and warned of within a block; before and after it, other handlers get it."""
        logger = logging.getLogger("tifffile")
        before = logger.handlers, logger.propagate
        logger.handlers, logger.propagate = [self], False
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
        finally:
            logger.handlers, logger.propagate = before
            # Those of other categories are not about the file.
            self.add(str(warning.message) for warning in caught if issubclass(warning.category, UserWarning))
