"""The last layer as classes that come and go: rows in reserve, a class from a few samples, a class
removed, weights set. The C trainer does what changes a row; docs/numerics.md has its equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine import _raw, _raw_train
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Graph, Op
from byteprop.ops import Dense, Rescale, Reshape, Softmax
from byteprop.support.arguments import MAX_SEED, integer
from byteprop.support.warn import warn
from byteprop.training.masters import (
    Masters,
    Weighted,
    by_output,
    dense_layers,
    from_output,
    read_masters,
    write_masters,
)
from byteprop.training.normalization import of_normalized
from byteprop.training.samples import encode, has_classes
from byteprop.training.schedules import rate_of

if TYPE_CHECKING:
    from byteprop.training.target import TrainingTarget

UNUSED_BIAS = -8388607
"""Of a row without weights that is not in use: the least bias that training takes."""
_UNUSED_MASTER = 256 * UNUSED_BIAS
_LEAST_DISTANCE = 64.0  # of the logit of a row not in use from 0
_WEIGHT_MIN, _WEIGHT_MAX, _LOADED_MIN = -32640, 32639, -32768
_BIAS_MAX = (1 << 31) - 256
KEPT_PER_CLASS = 20
REHEARSALS_PER_SAMPLE = 20
RATE = 0.003


def last_dense(graph: Graph) -> int:
    """Index of the op whose rows are the classes."""
    found = [i for i, op in enumerate(graph.ops) if isinstance(op, Dense)]
    if not found or not has_classes(graph):
        raise TrainingError("classes: this model does not end in a dense layer and a softmax")
    return found[-1]


def rows(graph: Graph) -> int:
    """Of the last layer, in use and in reserve."""
    return len(dense_layers(graph)[-1].bias)


def classes_in_use(graph: Graph) -> list[int]:
    """Rows of the last layer that are classes; the others are in reserve."""
    op = graph.ops[last_dense(graph)]
    assert isinstance(op, Dense)
    return [int(j) for j in np.flatnonzero(op.weights.any(1) | (op.bias != UNUSED_BIAS))]


def check_labels(graph: Graph, labels: npt.NDArray[Any]) -> None:
    """ArgumentError for a label whose class is not in use."""
    used = classes_in_use(graph)
    outside = np.setdiff1d(labels, used)
    if outside.size:
        raise ArgumentError(f"y: class {outside[0]} is not in use; add_class begins it")


# --- rows in reserve ---


def with_capacity(graph: Graph, classes: int) -> Graph:
    """The graph with so many rows; those beyond the present ones are in reserve."""
    index = last_dense(graph)
    op = graph.ops[index]
    assert isinstance(op, Dense)
    n_out, n_in = op.weights.shape
    more = integer("classes", classes, n_out, _raw.const("BP_SOFTMAX_MAX_ELEMS")) - n_out
    if not more:
        return graph
    _check_distance(graph, op)
    scales = op.weight_scales
    if len(scales) > 1:
        scales = np.append(scales, np.full(more, scales.max(), np.float32))
    grown = replace(
        op,
        weights=np.concatenate([op.weights, np.zeros((more, n_in), np.int8)]),
        bias=np.append(op.bias, np.full(more, UNUSED_BIAS, np.int32)),
        weight_scales=scales,
        has_bias=True,
    )
    tensors = list(graph.tensors)
    for behind in graph.ops[index:]:
        shape = tensors[behind.output].shape
        if not isinstance(behind, (Dense, Softmax, Rescale, Reshape)) or shape[-1:] != (n_out,):
            raise TrainingError(f"classes: a {type(behind).__name__} of shape {shape} at the end")
        tensors[behind.output] = replace(tensors[behind.output], shape=(*shape[:-1], classes))
    ops: list[Op] = list(graph.ops)
    ops[index] = grown
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops))


def _check_distance(graph: Graph, op: Dense) -> None:
    """The logit of a row in reserve must be far below all others."""
    step = float(graph.tensors[op.input].scale) * float(op.weight_scales.max())
    if -UNUSED_BIAS * step < _LEAST_DISTANCE:
        raise TrainingError(
            f"classes: scales of {step:g} are too fine for rows in reserve; quantize again"
        )


def grown_masters(masters: tuple[Masters, ...] | None, more: int) -> tuple[Masters, ...] | None:
    """Those of a model with so many more rows in reserve."""
    if masters is None or not more:
        return masters
    last = masters[-1]
    residual = np.concatenate([last.residual, np.zeros((more, last.residual.shape[1]), np.int8)])
    bias = np.append(last.bias, np.full(more, _UNUSED_MASTER, np.int32))
    return (*masters[:-1], Masters(residual, bias))


# --- classes ---


@dataclass(frozen=True)
class Addition:
    """One more class, as the trainer takes it: rows of inputs that are kept under their labels, the
    class whose row is made from them, and a rate for each step of learning again."""

    label: int
    config: _raw_train.Config
    rows: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint16]
    rates: npt.NDArray[np.uint32]


def plan_class(
    model: TrainingTarget,
    samples: Any,
    known: tuple[Any, Any] | None,
    rehearsals: int | None,
    learning_rate: float,
    seed: int,
) -> Addition:
    """The steps of Model.add_class; see there. The model gets a row where none is in reserve."""
    x, _ = model.input_bytes_of(np.asarray(samples), "samples")
    if not len(x):
        raise ArgumentError("samples: expected at least one")
    old_x, old_y = _known(model, known)
    number = integer(
        "rehearsals",
        REHEARSALS_PER_SAMPLE * (len(x) + len(old_x)) * (known is not None)
        if rehearsals is None
        else rehearsals,
        0,
        1 << 24,
    )
    rate, shift = rate_of(learning_rate)
    label = _room(model)
    seed = integer("seed", seed, 0, MAX_SEED)
    kept = integer("samples", len(x) + len(old_x), 1, 65535)
    return Addition(
        label=label,
        config=head_config(model.graph, kept, seed, shift),
        rows=np.concatenate([old_x, x]),
        labels=np.append(old_y, np.full(len(x), label)).astype(np.uint16),
        rates=linear_rates(rate, number),
    )


def learn_class(model: TrainingTarget, plan: Addition, trainer: _raw_train.Trainer) -> None:
    """Makes the steps. trainer: of `begun`."""
    for row, y in zip(plan.rows, plan.labels.tolist(), strict=True):
        trainer.remember(row, y)
    trainer.imprint(plan.label)
    trainer.rehearse(plan.rates)
    _adopt(model, trainer)


def remove_class(model: TrainingTarget, label: int) -> None:
    """Model.remove_class; see there."""
    used = classes_in_use(model.graph)
    if label not in used or len(used) < 2:
        raise ArgumentError(f"label: expected one of several classes in use {used}, got {label}")
    trainer = _trainer(model, 1, 0, 0)
    trainer.remove(label)
    _adopt(model, trainer)


def linear_rates(rate_q24: int, n: int) -> npt.NDArray[np.uint32]:
    """From the rate down to 0, as the schedule "linear"."""
    left = n - np.arange(n, dtype=np.int64)
    return ((rate_q24 * left + n // 2) // max(n, 1)).astype(np.uint32)


def choose_known(labels: npt.NDArray[Any], per_class: int) -> npt.NDArray[np.int64]:
    """Indices of the first samples of each class, so many of each."""
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def _known(
    model: TrainingTarget, known: tuple[Any, Any] | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any]]:
    if known is None:
        return np.empty((0, model.opened.input_bytes), np.uint8), np.empty(0, np.uint16)
    if not isinstance(known, (tuple, list)) or len(known) != 2:
        raise ArgumentError(f"known: expected (x, y), got {type(known).__name__}")
    found = encode(model, *known, names=("known x", "known y"))
    check_labels(model.graph, found.y)
    chosen = choose_known(found.y, KEPT_PER_CLASS)
    return found.x[chosen], found.y[chosen]


def _room(model: TrainingTarget) -> int:
    """A row in reserve; one more where there is none."""
    used = set(classes_in_use(model.graph))
    n = rows(model.graph)
    label = next((j for j in range(n) if j not in used), n)
    if label == n:
        graph = with_capacity(model.graph, n + 1)
        model.adopt(graph, image.encode(graph), grown_masters(model.masters, 1))
    return label


def head_config(graph: Graph, kept: int, seed: int, rate_shift: int) -> _raw_train.Config:
    """The last layer alone learns, and so many features are kept."""
    layers = len(dense_layers(graph))
    frozen = (1 << layers - 1) - 1
    return _raw_train.Config(seed=seed, frozen=frozen, kept=kept, rate_shift=rate_shift)


def _trainer(model: TrainingTarget, kept: int, seed: int, shift: int) -> _raw_train.Trainer:
    kept = integer("samples", kept, 1, 65535)
    return begun(model, head_config(model.graph, kept, seed, shift))


def begun(model: TrainingTarget, config: _raw_train.Config) -> _raw_train.Trainer:
    """Begins where the model's last training stopped, with its residuals where there is room."""
    trainer = _raw_train.Trainer(model.opened, config)
    if model.masters is None:
        return trainer
    state = write_masters(model.graph, config, trainer.state, model.masters)
    return _raw_train.Trainer(model.opened, config, state=state)


