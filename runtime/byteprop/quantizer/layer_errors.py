"""How far each layer of an int8 model is from the float network that it was made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from byteprop.float_ops import walk
from byteprop.graph.float_graph import Array
from byteprop.graph.tensor import Tensor
from byteprop.model import Model
from byteprop.quantizer.network import FloatNetwork
from byteprop.quantizer.scales import HIGHEST, LOWEST
from byteprop.reference import dequantize, quantize, run_layers

_MOST_SAMPLES = 16
_MOST_MACS = 100_000_000


@dataclass(frozen=True)
class LayerError:
    """error: root of the mean square difference, relative to that of the float values; everything
    before the layer is quantised too. saturated: share of the float values beyond the range of the
    integers. None: the float network has no such tensor, or in another shape."""

    index: int
    op: str
    tensor: str
    shape: tuple[int, ...]
    error: float | None
    saturated: float | None


def layer_errors(network: FloatNetwork, model: Model, x: Sequence[Array]) -> tuple[LayerError, ...]:
    """Of the first samples of x (as many as 100 million multiplications, 16 at most), real values
    of each input."""
    n = max(1, min(_MOST_SAMPLES, _MOST_MACS // max(model.macs, 1)))
    some = [column[:n] for column in network.samples(list(x) if len(x) > 1 else x[0])]
    floats = _named_values(network, some)
    tensors = model.graph.tensors
    codes = [
        quantize(column.reshape(-1, *column.shape[2:]), t.scale, t.zero_point, t.dtype)
        for column, t in zip(some, (tensors[i] for i in model.graph.inputs), strict=True)
    ]
    answers = run_layers(model.graph, codes)
    return tuple(
        _layer_error(layer.index, layer.op, tensors[op.outputs[0]], y, floats)
        for layer, op, y in zip(model.layers, model.graph.ops, answers, strict=True)
    )


def _named_values(network: FloatNetwork, x: Sequence[Array]) -> dict[str, Array]:
    """The values of the tensors that have a name of their own."""
    graph = network.graph
    counts = Counter(tensor.name for tensor in graph.tensors)
    found: dict[str, Array] = {}

    def visit(index: int, values: Array) -> None:
        name = graph.tensors[index].name
        if counts[name] == 1:
            found[name] = values

    walk(graph, x, visit)
    return found


def _layer_error(
    index: int, op: str, tensor: Tensor, codes: Array, floats: dict[str, Array]
) -> LayerError:
    expected = floats.get(tensor.name)
    if expected is None or expected.size != codes.size:
        return LayerError(index, op, tensor.name, tensor.shape, None, None)
    real = expected.reshape(-1).astype(np.float64)
    got = dequantize(codes, tensor.scale, tensor.zero_point).reshape(-1).astype(np.float64)
    size = float(np.sqrt(np.mean(real**2)))
    error = float(np.sqrt(np.mean((got - real) ** 2))) / size if size else None
    steps = np.rint(real / float(tensor.scale)) + tensor.zero_point
    saturated = float(np.mean((steps < LOWEST) | (steps > HIGHEST)))
    return LayerError(index, op, tensor.name, tensor.shape, error, saturated)
