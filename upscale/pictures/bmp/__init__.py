"""BMP, and the bit fields that it shares with other formats."""
