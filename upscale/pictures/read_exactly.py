"""Bytes that a file must have, or it ends too early."""

from typing import BinaryIO

from upscale.errors import ArgumentError


def read_exactly(stream: BinaryIO, size: int, part: str) -> bytes:
    """Read a number of bytes.

    Parameters
    ----------
    stream : binary file
    size : int
        In bytes.
    part : str
        Of the file, for the error: "header" or "samples".

    Raises
    ------
    ArgumentError
        Where the file has fewer.
    """
    data = stream.read(size)
    if len(data) < size:
        raise ArgumentError(f"damaged: the file ends inside its {part}")
    return data
