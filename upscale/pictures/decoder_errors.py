"""What decoders raise, warn of and print, turned into one plain error or into notes."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator

from upscale.errors import ArgumentError, FileError, library_errors
from upscale.output_files import os_error_text

Note = Callable[[str], None]

TOO_MANY_PIXELS = "has too many pixels: possible decompression bomb; if you trust it, raise --max-pixels"

#: What Pillow says of files that end too early, of kinds that it does not decode, and of all others, in its own words.
_TOO_SHORT = re.compile(r"truncated|not enough|only got|\bEOF\b|end of (?:file|data)|reached end", re.IGNORECASE)
_NOT_SUPPORTED = re.compile(
    r"un(?:supported|implemented|known) (?!colou?r)|cannot (?:handle|decode)|unable to determine|no 32bit", re.IGNORECASE
)
_ITS_OWN_WORDS = re.compile(
    r"index out of range|requires a buffer|^not (?:an? |identified)|when reading image file|broken|decod(?:er|ing) error"
)


@contextlib.contextmanager
def file_errors(name: str) -> Iterator[None]:
    """Turn an `ArgumentError`, an error of the system or a lack of memory into a `FileError` that names the file.

    Everything else is a fault of this package and passes.
    """
    try:
        yield
    except FileNotFoundError:
        raise FileError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise FileError(f"{name}: is a folder, not a picture") from None
    except (FileError, ArgumentError) as error:
        raise FileError(f"{name}: {error}") from error
    except OSError as error:
        raise FileError(f"{name}: cannot be read: {os_error_text(error)}") from error
    except MemoryError:
        raise FileError(f"{name}: not enough memory to decode it") from None


@contextlib.contextmanager
def pillow_errors() -> Iterator[None]:
    """Do as `library_errors` around a call of Pillow, which has two exceptions of its own.

    Raises
    ------
    ArgumentError
        Where Pillow raises anything.
    """
    from PIL import Image, UnidentifiedImageError

    with library_errors():
        try:
            yield
        except UnidentifiedImageError as error:
            raise ArgumentError("not a picture that can be read, or its beginning is damaged") from error
        except Image.DecompressionBombError as error:
            raise ArgumentError(TOO_MANY_PIXELS) from error
        except (OSError, ValueError, SyntaxError, NotImplementedError) as error:
            text = None if isinstance(error, ArgumentError) or getattr(error, "errno", None) else verdict_of(str(error))
            if text is None:
                raise
            raise ArgumentError(text) from error


def verdict_of(text: str) -> str | None:
    """Return in plain words what an error of Pillow means; None for a text that may stay as it is, behind "damaged"."""
    if _TOO_SHORT.search(text):
        return "damaged: the file ends too early"
    if _NOT_SUPPORTED.search(text):
        return f"is of a kind that is not supported ({' '.join(text.split())}); convert it to PNG or TIFF first"
    return "damaged: its data cannot be decoded" if _ITS_OWN_WORDS.search(text) else None


@contextlib.contextmanager
def warnings_as_notes(note: Note) -> Iterator[None]:
    """Turn Pillow's warnings into notes; its guard against huge pictures only warns at half of what it refuses."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if not issubclass(warning.category, DeprecationWarning) and warning.category.__name__ != "DecompressionBombWarning":
            note(" ".join(str(warning.message).split()))
