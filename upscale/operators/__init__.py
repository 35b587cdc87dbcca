"""The two operators, nearest-neighbour unpooling and transposed convolution, on arrays, images and pictures.

Beside them stand other layers of networks, on arrays: convolution, pooling, unpooling and pixel shuffle, each in its own file.

May import `pictures` and everything below it. A new method is a file here, with a class like `NearestPlan`, a row
in `methods`, and its name in `upscale.choices.METHODS`.
"""
