"""Drawings: of kernels, of the operator step by step, and of several enlargements side by side.

May import `batch` and everything below it. A new figure is a file here and an option or command that calls it.
"""
