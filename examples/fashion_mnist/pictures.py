"""The pictures of lesson 2. Without matplotlib there are none."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def save_pictures(
    folder: Path,
    names: Sequence[str],
    history: Mapping[str, Sequence[float]],
    confusion: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    answers: np.ndarray,
) -> list[Path]:
    """Curves of loss and accuracy, the confusion matrix, and images with what was answered."""
    try:
        import matplotlib
    except ImportError:
        print("no pictures: pip install matplotlib", file=sys.stderr)
        return []
    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "fashion_curves": _curves(pyplot, history),
        "fashion_confusion": _confusion(pyplot, names, confusion),
        "fashion_images": _images(pyplot, names, images, labels, answers),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
        pyplot.close(figure)
    return [folder / f"{name}.png" for name in figures]


def _curves(pyplot: Any, history: Mapping[str, Sequence[float]]) -> Any:
    figure, both = pyplot.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for axes, kind in zip(both, ("loss", "accuracy"), strict=True):
        epochs = np.arange(1, len(history[kind]) + 1)
        axes.plot(epochs, history[kind], ".-", label="training images")
        axes.plot(epochs, history[f"val_{kind}"], ".-", label="test images")
        axes.set(xlabel="epoch", ylabel=kind)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def _confusion(pyplot: Any, names: Sequence[str], confusion: np.ndarray) -> Any:
    figure, axes = pyplot.subplots(figsize=(6.5, 6), layout="constrained")
    axes.imshow(confusion, cmap="Blues")
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="the network's answer", ylabel="what it is")
    for (row, column), count in np.ndenumerate(confusion):
        if count:
            dark = count > confusion.max() / 2
            axes.text(
                column, row, str(count), ha="center", va="center", fontsize=8,
                color="white" if dark else "black",
            )  # fmt: skip
    return figure


def _images(
    pyplot: Any,
    names: Sequence[str],
    images: np.ndarray,
    labels: np.ndarray,
    answers: np.ndarray,
) -> Any:
    """Two rows that were answered rightly, two that were not."""
    right, wrong = (np.flatnonzero(test)[:12] for test in (labels == answers, labels != answers))
    figure, places = pyplot.subplots(4, 6, figsize=(9, 7), layout="constrained")
    for axes in places.flat:
        axes.axis("off")
    for row_of, indices in ((0, right), (2, wrong)):
        for place, index in enumerate(indices):
            axes = places[row_of + place // 6, place % 6]
            axes.imshow(images[index].reshape(28, 28), cmap="gray_r")
            if row_of == 0:
                axes.set_title(names[labels[index]], fontsize=9, color="green")
            else:
                text = f"{names[answers[index]]}?\nis {names[labels[index]]}"
                axes.set_title(text, fontsize=9, color="red")
    return figure
