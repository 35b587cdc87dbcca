"""What decoders raise, warn of and print, turned into one plain error or into notes."""

import contextlib
import re
import warnings
from collections.abc import Callable, Iterator

from upscale.errors import ArgumentError, FileError, library_errors
from upscale.output_files import os_error_text

Note = Callable[[str], None]

TOO_MANY_PIXELS = "has too many pixels: possible decompression bomb; if you trust it, raise --max-pixels"

#: What Pillow says of kinds of files that it does not decode.
_NOT_SUPPORTED = r"(?i)un(?:supported|implemented|known) (?!colou?r)|cannot (?:handle|decode)|unable to determine|no 32bit"
#: What Pillow warns of, in plain words; empty where it does not concern the user.
_WARNINGS = (
    (r"(?i)EXIF|Truncated File Read|Tag data|Metadata Warning|\btag\b", "some of its EXIF is damaged"),
    (r"malformed MPO", "the additional pictures that it lists cannot be found"),
    (r"not the expected size", "the size of an icon differs from the one in the directory"),
    (r"Transparency expressed in bytes|allocate palette entry", ""),
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
            text = None if isinstance(error, ArgumentError) or getattr(error, "errno", None) else not_supported(str(error))
            if text is None:
                raise
            raise ArgumentError(text) from error


def not_supported(text: str) -> str | None:
    """Return what to say where an error of Pillow means that it does not decode such a kind of file; None where it does not."""
    if not re.search(_NOT_SUPPORTED, text):
        return None
    return f"is a variant that is not supported ({' '.join(text.split())}); convert it to PNG or TIFF first"


@contextlib.contextmanager
def warnings_as_notes(note: Note) -> Iterator[None]:
    """Turn Pillow's warnings into notes; its guard against huge pictures only warns at half of what it refuses."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    notes = [_note_of(str(w.message)) for w in caught if issubclass(w.category, UserWarning)]
    for text in filter(None, dict.fromkeys(notes)):
        note(text)


def _note_of(warning: str) -> str:
    texts = (text for pattern, text in _WARNINGS if re.search(pattern, warning))
    return next(texts, "possibly damaged: its decoder complains about it")
