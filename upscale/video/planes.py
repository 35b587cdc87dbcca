"""The planes of a frame, enlarged one after another."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.loops.engine import Engine
from upscale.operators.enlarge_picture import Enlargement
from upscale.operators.methods import Request
from upscale.pictures.picture import Picture
from upscale.video.chroma import check_request, chroma_request
from upscale.video.layout import Layout, Planes

#: The modes of grey pictures, by bytes of a sample.
_MODES = {1: "L", 2: "I;16"}


class FrameEnlarger:
    """Enlarge frames of one layout, each plane as a grey picture.

    Parameters
    ----------
    layout : Layout
        Of the frames.
    request : Request
        For luma; chroma's follows from it.
    engine : str
        One of `choices.ENGINES`.
    full_chroma : bool
        Make chroma planes as large as luma.
    watch : callable
        Called with the engine and its loops whenever they are chosen.

    Attributes
    ----------
    layout, result : Layout
        Of the frames before and after.
    notes : list of str
        What a user should know.

    Raises
    ------
    ArgumentError
        Where the request does not fit the layout.
    """

    def __init__(
        self,
        layout: Layout,
        request: Request,
        engine: str,
        *,
        full_chroma: bool,
        watch: Callable[[Engine, ModuleType], None] = lambda engine, loops: None,
    ) -> None:
        check_request(request, layout)
        self.layout, self.result = layout, layout.enlarged(request.factor, full_chroma=full_chroma)
        self.notes = list[str]()
        self._engine, self._watch = engine, watch
        chroma, note = chroma_request(request, layout, self.result)
        if note and layout.planes > 1:
            self.notes.append(note)
        self._requests = [request, chroma, chroma, request][: layout.planes]
        self._enlargements: dict[int, Enlargement] = {}
        self._spare: dict[tuple[int, int], NDArray[Any]] = {}

    def enlarge(self, planes: Planes, out: Planes) -> None:
        """Enlarge a frame.

        Parameters
        ----------
        planes : list of ndarray
            As of `Layout.new_planes`; the same few lists should be used again, since tables belong to each array.
        out : list of ndarray
            Of the result's layout; is filled.
        """
        for source, request, target in zip(planes, self._requests, out, strict=True):
            full = request.size(source.shape)
            # Where the size is odd, the last chroma samples have no luma pixels after the enlargement.
            cropped = full != target.shape
            if cropped and full not in self._spare:
                self._spare[full] = np.empty(full, target.dtype)
            whole = self._spare[full] if cropped else target
            self._enlargement(source, request).fill(whole)
            if request.operator is not None and self.layout.depth not in (8, 16):
                np.minimum(whole, (1 << self.layout.depth) - 1, out=whole)
            if cropped:
                target[...] = whole[: target.shape[0], : target.shape[1]]

    def _enlargement(self, source: NDArray[Any], request: Request) -> Enlargement:
        """Return the enlargement of an array, remembered once it is computed by compiled loops; until then it may change."""
        found = self._enlargements.get(id(source))
        if found is None:
            picture = Picture(source, _MODES[source.itemsize])
            found = Enlargement(picture, request, self._engine, watch=self._watch)
            if found.is_settled:
                self._enlargements[id(source)] = found
        return found
