"""The three pictures of lesson 1. Without matplotlib there are none."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np


def save_pictures(folder: Path, name: str, x: np.ndarray, truth: Any, learned: Any) -> list[Path]:
    """The loss curve, the way down over the loss surface, and the line."""
    try:
        import matplotlib
    except ImportError:
        print("  no pictures: pip install matplotlib", file=sys.stderr)
        return []
    matplotlib.use("Agg")
    from matplotlib import pyplot

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, draw in (("loss", _loss), ("descent", _descent), ("fit", _fit)):
        figure, axes = pyplot.subplots(figsize=(6, 4.5), layout="constrained")
        draw(axes, x, truth, learned)
        path = folder / f"{name}_{kind}.png"
        figure.savefig(path, dpi=120)
        pyplot.close(figure)
        paths.append(path)
    return paths


def _loss(axes: Any, x: np.ndarray, truth: Any, learned: Any) -> None:
    losses = np.array(learned.losses)
    axes.semilogy(np.arange(1, len(losses) + 1), np.maximum(losses, losses[losses > 0].min()))
    axes.set(title=f"Learning {truth}", xlabel="epoch", ylabel="loss: mean squared error")
    axes.grid(alpha=0.3)


def _descent(axes: Any, x: np.ndarray, truth: Any, learned: Any) -> None:
    """Every place is a line (w, b), its colour the loss; the path goes downhill."""
    w = np.array([line.w for line in learned.path])
    b = np.array([line.b for line in learned.path])
    width = 1.2 * max(1.0, *np.abs(w - truth.w), *np.abs(b - truth.b))
    ws, bs = np.meshgrid(
        np.linspace(truth.w - width, truth.w + width, 120),
        np.linspace(truth.b - width, truth.b + width, 120),
    )
    loss = np.mean([(ws * xi + bs - truth.at(xi)) ** 2 for xi in x.ravel()], axis=0)
    levels = np.geomspace(1e-3, loss.max(), 25)
    filled = axes.contourf(ws, bs, np.maximum(loss, 1e-3), levels, cmap="viridis", norm="log")
    axes.figure.colorbar(filled, label="loss", format="%.2g")
    axes.plot(w, b, ".-", color="white", markersize=3, linewidth=1)
    axes.plot(truth.w, truth.b, "*", color="red", markersize=14)
    axes.set(title="The way down, epoch by epoch", xlabel="w", ylabel="b")


def _fit(axes: Any, x: np.ndarray, truth: Any, learned: Any) -> None:
    ends = np.array([-2.0, 10.5])
    axes.plot(ends, learned.path[0].at(ends), ":", color="grey", label="after 1 epoch")
    line = learned.line
    axes.plot(ends, line.at(ends), label=f"w = {line.w:.3f}, b = {line.b:.3f}")
    axes.plot(x, truth.at(x), "o", color="black", label="the six points")
    axes.plot(10, learned.at_ten, "r*", markersize=12, label=f"answer for 10: {learned.at_ten:g}")
    axes.set(title=f"{truth}", xlabel="x", ylabel="y")
    axes.legend()
    axes.grid(alpha=0.3)
