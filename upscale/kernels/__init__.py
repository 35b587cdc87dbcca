"""The `Kernel` value, presets, kernel files and the kernels that come with the package.

May import the shared helpers only. A new preset is a row in `presets`, a new kernel format a row in `read_files` and
`write_files`, and its suffix in `kernel_spec`.
"""
