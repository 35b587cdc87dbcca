"""Reading and writing files, the modes of pixels, and metadata.

May import `loops`, `kernels` and the shared helpers. A new format is a row in `formats`, a reader that `reading` knows and a
writer that `writing` knows; a new field of metadata is a row in `formats.METADATA` and code in `metadata`.
"""
