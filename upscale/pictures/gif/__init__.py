"""GIF: frames with the palettes and disposals that a file has."""
