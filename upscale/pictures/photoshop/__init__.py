"""Photoshop's documents, and the blocks that it leaves in other files."""
