"""The nearest of the names that would have worked, for messages about one that does not. Nothing here needs NumPy."""

import os
from collections.abc import Iterable
from itertools import islice

#: Files of a folder that a mistyped name is compared with; more would take seconds.
_MOST_FILES = 2000
#: How similar names of files must be, from 0 to 1: an equal suffix alone makes two names rather similar.
_SIMILAR_FILES = 0.8


def closest(text: str, names: Iterable[str], similar: float = 0.6) -> str:
    """Return the name that is most similar to a text in any case, the first of equals; an empty text if none is similar.

    Parameters
    ----------
    text : str
    names : iterable of str
    similar : float
        How similar they must be, from 0 to 1, as `difflib` measures it.

    Examples
    --------
    >>> closest("bicubik", ["bilinear", "bicubic"]), closest("sharp", ["bilinear", "bicubic"])
    ('bicubic', '')
    """
    from difflib import SequenceMatcher

    matcher, found = SequenceMatcher(), ""
    matcher.set_seq2(text.lower())
    for name in names:
        matcher.set_seq1(name.lower())
        if matcher.real_quick_ratio() < similar or matcher.quick_ratio() < similar:  # never lower than the ratio itself
            continue
        ratio = matcher.ratio()
        if ratio > similar or (ratio == similar and not found):
            found, similar = name, ratio
    return found


def closest_file(path: str) -> str:
    """Return the path of a file beside `path` with a similar name; an empty text if there is none."""
    folder, name = os.path.split(path)
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in islice(entries, _MOST_FILES)]
    except (OSError, ValueError):
        return ""
    found = closest(name, names, _SIMILAR_FILES)
    return os.path.join(folder, found) if found else ""


def did_you_mean(name: str) -> str:
    """Write the end of a message that names what was probably meant; an empty text if that is not known.

    Examples
    --------
    >>> did_you_mean("bicubic"), did_you_mean("")
    ('; did you mean bicubic?', '')
    """
    return f"; did you mean {name}?" if name else ""
