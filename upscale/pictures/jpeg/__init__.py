"""JPEG: what Pillow does not read, and writing in bands."""
