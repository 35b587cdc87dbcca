"""Video: streams of frames whose planes are enlarged one after another, in bounded memory.

May import `learning` and everything below it. A new format belongs into a file beside `y4m` and `containers`; what happens to
the planes of a frame, whatever they come from, into `planes`; where chroma samples lie, into `chroma`.
"""
