"""The texts of a figure as they are drawn: their boxes, and what no figure may do with them."""

import numpy as np


def drawn_texts(figure):
    """Draw a figure; return all texts that can be seen, with their boxes in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).draw()
    texts = [*figure.texts]
    for axes in figure.axes:
        texts += [*axes.texts, axes.title, axes._left_title, axes._right_title]
        if (legend := axes.get_legend()) is not None:
            texts += legend.get_texts()
        if not axes.axison:
            continue
        for axis in (axes.xaxis, axes.yaxis):
            texts += [axis.label, axis.offsetText]
            low, high = sorted(axis.get_view_interval())
            texts += [t for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high for t in (tick.label1, tick.label2)]
    if figure._suptitle is not None and figure._suptitle not in texts:
        texts.append(figure._suptitle)
    return [(t, t.get_window_extent()) for t in texts if t.get_visible() and t.get_text().strip()]


def check_texts(figure):
    """Check that no two texts overlap, and that none leaves the figure."""
    texts = drawn_texts(figure)
    assert len(texts) > 5
    for text, box in texts:
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text.get_text()!r} leaves the figure: {box}"
    x0, y0, x1, y1 = np.array([box.extents for _, box in texts]).T
    for n, (text, _) in enumerate(texts):
        rest = slice(n + 1, None)
        wide = np.minimum(x1[n], x1[rest]) - np.maximum(x0[n], x0[rest])
        high = np.minimum(y1[n], y1[rest]) - np.maximum(y0[n], y0[rest])
        overlapping = [texts[n + 1 + m][0].get_text() for m in np.flatnonzero((wide > 0) & (high > 0))]
        assert not overlapping, f"{text.get_text()!r} overlaps {overlapping}"
