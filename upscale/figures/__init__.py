"""Numbers and drawings: of kernels, of the operator step by step, and of several enlargements side by side.

May import `batch` and everything below it. A new figure is a file that computes plain data, a file that draws it, and an option
or command that calls both.
"""
