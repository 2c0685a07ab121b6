"""Tries the ways to quantise a network and keeps the one closest to the float network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.errors import ArgumentError
from byteprop.float_ops import float_ops, run
from byteprop.graph.float_graph import Array, FloatGraph
from byteprop.importer import graph_of_file, load_tflite
from byteprop.model import Model
from byteprop.quantizer.calibration import Observed, Range, observe
from byteprop.quantizer.scales import Plan, plan_scales, unit_plan
from byteprop.quantizer.simplify import simplified
from byteprop.quantizer.weights import (
    Rounded,
    input_operand,
    mean_error,
    round_bias,
    round_weights,
    weights_and_bias,
)
from byteprop.quantizer.writing import write_int8

# Of the samples, as many as this, or these multiplications, decide between the ways.
_MOST_COMPARED = 256
_MOST_MACS = 500_000_000


@dataclass(frozen=True)
class Options:
    """methods: of choosing ranges, and whether biases are corrected: all that are to be tried."""

    methods: Sequence[str]
    corrections: Sequence[bool]
    float_border: bool


def best_model(graph: FloatGraph, given: Any, options: Options) -> Model:
    """given: representative data, as quantize takes it."""
    graph = simplified(graph)
    largest, macs = _checked(graph)
    columns, known = _columns(graph, given)
    weighted = [i for i, node in enumerate(graph.nodes) if float_ops()[node.name].weights]
    averaged = {graph.nodes[i].inputs[input_operand(graph.nodes[i])] for i in weighted}
    observed = observe(graph, columns, averaged if any(options.corrections) else (), largest)

    def made(way: tuple[str, bool]) -> Model:
        return _model(graph, observed, known, *way, options.float_border)

    ways = [(method, corrects) for method in options.methods for corrects in options.corrections]
    if len(ways) == 1:
        return made(ways[0])
    n = max(1, min(_MOST_COMPARED, _MOST_MACS // max(macs, 1)))
    some = [column[:: max(1, len(column) // n)] for column in columns]
    expected = run(graph, some, largest)
    # No two models are in memory at once: the best one is made again.
    errors = [_error(made(way), some, expected) for way in ways]
    return made(ways[int(np.argmin(errors))])


def _columns(graph: FloatGraph, given: Any) -> tuple[list[Array], dict[int, Range]]:
    """Samples of each input, and the ranges of those that are pixels."""
    several = len(graph.inputs) > 1
    columns = list(given) if several else [given]
    if len(columns) != len(graph.inputs):
        raise ArgumentError(
            f"representative_data: expected {len(graph.inputs)} arrays, one per input, got "
            f"{len(columns)}"
        )
    checked, known = [], {}
    for t, column in zip(graph.inputs, columns, strict=True):
        name = "representative_data"
        if several:
            name += f" for {graph.tensors[t].name!r}"
        x = _checked_data(column, graph.tensors[t].shape, name)
        if x.dtype == np.uint8:
            known[t] = (0.0, 1.0)
            x = x.astype(np.float32) / np.float32(255)
        is_single = _is_single(graph)
        checked.append(x.astype(np.float32 if is_single else np.float64).reshape(
            -1, *graph.tensors[t].shape))  # fmt: skip
    if len({len(x) for x in checked}) > 1:
        raise ArgumentError(
            f"representative_data: expected as many samples of each input, got "
            f"{[len(x) for x in checked]}"
        )
    return checked, known


def _is_single(graph: FloatGraph) -> bool:
    """Whether no constant is in double precision."""
    return all(t.data is None or t.data.dtype != np.float64 for t in graph.tensors)


def _checked_data(given: Any, shape: tuple[int, ...], name: str) -> npt.NDArray[Any]:
    x = np.asarray(given)
    if x.dtype.kind not in "fiub":
        raise ArgumentError(f"{name}: expected real numbers, got {x.dtype}")
    batch = shape[0] if shape else 1
    if x.ndim < 1 or len(x) == 0 or x.shape[1:] != shape[1:] or len(x) % max(batch, 1):
        expected = ", ".join(["N", *map(str, shape[1:])])
        raise ArgumentError(
            f"{name}: expected shape ({expected}), N at least {max(batch, 1)}, got {x.shape}"
        )
    if not np.isfinite(x).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ArgumentError(f"{name}: expected finite numbers, got {x[at]} at position {at}")
    return x


def _checked(graph: FloatGraph) -> tuple[int, int]:
    """Elements of the largest tensor and multiplications. The importer's checks are those of any
    file: what passes has shapes that go together and ops that byteprop runs."""
    plan = unit_plan(graph)
    rounded = {}
    for i, node in enumerate(graph.nodes):
        if float_ops()[node.name].weights is not None:
            weights, _, axis = weights_and_bias(graph, node)
            n_out = weights.shape[axis] if weights.ndim > axis else 1
            rounded[i] = Rounded(np.zeros(weights.shape, np.int8), np.ones(n_out, np.float32),
                                 np.zeros(n_out, np.int32))  # fmt: skip
    loaded = graph_of_file(write_int8(graph, plan, rounded, float_border=False))
    macs = sum(layer.macs for layer in Model(loaded).layers)
    return max(t.elems for t in loaded.tensors), macs


def _model(
    graph: FloatGraph, observed: Observed, known: dict[int, Range], method: str, corrects: bool,
    float_border: bool,
) -> Model:  # fmt: skip
    plan = plan_scales(graph, observed, method, known)
    rounded = {
        i: _rounded(graph, i, plan, observed if corrects else None)
        for i, node in enumerate(graph.nodes)
        if float_ops()[node.name].weights is not None
    }
    return Model(load_tflite(write_int8(graph, plan, rounded, float_border=float_border)))


def _rounded(graph: FloatGraph, place: int, plan: Plan, observed: Observed | None) -> Rounded:
    node = graph.nodes[place]
    weights, bias, axis = weights_and_bias(graph, node)
    source = node.inputs[input_operand(node)]
    x_scale = float(plan.fixed.get(source, plan.scales[source]).scale)
    y_scale = float(plan.scales[node.outputs[0]].scale)
    rounded = round_weights(weights, bias, axis, x_scale, y_scale)
    if observed is None:
        return rounded
    error = mean_error(graph, node, observed.means[source], rounded)
    return rounded._replace(bias=round_bias(bias - error, rounded.scales, x_scale))


def _error(model: Model, x: list[Array], expected: list[Array]) -> float:
    """Of the outputs, in mean squares relative to the float network's variance."""
    given = [column.reshape(-1, *column.shape[2:]) for column in x]
    outputs = model.predict(given if len(given) > 1 else given[0])
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    total = 0.0
    for got, wanted in zip(outputs, expected, strict=True):
        expected_values = wanted.reshape(-1).astype(np.float64)
        difference = got.reshape(-1) - expected_values
        total += float(np.mean(difference**2)) / max(float(expected_values.var()), 1e-300)
    return total
