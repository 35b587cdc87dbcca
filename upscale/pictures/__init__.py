"""Reading and writing files, the modes of pixels, and metadata.

May import `loops`, `kernels` and the shared helpers. A new format is a row in `formats`, a reader that `reading` chooses and a
writer that `writing` chooses; a new field of metadata is a row in `formats.METADATA` and code in `metadata`. Calls of a library
on a file's data stand in `errors.library_errors`; our own parsers check the data and raise `ArgumentError`.
"""
