"""How good weights are: on this computer, or by the answers of the board itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop import _raw_train
from byteprop._raw import Engine
from byteprop.metrics import NATS_PER_UNIT, mean_loss
from byteprop.reference import dequantize
from byteprop.samples import has_classes, n_outputs, reals_of
from byteprop_host.training_model import Encoded
from byteprop_host.training_words import Score

Rows = npt.NDArray[np.uint8]


def score(model: byteprop.Model, part: Encoded) -> Score:
    """What inference answers; the loss of classes from the logits at full resolution."""
    return score_of(model, part, Engine(model.image).run(part.samples.x))


def score_of(model: byteprop.Model, part: Encoded, outputs: Rows) -> Score:
    """As `score`, with output bytes that are there already."""
    answers = reals(model, outputs)
    if not has_classes(model.graph):
        wanted = reals_of(part.y, n_outputs(model.graph))
        loss = float(np.mean(np.square(answers - wanted)))
        return Score(len(part), loss, rmse=math.sqrt(loss))
    results = _raw_train.Trainer(model.image, _raw_train.Config(seed=0)).run(
        part.samples.x, part.samples.y
    )
    accuracy = float(np.mean(answers.argmax(axis=1) == part.samples.y))
    return Score(len(part), mean_loss(results, NATS_PER_UNIT), accuracy=accuracy)


def reals(model: byteprop.Model, outputs: Rows) -> npt.NDArray[np.float32]:
    """Real answers [n, outputs] of output bytes."""
    tensor = model.graph.tensors[model.graph.outputs[0]]
    return dequantize(outputs.view(tensor.dtype.numpy), tensor.scale, tensor.zero_point)


def baseline(model: byteprop.Model, part: Encoded) -> float:
    """What no learning gives: the share of the commonest class, or the spread of the values."""
    if has_classes(model.graph):
        return float(np.bincount(part.samples.y).max() / len(part))
    wanted = reals_of(part.y, n_outputs(model.graph))
    return float(np.sqrt(np.mean(np.square(wanted - wanted.mean(axis=0)))))


def class_counts(model: byteprop.Model, part: Encoded) -> tuple[int, ...]:
    if not has_classes(model.graph):
        return ()
    counts: Any = np.bincount(part.samples.y, minlength=n_outputs(model.graph))
    return tuple(int(n) for n in counts)
