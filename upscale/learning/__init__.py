"""From pictures to kernels: low-resolution copies, least squares, corrections, and the quality of the result.

May import `operators` and everything below it.
"""
