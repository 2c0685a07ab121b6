"""int8 models from float networks: weights, or a float32 .tflite, and samples of the inputs.

Weights get one symmetric scale an output, activations the range that the samples take, 0 included.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.data.npz import read_npz
from byteprop.errors import ArgumentError, ModelError
from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.graph.float_network import FloatLayer, FloatNetwork, Floats, activate
from byteprop.importer import formats
from byteprop.model import Model
from byteprop.ops import Dense, Reshape, Softmax

_ACTIVATIONS = {
    "linear": Activation.NONE,
    "relu": Activation.RELU,
    "relu6": Activation.RELU6,
    "softmax": Activation.NONE,
}
_CODES = range(-128, 128)
_LARGEST_WEIGHT = 127
_SUM_LIMIT = 2**31 - 1
_CHUNK = 1024
_BLOCK = 1 << 16
# Weights hardly compress: beyond this a file that unpacks to more than its size is refused.
_SMALL_ARRAYS = 4_000_000
_IRRELEVANT_LOGIT = 12.0  # below the largest: a probability of 1 in 160,000


def quantize(
    network: Any,
    representative_data: Any,
    *,
    activations: Sequence[str] | None = None,
    float_border: bool = False,
) -> Model:
    """An int8 model of a float network.

    network: a list of (weights [n_in, n_out], bias [n_out]) or of FloatLayer; a flat list as Keras'
    get_weights gives it; a mapping or an .npz file whose arrays are such a list in their order; or
    a float32 .tflite (path or bytes) of FULLY_CONNECTED, RELU, RELU6, SOFTMAX and RESHAPE.
    representative_data: real inputs, batch first; the pixels of images (uint8) stand for 0 .. 1.
    activations: one per layer, by default relu and at the end softmax (linear with one output); a
    .tflite file has its own. float_border: the model and its file take and give float32.

    ArgumentError for weights or data that do not fit together, DataError for a damaged .npz,
    ModelError for a damaged .tflite or a file of another kind, UnsupportedOpError for one with
    other ops. A file of n bytes takes at most 4n bytes of memory and 16 MB.
    """
    floats = float_network(network, activations)
    x = _checked_data(representative_data, floats.input_shape)
    pixels = x.dtype == np.uint8
    reals = x.astype(np.float64) / 255 if pixels else x.astype(np.float64)
    ranges = _ranges(floats, reals)
    if pixels:
        ranges[0] = (0.0, 1.0)
    return Model(_quantized(floats, ranges, float_border))


def float_network(network: Any, activations: Sequence[str] | None = None) -> FloatNetwork:
    """The float network behind what quantize takes."""
    if isinstance(network, FloatNetwork):
        return network
    if isinstance(network, (bytes, bytearray, memoryview)):
        return _from_tflite(bytes(network), activations)
    if isinstance(network, (str, os.PathLike)):
        return _from_file(Path(network), activations)
    if isinstance(network, Mapping):
        return _from_arrays(list(network.values()), activations)
    if isinstance(network, Sequence):
        return _from_arrays(list(network), activations)
    raise ArgumentError(
        f"network: expected weights, a mapping, or an .npz or .tflite file, got "
        f"{type(network).__name__}"
    )


# --------------------------------------------------------------------------------------- networks


def _from_file(path: Path, activations: Sequence[str] | None) -> FloatNetwork:
    if path.suffix == ".npz" or formats.is_npz(path):
        limit = path.stat().st_size + _SMALL_ARRAYS
        return _from_arrays(list(read_npz(path, limit=limit).values()), activations)
    data = formats.read_model(path, formats.TFLITE)
    try:
        return _from_tflite(data, activations)
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from error


def _from_tflite(data: bytes, activations: Sequence[str] | None) -> FloatNetwork:
    from byteprop.importer.float_network import read_float_tflite

    if activations is not None:
        raise ArgumentError("activations: a .tflite file has its own")
    if formats.model_kind(data) != formats.TFLITE:
        raise ModelError(formats.not_a_model(data, len(data), (formats.TFLITE,)))
    return read_float_tflite(data)


def _from_arrays(items: list[Any], activations: Sequence[str] | None) -> FloatNetwork:
    if items and all(isinstance(item, FloatLayer) for item in items):
        layers = items
    else:
        layers = _layers(_pairs(items), activations)
    _check_chain(layers)
    return FloatNetwork(tuple(layers), (layers[0].weights.shape[0],))


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    if items and all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items):
        return [(item[0], item[1]) for item in items]
    if not items or len(items) % 2:
        raise ArgumentError(
            f"network: expected weights and bias in turn, at least one of each, got {len(items)}"
        )
    return list(zip(items[::2], items[1::2], strict=True))


def _layers(pairs: list[tuple[Any, Any]], activations: Sequence[str] | None) -> list[FloatLayer]:
    if activations is None:
        last = "softmax" if np.size(pairs[-1][1]) > 1 else "linear"
        activations = ["relu"] * (len(pairs) - 1) + [last]
    if len(activations) != len(pairs):
        raise ArgumentError(
            f"activations: expected {len(pairs)}, one per layer, got {len(activations)}"
        )
    return [
        FloatLayer(_reals(w, f"weights {i}", 2), _reals(b, f"bias {i}", 1), activation)
        for i, ((w, b), activation) in enumerate(zip(pairs, activations, strict=True))
    ]


def _reals(numbers: Any, name: str, rank: int) -> Floats:
    array = np.asarray(numbers)
    if array.dtype.kind not in "fiu" or array.ndim != rank or array.size == 0:
        raise ArgumentError(
            f"{name}: expected numbers with {rank} dimensions, got {array.dtype} {array.shape}"
        )
    if not np.isfinite(array).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ArgumentError(f"{name}: expected finite numbers, got {array[at]} at position {at}")
    return array.astype(np.float64)


def _check_chain(layers: Sequence[FloatLayer]) -> None:
    for i, layer in enumerate(layers):
        if layer.activation not in _ACTIVATIONS:
            raise ArgumentError(
                f"activations[{i}]: expected {', '.join(_ACTIVATIONS)}, got {layer.activation!r}"
            )
        if layer.activation == "softmax" and i != len(layers) - 1:
            raise ArgumentError(f"activations[{i}]: softmax is for the last layer only")
        if layer.bias.shape != (layer.weights.shape[1],):
            raise ArgumentError(
                f"bias {i}: expected shape ({layer.weights.shape[1]},), got {layer.bias.shape}"
            )
        before = layers[i - 1].weights.shape[1]
        if i and layer.weights.shape[0] != before:
            raise ArgumentError(
                f"weights {i}: expected {before} inputs, as the layer before has outputs, got "
                f"{layer.weights.shape[0]}"
            )


# ------------------------------------------------------------------------------------ calibration


def _checked_data(given: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    x = np.asarray(given)
    if x.dtype.kind not in "fiub":
        raise ArgumentError(f"representative_data: expected real numbers, got {x.dtype}")
    if x.ndim < 1 or len(x) == 0 or x.shape[1:] != shape:
        expected = ", ".join(["N", *map(str, shape)])
        raise ArgumentError(
            f"representative_data: expected shape ({expected}), N at least 1, got {x.shape}"
        )
    if not np.isfinite(x).all():
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ArgumentError(
            f"representative_data: expected finite numbers, got {x[at]} at position {at}"
        )
    return x


def _ranges(network: FloatNetwork, x: Floats) -> list[tuple[float, float]]:
    """Of the input and of what each dense layer gives, before a softmax."""
    ranges = [(float(x.min()), float(x.max()))]
    lows = [math.inf] * len(network.layers)
    highs = [-math.inf] * len(network.layers)
    for i in range(0, len(x), _CHUNK):
        rows = x[i : i + _CHUNK].reshape(len(x[i : i + _CHUNK]), -1)
        for k, layer in enumerate(network.layers):
            linear = "linear" if layer.activation == "softmax" else layer.activation
            rows = activate(rows @ layer.weights + layer.bias, linear)
            least = _least_logit(rows) if layer.activation == "softmax" else rows.min()
            lows[k], highs[k] = min(lows[k], least), max(highs[k], rows.max())
    return [*ranges, *((float(a), float(b)) for a, b in zip(lows, highs, strict=True))]


def _least_logit(logits: Floats) -> float:
    """A logit far below a sample's largest has no probability to speak of and may saturate;
    the steps are then finer where the answer is decided."""
    return float(max(logits.min(), logits.max(axis=1).min() - _IRRELEVANT_LOGIT))


# ----------------------------------------------------------------------------------------- graph


def _quantized(
    network: FloatNetwork, ranges: list[tuple[float, float]], float_border: bool
) -> Graph:
    shape = (1, *network.input_shape)
    tensors = [Tensor(network.input_name, shape, DType.INT8, *_scale(ranges[0]), float_border)]
    ops: list[Op] = []
    if len(network.input_shape) > 1:
        x = tensors[0]
        flat = (1, x.elems)
        tensors.append(Tensor("flatten", flat, DType.INT8, x.scale, x.zero_point))
        ops.append(Reshape(0, 1))
    for index, layer in enumerate(network.layers):
        last = index == len(network.layers) - 1 and layer.activation != "softmax"
        name = layer.name or ("dense" if index == 0 else f"dense_{index}")
        scale, zero_point = _scale(ranges[index + 1])
        units = (1, layer.weights.shape[1])
        y = Tensor(name, units, DType.INT8, scale, zero_point, float_border and last)
        ops.append(_dense(layer, tensors[-1], len(tensors) - 1))
        tensors.append(y)
    if network.layers[-1].activation == "softmax":
        y = tensors[-1]
        probability = np.float32(1 / 256)
        tensors.append(Tensor("softmax", y.shape, DType.INT8, probability, -128, float_border))
        ops.append(Softmax(len(tensors) - 2, len(tensors) - 1))
    return Graph(tuple(tensors), tuple(ops), (0,), (len(tensors) - 1,))


def _scale(limits: tuple[float, float]) -> tuple[np.float32, int]:
    """256 steps from the least to the largest value and 0, which is one of them."""
    low, high = min(limits[0], 0.0), max(limits[1], 0.0)
    if low == high:
        return np.float32(1.0), 0
    scale = np.float32((high - low) / (len(_CODES) - 1))
    if not (np.isfinite(scale) and scale > np.finfo(np.float32).tiny):
        raise ArgumentError(f"representative_data: values from {low:g} to {high:g} have no scale")
    zero_point = math.floor(_CODES[0] - low / float(scale) + 0.5)
    return scale, max(_CODES[0], min(_CODES[-1], zero_point))


def _dense(layer: FloatLayer, x: Tensor, source: int) -> Dense:
    scales = _weight_scales(layer, float(x.scale))
    bias = _rounded(layer.bias / (scales.astype(np.float64) * float(x.scale)))
    return Dense(
        input=source,
        output=source + 1,
        weights=_steps(layer.weights, scales),
        bias=bias.astype(np.int32),
        weight_scales=scales,
        activation=_ACTIVATIONS[layer.activation],
    )


def _weight_scales(layer: FloatLayer, x_scale: float) -> npt.NDArray[np.float32]:
    """One an output: the largest weight in 127 steps, or wider where the bias, which counts in
    steps of the input times the weights, would not fit. What is lost of the weights then is far
    below a step of the output."""
    largest = np.maximum(layer.weights.max(axis=0), -layer.weights.min(axis=0))
    # An output without weights takes the scale of the others: its bias is all there is of it.
    largest[largest == 0] = largest.max() if largest.max() > 0 else 1.0
    largest_sum = (_CODES[-1] - _CODES[0]) * _LARGEST_WEIGHT * len(layer.weights)
    most = max(_SUM_LIMIT - largest_sum, 1)
    least = np.abs(layer.bias) / (most * x_scale)
    with np.errstate(over="ignore"):
        scales = np.maximum(largest / _LARGEST_WEIGHT, least).astype(np.float32)
    too_large = np.flatnonzero(~np.isfinite(scales))
    if too_large.size:
        at = int(too_large[0])
        raise ArgumentError(
            f"output {at}: expected weights and bias in the range of float32, got weights up to "
            f"{largest[at]:g}, bias {layer.bias[at]:g} for inputs in steps of {x_scale:g}"
        )
    return np.maximum(scales, np.finfo(np.float32).tiny)


def _steps(weights: Floats, scales: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """int8 [n_out, n_in], some rows at a time: a copy in double takes eight times as much."""
    n_in, n_out = weights.shape
    steps = np.empty((n_out, n_in), np.int8)
    rows = max(1, _BLOCK // n_in)
    for i in range(0, n_out, rows):
        block = _rounded(weights[:, i : i + rows] / scales[i : i + rows].astype(np.float64))
        steps[i : i + rows] = np.clip(block, -_LARGEST_WEIGHT, _LARGEST_WEIGHT).T
    return steps


def _rounded(x: Floats) -> Floats:
    rounded: Floats = np.floor(x + 0.5)
    return rounded
