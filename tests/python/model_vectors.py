"""Inputs and answers that are stored next to a model file, as NAME.vectors.npz."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from byteprop import Model

Arrays = list[npt.NDArray[np.generic]]
# person_detect is person_detect_patched with a bias that tflite-runtime refuses.
SAME_VECTORS = {"person_detect": "person_detect_patched"}


def vectors_of(path: Path) -> Path:
    return path.with_name(f"{SAME_VECTORS.get(path.stem, path.stem)}.vectors.npz")


def vectors(path: Path, model: Model) -> tuple[Arrays, Arrays]:
    """Inputs (x, x1, ...) and outputs (y, y1, ...), those of several runs one after the other."""
    with np.load(vectors_of(path)) as file:

        def arrays(letter: str, tensors: tuple[int, ...]) -> Arrays:
            shapes = [model.graph.tensors[t].shape for t in tensors]
            names = [f"{letter}{i or ''}" for i in range(len(shapes))]
            return [file[n].reshape(-1, *s[1:]) for n, s in zip(names, shapes, strict=True)]

        return arrays("x", model.graph.inputs), arrays("y", model.graph.outputs)


def answers(model: Model, xs: Arrays) -> Arrays:
    """All outputs, also where it is one."""
    answer = model.run(xs[0] if len(xs) == 1 else xs, steps=True)
    return list(answer) if isinstance(answer, tuple) else [answer]
