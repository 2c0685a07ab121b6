"""Loss and accuracy of weights, by inference on this computer or by the board's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.reference import dequantize
from byteprop.training import metrics
from byteprop.training.samples import has_classes, n_outputs, reals_of
from byteprop_host.training.subject import Encoded

Rows = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Score:
    """Figures of n samples, by the weights of one moment. loss: cross-entropy in nats, or mean
    squared error in the target's unit. accuracy: of classes; rmse: of values."""

    n: int
    loss: float
    accuracy: float | None = None
    rmse: float | None = None

    def __str__(self) -> str:
        if self.accuracy is not None:
            return f"accuracy {self.accuracy:.4f}, loss {self.loss:.4f}"
        return f"RMSE {self.rmse:.4g}, loss {self.loss:.4g}"


@dataclass(frozen=True)
class Epoch:
    """One pass over the training samples. training: while the weights were changing."""

    number: int
    rate: float  # at its first sample
    training: Score
    validation: Score | None


def score(model: byteprop.Model, part: Encoded) -> Score:
    """Runs inference on this computer; the loss of classes is computed from 32-bit logits."""
    return score_outputs(model, part, model.opened.run(part.samples.x))


def score_outputs(model: byteprop.Model, part: Encoded, outputs: Rows) -> Score:
    """The same from output bytes [n, outputs]."""
    classes = has_classes(model.graph)
    targets = part.samples.y if classes else reals_of(part.y, n_outputs(model.graph))
    found = metrics.figures(model, part.samples.x, targets, reals(model, outputs))
    return Score(len(part), **found)


def reals(model: byteprop.Model, outputs: Rows) -> npt.NDArray[np.float32]:
    """Real outputs [n, outputs] of output bytes."""
    tensor = model.graph.tensors[model.graph.outputs[0]]
    return dequantize(outputs.view(tensor.dtype.numpy), tensor.scale, tensor.zero_point)


def class_counts(model: byteprop.Model, part: Encoded) -> tuple[int, ...]:
    if not has_classes(model.graph):
        return ()
    counts: Any = np.bincount(part.samples.y, minlength=n_outputs(model.graph))
    return tuple(int(n) for n in counts)
