"""The hot loops, compiled by Numba and in NumPy, and the choice between them.

May import the shared helpers only. A new loop is a file here, its counterpart in `numpy_loops`, and its name in `compiled`.
"""
