"""How good a model's answers are. Losses in nats (classes) or squared units of the target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw_train
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Graph
from byteprop.training.samples import (
    Samples,
    encode_inputs,
    has_classes,
    labels_of,
    n_outputs,
    reals_of,
    scores,
)

if TYPE_CHECKING:
    from byteprop.training.target import TrainingTarget

Reals = npt.NDArray[np.float32]

NATS_PER_UNIT = math.log(2.0) / 256
# Half a step of a probability: what stands for the logarithm of one that is rounded to 0.
_LEAST_PROBABILITY = 1 / 512


def evaluate(model: TrainingTarget, x: Any, y: Any) -> dict[str, float]:
    """loss and accuracy of a network that ends in a softmax, else loss and rmse."""
    inputs = encode_inputs(model, x)
    n = n_outputs(model.graph)
    expected = _same_length(
        labels_of(y, n) if has_classes(model.graph) else reals_of(y, n), len(inputs)
    )
    return figures(model, inputs, expected, model.reals_of_bytes(inputs))


def figures(
    model: TrainingTarget, inputs: npt.NDArray[np.uint8], expected: npt.NDArray[Any], answers: Reals
) -> dict[str, float]:
    """loss and accuracy, or loss and rmse, of answers float32 [n, outputs] to inputs uint8
    [n, input bytes]. expected: labels uint16 [n], or real targets [n, outputs]."""
    found = quality(answers, expected)
    if "rmse" in found:
        return {"loss": found["rmse"] ** 2, **found}
    return {"loss": _cross_entropy(model, inputs, expected, answers), **found}


def quality(answers: Reals, expected: npt.NDArray[Any]) -> dict[str, float]:
    """accuracy of answers float32 [n, outputs] when labels [n] are expected, rmse when real targets
    [n, outputs] are."""
    if expected.ndim == 1:
        return {"accuracy": float(np.mean(answers.argmax(axis=1) == expected))}
    return {"rmse": math.sqrt(float(np.mean(np.square(answers - expected))))}


def answers_of(graph: Graph, samples: Samples) -> npt.NDArray[Any]:
    """What the samples expect: labels [n], or real targets [n, outputs]."""
    if has_classes(graph):
        return samples.y
    return samples.y * (float(scores(graph).scale) / 65536)


def baseline(graph: Graph, samples: Samples) -> float:
    """What no learning gives: the share of the most frequent class, or the standard deviation of
    the targets."""
    expected = answers_of(graph, samples)
    if expected.ndim == 1:
        return float(np.bincount(expected).max() / len(expected))
    return float(np.sqrt(np.mean(np.square(expected - expected.mean(axis=0)))))


def confusion_matrix(model: TrainingTarget, x: Any, y: Any) -> npt.NDArray[np.int64]:
    """counts[label, answer]."""
    if not has_classes(model.graph):
        raise ArgumentError("confusion_matrix: expected a model that ends in a softmax")
    classes = n_outputs(model.graph)
    inputs = encode_inputs(model, x)
    labels = _same_length(labels_of(y, classes), len(inputs))
    return confusion(labels, model.reals_of_bytes(inputs).argmax(axis=1), classes)


def confusion(
    labels: npt.NDArray[Any], answers: npt.NDArray[Any], classes: int
) -> npt.NDArray[np.int64]:
    """counts[label, answer] of class numbers [n]."""
    pairs = labels.astype(np.int64) * classes + answers
    counts = np.bincount(pairs, minlength=classes * classes)
    return counts.reshape(classes, classes).astype(np.int64)


def mean_loss(results: npt.NDArray[Any], unit: float) -> float:
    """Mean over results of the trainer. Summed in integers, so in any pieces the same."""
    return loss_sum(results) * unit / len(results)


def loss_sum(results: npt.NDArray[Any]) -> int:
    """Exact sum of the losses, in the trainer's units."""
    losses = results["loss"]
    low = int((losses & np.uint64(0xFFFFFFFF)).sum(dtype=np.uint64))
    return (int((losses >> np.uint64(32)).sum(dtype=np.uint64)) << 32) + low


def loss_unit(model: TrainingTarget) -> float:
    """What one unit of the trainer's loss of a sample is worth."""
    if has_classes(model.graph):
        return NATS_PER_UNIT
    output = scores(model.graph)
    return (float(output.scale) / 65536) ** 2 / output.elems


def _cross_entropy(
    model: TrainingTarget,
    inputs: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint16],
    answers: Reals,
) -> float:
    """From the logits at full resolution; from the probabilities where the trainer cannot run."""
    try:
        trainer = _raw_train.Trainer(model.opened, _raw_train.Config(seed=0))
    except TrainingError:
        chosen = np.maximum(answers[np.arange(len(labels)), labels], _LEAST_PROBABILITY)
        return float(-np.log(chosen.astype(np.float64)).mean())
    return mean_loss(trainer.run(inputs, labels), NATS_PER_UNIT)


def _same_length(y: npt.NDArray[Any], n: int) -> npt.NDArray[Any]:
    if len(y) != n:
        raise ArgumentError(f"y: expected one per sample, {n}, got {len(y)}")
    return y
