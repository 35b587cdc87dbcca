"""TIFF: read and written by tifffile, page by page."""
