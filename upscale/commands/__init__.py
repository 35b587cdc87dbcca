"""The four commands: options, screen output and exit status; one file per command.

May import every other package. A new command is a file here, an entry in `upscale.__main__` and a script in pyproject.toml; a
new option of `upscale` goes into `enlarge_options`, and into a group of `enlarge_help`. Nothing here imports NumPy, Pillow or
Numba before there is work to do.
"""
