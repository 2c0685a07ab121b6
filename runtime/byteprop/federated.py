"""Many boards learn together: the weights of several trainings as one mean, in integers.

Sums of integers do not depend on their order, so the mean of the same clients has the same bits,
however their answers arrive. `byteprop.flower` brings this to Flower.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine._raw_train import Trainer
from byteprop.errors import ArgumentError
from byteprop.graph import Op
from byteprop.model import Model
from byteprop.ops import Dense
from byteprop.training.fit import Run, StepTrainer, settings_of
from byteprop.training.masters import Masters, Weighted, fresh_masters, weighted_layers
from byteprop.training.options import TrainOptions
from byteprop.training.samples import encode

__all__ = ["arrays_of", "average", "set_arrays", "train_client"]

Arrays = list[npt.NDArray[Any]]
MakeTrainer = Callable[[Trainer], StepTrainer]

_BIAS_LIMIT = 2**31 - 256
_MOST_SAMPLES = 2**31


def arrays_of(model: Model) -> Arrays:
    """Of each layer with weights these, int16 in the op's shape and 1/256 of a step, and its
    biases, int32 [n_out] in 1/256: all that training knows of a model whose scales stay as they
    are."""
    masters = fresh_masters(model.graph) if model.masters is None else model.masters
    arrays: Arrays = []
    for op, layer in zip(weighted_layers(model.graph), masters, strict=True):
        wide = 256 * op.weights.astype(np.int32) + layer.residual
        arrays += [wide.astype(np.int16), np.asarray(layer.bias, np.int32)]
    return arrays


def set_arrays(model: Model, arrays: Sequence[npt.NDArray[Any]]) -> None:
    """The model gets these weights and biases. ArgumentError when they are of another model."""
    expected = arrays_of(model)
    found = [(np.asarray(a).dtype, np.shape(a)) for a in arrays]
    if found != [(a.dtype, a.shape) for a in expected]:
        raise ArgumentError(
            f"arrays: expected {[f'{a.dtype} {list(a.shape)}' for a in expected]}, "
            f"got {[f'{dtype} {list(shape)}' for dtype, shape in found]}"
        )
    masters: list[Masters] = []
    ops: list[Op] = list(model.graph.ops)
    weighted = [i for i, op in enumerate(ops) if isinstance(op, Weighted)]
    for i, wide, bias in zip(weighted, arrays[::2], arrays[1::2], strict=True):
        _check_masters(wide, bias)
        ops[i], layer = _layer_of(ops[i], wide.astype(np.int32), bias)
        masters.append(layer)
    graph = replace(model.graph, ops=tuple(ops))
    model.adopt(graph, image.encode(graph), tuple(masters))


def _check_masters(wide: npt.NDArray[Any], bias: npt.NDArray[Any]) -> None:
    if wide.size and int(wide.max()) > 32639:
        raise ArgumentError(f"arrays: expected weights up to 32639, got {int(wide.max())}")
    if (np.abs(bias.astype(np.int64)) > _BIAS_LIMIT).any():
        raise ArgumentError(f"arrays: expected biases within +-{_BIAS_LIMIT}")


def _layer_of(op: Any, wide: npt.NDArray[Any], bias: npt.NDArray[Any]) -> tuple[Op, Masters]:
    upper = (wide + 128) >> 8
    steps = ((bias.astype(np.int64) + 128) >> 8).astype(np.int32)
    layer = replace(op, weights=upper.astype(np.int8), bias=steps)
    if isinstance(op, Dense):
        layer = replace(layer, has_bias=op.has_bias or bool(bias.any()))
    return layer, Masters((wide - 256 * upper).astype(np.int8), bias.astype(np.int32))


def average(clients: Iterable[tuple[Sequence[npt.NDArray[Any]], int]]) -> Arrays:
    """The mean of clients, each its arrays and how many samples it has learned from:
    floor((2 * sum of n * a + N) / (2 * N)) with N the sum of n, exact in int64. The order of the
    clients changes no bit."""
    sums: list[npt.NDArray[np.int64]] = []
    kinds: list[tuple[Any, Any]] = []
    total = 0
    for arrays, n in clients:
        if isinstance(n, bool) or n != int(n) or not 1 <= n <= _MOST_SAMPLES:
            raise ArgumentError(f"clients: expected a number of samples from 1, got {n!r}")
        given = [(np.asarray(a).dtype, np.shape(a)) for a in arrays]
        if not sums:
            kinds = given
            sums = [np.zeros(shape, np.int64) for _, shape in kinds]
        if given != kinds or any(dtype not in (np.int16, np.int32) for dtype, _ in given):
            raise ArgumentError("clients: expected the same int16 and int32 arrays of each")
        total += int(n)
        if total > _MOST_SAMPLES // 4:
            raise ArgumentError(f"clients: more than {_MOST_SAMPLES // 4} samples in all")
        for so_far, array in zip(sums, arrays, strict=True):
            so_far += np.int64(n) * np.asarray(array).astype(np.int64)
    if not sums:
        raise ArgumentError("clients: expected at least one")
    return [
        ((2 * s + total) // (2 * total)).astype(dtype)
        for s, (dtype, _) in zip(sums, kinds, strict=True)
    ]


def train_client(
    model: Model,
    x: Any,
    y: Any,
    *,
    make_trainer: MakeTrainer = lambda host: host,
    **options: Any,
) -> int:
    """One client's part of a round; returns the number of its samples. Scales stay as they are, so
    that weights of all clients have the same unit. options: of Model.fit. make_trainer: what makes
    the steps, such as a board in lockstep (byteprop_host.training.lockstep.LockstepTrainer)."""
    chosen = TrainOptions(window=0, autoencoder=y is None, **options)
    samples = encode(model, x, y)
    settings = settings_of(model, samples, chosen)
    run = Run(model, settings, samples, None, resume=None, make_trainer=make_trainer)
    model.stop_training = False
    model.run_in_progress = run
    run.run(None, None)
    return len(samples)
