"""From pictures to kernels: low-resolution copies, least squares, corrections, and the quality of the result.

May import `operators` and everything below it. A new way to downscale is a function in `downscale`, a new measure of quality a
function in `image_quality`.
"""
