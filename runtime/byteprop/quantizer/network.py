"""The float network behind what quantize takes: layers, arrays, or a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byteprop.data.npz import read_npz
from byteprop.errors import ArgumentError, ModelError
from byteprop.float_ops import run
from byteprop.graph.float_graph import Array, FloatGraph
from byteprop.importer import formats
from byteprop.quantizer.keras import (
    is_keras_file,
    is_keras_model,
    tflite_of_file,
    tflite_of_model,
)
from byteprop.quantizer.layers import FloatConv, FloatLayer, FloatPool, graph_of_layers
from byteprop.quantizer.perceptron import is_perceptron, layers_of_perceptron

# Weights hardly compress: beyond this a file that unpacks to more than its size is refused.
_SMALL_ARRAYS = 4_000_000


@dataclass(frozen=True)
class FloatNetwork:
    """A network in floating point, which runs: to measure what quantisation costs."""

    graph: FloatGraph

    def samples(self, x: Any) -> list[Array]:
        """Inputs [n, *shape of the file] each; x: as `run` takes it."""
        columns = [x] if len(self.graph.inputs) == 1 else list(x)
        shapes = [self.graph.tensors[t].shape for t in self.graph.inputs]
        arrays = [np.asarray(column) for column in columns]
        return [a.reshape(-1, *shape) for a, shape in zip(arrays, shapes, strict=True)]

    def run(self, x: Any) -> Any:
        """The outputs of a batch of real inputs [n, ...]: one array, or a list of several. x: one
        array, or one per input in a list."""
        outputs = [y.reshape(-1, *y.shape[2:]) for y in run(self.graph, self.samples(x))]
        return outputs[0] if len(outputs) == 1 else outputs


def float_network(
    network: Any,
    activations: Sequence[str] | None = None,
    input_shape: tuple[int, ...] | None = None,
) -> FloatNetwork:
    """The float network behind what quantize takes. input_shape: of one sample, for layers of which
    the first is a convolution."""
    if isinstance(network, FloatNetwork):
        return network
    if isinstance(network, (bytes, bytearray, memoryview)):
        return _from_tflite(bytes(network), activations)
    if isinstance(network, (str, os.PathLike)):
        return _from_file(Path(network), activations)
    if is_keras_model(network):
        return _from_tflite(tflite_of_model(network), activations)
    if is_perceptron(network):
        return _from_arrays(list(layers_of_perceptron(network)), activations, None)
    if isinstance(network, Mapping):
        return _from_arrays(list(network.values()), activations, None)
    if isinstance(network, Sequence):
        return _from_arrays(list(network), activations, input_shape)
    raise ArgumentError(
        f"network: expected a float model file, a model of Keras or scikit-learn, or weights, got "
        f"{type(network).__name__}; models of PyTorch become one by litert-torch, those of ONNX by "
        "onnx2tf (byteprop help quantization)"
    )


def _from_file(path: Path, activations: Sequence[str] | None) -> FloatNetwork:
    if path.suffix == ".npz" or formats.is_npz(path):
        limit = path.stat().st_size + _SMALL_ARRAYS
        return _from_arrays(list(read_npz(path, limit=limit).values()), activations, None)
    is_keras = is_keras_file(path)
    data = tflite_of_file(path) if is_keras else formats.read_model(path, formats.TFLITE)
    try:
        return _from_tflite(data, activations)
    except ModelError as error:
        raise type(error)(f"{path}: {error}") from error


def _from_tflite(data: bytes, activations: Sequence[str] | None) -> FloatNetwork:
    from byteprop.importer.float_graph import read_float_tflite

    if activations is not None:
        raise ArgumentError("activations: a .tflite file has its own")
    if formats.model_kind(data) != formats.TFLITE:
        raise ModelError(formats.not_a_model(data, len(data), (formats.TFLITE,)))
    return FloatNetwork(read_float_tflite(data))


def _from_arrays(
    items: list[Any], activations: Sequence[str] | None, input_shape: tuple[int, ...] | None
) -> FloatNetwork:
    if items and all(isinstance(item, (FloatLayer, FloatConv, FloatPool)) for item in items):
        if activations is not None:
            raise ArgumentError("activations: layers have their own")
        return FloatNetwork(graph_of_layers(items, input_shape))
    return FloatNetwork(graph_of_layers(_layers(_pairs(items), activations), None))


def _pairs(items: list[Any]) -> list[tuple[Any, Any]]:
    if items and all(isinstance(item, (tuple, list)) and len(item) == 2 for item in items):
        return [(item[0], item[1]) for item in items]
    if not items or len(items) % 2:
        raise ArgumentError(
            f"network: expected weights and bias in turn, at least one of each, got {len(items)}"
        )
    return list(zip(items[::2], items[1::2], strict=True))


def _layers(pairs: list[tuple[Any, Any]], activations: Sequence[str] | None) -> list[FloatLayer]:
    for i, (weights, _) in enumerate(pairs):
        if np.ndim(weights) == 4:
            raise ArgumentError(
                f"weights {i}: arrays of convolutions do not say their strides; give "
                "byteprop.quantizer.FloatConv, FloatPool and FloatLayer, or a float .tflite"
            )
    if activations is None:
        last = "softmax" if np.size(pairs[-1][1]) > 1 else "linear"
        activations = ["relu"] * (len(pairs) - 1) + [last]
    if len(activations) != len(pairs):
        raise ArgumentError(
            f"activations: expected {len(pairs)}, one per layer, got {len(activations)}"
        )
    return [
        FloatLayer(w, b, activation) for (w, b), activation in zip(pairs, activations, strict=True)
    ]