def _adopt(model: TrainingTarget, trainer: _raw_train.Trainer) -> None:
    trained = trainer.image
    opened = _raw.Engine(trained)
    graph = image.decode(opened)
    masters = read_masters(graph, trainer.config, trainer.state, model.masters)
    model.adopt(graph, trained, masters, opened=opened)


# --- weights ---


def set_weights(model: TrainingTarget, weights: Sequence[tuple[Any, Any]]) -> None:
    """Model.set_weights; see there."""
    graph = model.graph
    layers = [i for i, op in enumerate(graph.ops) if isinstance(op, Weighted)]
    if len(weights) != len(layers):
        raise ArgumentError(f"weights: expected {len(layers)} pairs, got {len(weights)}")
    ops: list[Op] = list(graph.ops)
    masters, beyond = [], 0
    for number, (index, (w, b)) in enumerate(zip(layers, weights, strict=True)):
        op = ops[index]
        assert isinstance(op, Weighted)
        made, lost = _masters_of(graph, op, number, np.asarray(w), np.asarray(b))
        wide, bias = made
        beyond += lost
        high = (wide + 128) >> 8
        masters.append(Masters((wide - 256 * high).astype(np.int8), bias.astype(np.int32)))
        low_bias = ((bias + 128) >> 8).astype(np.int32)
        now = replace(op, weights=high.astype(np.int8), bias=low_bias)
        if isinstance(now, Dense):
            now = replace(now, has_bias=now.has_bias or bool(low_bias.any()))
        ops[index] = now
    changed = replace(graph, ops=tuple(ops))
    model.adopt(changed, image.encode(changed), tuple(masters))
    if beyond:
        warn(f"set_weights: {beyond} values are beyond the scales of their layers and saturate")


