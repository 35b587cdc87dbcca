"""JPEG XL: its headers, and reading and writing by imagecodecs."""
