"""Pictures of what the other benchmarks measured, for docs/performance.md."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

FOLDER = Path(__file__).parent.parent / "docs" / "images"
#: One colour for each program, whatever the plot; ours is the strong one.
COLOURS = {
    "upscale": "#c2185b", "OpenCV": "#1f77b4", "Pillow": "#2ca02c", "torch": "#ff7f0e", "scikit-image": "#9467bd",
    "SciPy": "#8c564b",
    "Pillow, default": "#98df8a", "Pillow, run-length": "#2ca02c", "vips": "#1f77b4", "ImageMagick": "#ff7f0e",
    "GraphicsMagick": "#bcbd22", "ffmpeg": "#9467bd",
}  # fmt: skip


def _figure(panels: int, width: float = 4.6) -> tuple[Any, Any]:
    figure, axes = plt.subplots(1, panels, figsize=(width * panels, 3.9), layout="constrained", squeeze=False)
    return figure, axes[0]


def _save(figure: Any, name: str) -> str:
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"performance-{name}.png", dpi=100)
    plt.close(figure)
    return f"images/performance-{name}.png"


def _lines(axes: Any, title: str, lines: dict[str, list[tuple[float, float]]]) -> None:
    for name, points in lines.items():
        ours = name == "upscale"
        axes.loglog(
            *zip(*points, strict=True), "o-", color=COLOURS[name], label=name, linewidth=2.4 if ours else 1.2, markersize=4,
            zorder=3 if ours else 2,
        )  # fmt: skip
    axes.set(title=title, xlabel="megapixels of output")
    axes.grid(alpha=0.3)


def sizes(name: str, measurements: dict[str, dict[str, list[tuple[float, float]]]]) -> str:
    """Draw seconds against megapixels, both logarithmic, a panel a job; return the file's name in docs."""
    figure, panels = _figure(len(measurements))
    for axes, (job, lines) in zip(panels, measurements.items(), strict=True):
        _lines(axes, job, lines)
    panels[0].set_ylabel("seconds")
    panels[0].legend(fontsize=8)
    return _save(figure, name)


def threads(measurements: dict[str, list[tuple[int, float]]]) -> str:
    """Draw the speed-up by number of threads."""
    figure, (axes,) = _figure(1)
    most = max(n for points in measurements.values() for n, _ in points)
    axes.plot([1, most], [1, most], ":", color="grey", label="ideal")
    for job, points in measurements.items():
        axes.plot([n for n, _ in points], [points[0][1] / t for _, t in points], "o-", label=job)
    axes.set(title="Loops by number of threads", xlabel="threads", ylabel="speed-up")
    axes.set_xticks(sorted({n for points in measurements.values() for n, _ in points}))
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return _save(figure, "threads")


def memory(rows: list[tuple[str, int, float, float]]) -> str:
    """Draw peak memory against the decoded input's."""
    figure, (axes,) = _figure(1)
    for job in dict.fromkeys(row[0] for row in rows):
        points = [(size, peak) for name, _, size, peak in rows if name == job]
        axes.plot(*zip(*points, strict=True), "o-", label=job)
    most = max(size for _, _, size, _ in rows)
    axes.plot([0, most], [0, most], ":", color="grey", label="decoded input")
    axes.plot([0, most], [300, most + 300], "--", color="grey", label="decoded input + 300 MB")
    axes.set(title="Peak memory, PNG to PNG", xlabel="decoded input, MB", ylabel="peak memory, MB")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    return _save(figure, "memory")


def stages(measurements: dict[str, dict[str, float]]) -> str:
    """Draw each command's stages as a stacked bar."""
    figure, (axes,) = _figure(1, width=8.5)
    jobs, names = list(measurements), list(dict.fromkeys(stage for row in measurements.values() for stage in row))
    left = [0.0] * len(jobs)
    for i, stage in enumerate(names):
        seconds = [measurements[job].get(stage, 0.0) for job in jobs]
        axes.barh(jobs, seconds, left=left, label=stage, color=plt.get_cmap("tab10")(i))
        left = [a + b for a, b in zip(left, seconds, strict=True)]
    axes.invert_yaxis()
    axes.set(title="Where the time goes", xlabel="seconds")
    axes.legend(fontsize=8, loc="upper right")  # the last jobs are the longest
    return _save(figure, "stages")
