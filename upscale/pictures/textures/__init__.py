"""Compressed textures of games: DDS and BLP."""
