"""Quick ways for the usual call of a model: one input, one output, one sample per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.graph import DType, Graph, Kind, Tensor
from byteprop.graph.boundary import Boundary

Array = npt.NDArray[Any]
_MOST_FAST_BYTES = 1 << 17

Predict = Callable[[Any], tuple[Array, int] | None]


def fast_run(engine: object, graph: Graph) -> Callable[[Any], Array | None]:
    """What answers the usual call in a microsecond or two; None sends the call the long way."""
    ends = _simple_ends(graph)
    if ends is None or not isinstance(engine, _raw.Engine):
        return lambda x: None
    x, y = ends
    if x.float_border:
        return _from_float32(_predictor(engine, x, y, to_reals=y.float_border))
    if y.float_border:
        return lambda x: None
    return engine.runner(x.dtype.numpy, x.shape[1:], y.dtype.numpy, y.shape[1:])


def fast_predict(engine: object, graph: Graph) -> Predict:
    """The same for predict."""
    ends = _simple_ends(graph)
    if ends is None or not isinstance(engine, _raw.Engine):
        return lambda x: None
    return _predictor(engine, *ends, to_reals=True)


def _simple_ends(graph: Graph) -> tuple[Tensor, Tensor] | None:
    """The only input and the only output, where both have one sample per row. None for a model with
    state, whose samples are steps."""
    if any(t.kind is Kind.STATE for t in graph.tensors):
        return None
    ends = [graph.tensors[t] for t in (*graph.inputs, *graph.outputs)]
    if len(ends) != 2 or any(t.shape[:1] != (1,) or t.dtype is DType.INT16 for t in ends):
        return None
    return ends[0], ends[1]


def _predictor(engine: _raw.Engine, x: Tensor, y: Tensor, *, to_reals: bool) -> Predict:
    """Its room for some samples is not taken for huge ones."""
    if engine.input_bytes + engine.output_bytes > _MOST_FAST_BYTES:
        return lambda x: None
    return Boundary(x).predictor(engine, y, to_reals=to_reals)


def _from_float32(predict: Predict) -> Callable[[Any], Array | None]:
    """What run is for a file with a float32 input: it takes that dtype alone."""

    def run(x: Any) -> Array | None:
        if type(x) is not np.ndarray or x.dtype != np.float32:
            return None
        found = predict(x)
        return None if found is None else found[0]

    return run
