"""The pictures of lesson 3. Without matplotlib there are none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from signals import ACTIVITIES, RATE_HZ, WINDOW, Windows


def save_pictures(
    folder: Path, windows: Windows, confusions: dict[str, np.ndarray], shares: Sequence[Any]
) -> list[Path]:
    """Signals, confusion matrices by name, and newcomers before and after."""
    try:
        import matplotlib
    except ImportError:
        print("no pictures: pip install matplotlib", file=sys.stderr)
        return []
    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "activity_signals": _signals(pyplot, windows),
        "activity_confusion": _confusions(pyplot, confusions),
        "activity_newcomers": _newcomers(pyplot, shares),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
        pyplot.close(figure)
    return [folder / f"{name}.png" for name in figures]


def _signals(pyplot: Any, windows: Windows) -> Any:
    figure, places = pyplot.subplots(2, 2, figsize=(9, 5.5), layout="constrained", sharex=True)
    t = np.arange(WINDOW) / RATE_HZ
    for activity, (name, axes) in enumerate(zip(ACTIVITIES, places.flat, strict=True)):
        first = np.flatnonzero(windows.activity == activity)[0]
        for column, label in enumerate(("forward", "left", "up")):
            axes.plot(t, windows.signal[first, :, column], label=label, linewidth=1)
        axes.set(title=name, ylabel="g")
        axes.grid(alpha=0.3)
    places[1, 0].set_xlabel("seconds")
    places[1, 1].set_xlabel("seconds")
    places[0, 0].legend(loc="lower right", fontsize=8)
    return figure


def _confusions(pyplot: Any, confusions: dict[str, np.ndarray]) -> Any:
    figure, places = pyplot.subplots(1, len(confusions), figsize=(9, 4.2), layout="constrained")
    for (title, counts), axes in zip(confusions.items(), places, strict=True):
        axes.imshow(counts, cmap="Blues")
        axes.set_xticks(range(len(ACTIVITIES)), ACTIVITIES, rotation=45, ha="right")
        axes.set_yticks(range(len(ACTIVITIES)), ACTIVITIES)
        axes.set(title=title, xlabel="answer", ylabel="what it is")
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if count > counts.max() / 2 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    return figure


def _newcomers(pyplot: Any, shares: Sequence[Any]) -> Any:
    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    x = np.arange(len(shares))
    axes.bar(x - 0.2, [100 * s.before for s in shares], 0.4, label="before")
    axes.bar(x + 0.2, [100 * s.after for s in shares], 0.4, label="after")
    axes.set_xticks(x, [f"person {i + 1}" for i in x])
    axes.set(ylabel="right answers, %", ylim=(0, 105), title="Learning a new person")
    axes.legend(loc="lower left")
    axes.grid(axis="y", alpha=0.3)
    return figure