def _masters_of(
    graph: Graph, op: Weighted, number: int, w: npt.NDArray[Any], b: npt.NDArray[Any]
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], int]:
    """Weights as the op has them and biases, at the resolution of training; how many saturate."""
    shape = by_output(op, op.weights).shape
    if w.shape != shape or b.shape != op.bias.shape:
        raise ArgumentError(
            f"weights of layer {number}: expected shapes {shape} and {op.bias.shape}, "
            f"got {w.shape} and {b.shape}"
        )
    w, b = w.astype(np.float64), b.astype(np.float64)
    if not (np.isfinite(w).all() and np.isfinite(b).all()):
        raise ArgumentError(f"weights of layer {number}: a value is NaN or infinite")
    constants = graph.tensors[graph.inputs[0]].normalization
    if number == 0 and constants is not None and isinstance(op, Dense):
        w, b = of_normalized(constants, w, b)
    s_w = op.weight_scales.astype(np.float64) / 256
    exact_w = np.rint(from_output(op, w / s_w))
    exact_b = np.rint(b / (s_w * float(graph.tensors[op.input].scale)))
    wide = np.where(exact_w == _LOADED_MIN, exact_w, exact_w.clip(_WEIGHT_MIN, _WEIGHT_MAX))
    bias = exact_b.clip(-_BIAS_MAX, _BIAS_MAX)
    lost = int((wide != exact_w).sum() + (bias != exact_b).sum())
    return (wide.astype(np.int64), bias.astype(np.int64)), lost
