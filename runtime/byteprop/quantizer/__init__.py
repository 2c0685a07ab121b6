"""int8 models from float networks: a float .tflite, layers, or weights, and samples of the inputs.

Weights get one symmetric scale per output channel, activations the range that the samples take, 0
included. Ways to choose ranges, and the correction of biases, are tried on the samples: the one
whose outputs are closest to the float network's is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from byteprop.errors import ArgumentError
from byteprop.model import Model
from byteprop.quantizer.calibration import METHODS
from byteprop.quantizer.layer_errors import LayerError, layer_errors
from byteprop.quantizer.layers import FloatConv, FloatLayer, FloatPool
from byteprop.quantizer.network import FloatNetwork, float_network
from byteprop.quantizer.search import Options, best_model

__all__ = [
    "FloatConv", "FloatLayer", "FloatNetwork", "FloatPool", "LayerError", "float_network",
    "layer_errors", "quantize",
]  # fmt: skip


def quantize(
    network: Any,
    representative_data: Any,
    *,
    activations: Sequence[str] | None = None,
    float_border: bool = False,
    ranges: str = "auto",
    bias_correction: bool | None = None,
) -> Model:
    """An int8 model of a float network.

    network: a float .tflite (path or bytes; weights may be float16); a Keras model or its file
    (.keras, .h5, a SavedModel), where TensorFlow is installed; a fitted MLPClassifier or
    MLPRegressor of scikit-learn; or a list of layers: FloatConv, FloatPool and FloatLayer of
    byteprop.quantizer. For dense layers alone also a list of (weights [n_in, n_out], bias [n_out]),
    a flat list as Keras' get_weights gives it, or a mapping or an .npz file whose arrays are such a
    list in their order.
    representative_data: real inputs, batch first; the pixels of images (uint8) stand for 0 .. 1.
    A list of arrays where the network has several inputs.
    activations: one per dense layer, by default relu and at the end softmax (linear with one
    output). float_border: the model and its file take and give float32.
    ranges: of activations inside the network: minmax, mse or percentile. auto takes minmax or mse,
    bias_correction=None corrects biases or not: what is closer to the float network on the samples.

    ArgumentError for weights or data that do not fit together, DataError for a damaged .npz,
    ModelError for a damaged .tflite or a file of another kind, UnsupportedOpError for one with ops
    that byteprop lacks, with their names and numbers. A file of n bytes takes at most 4n bytes of
    memory and 16 MB, and activations of some samples at a time.
    """
    if ranges not in ("auto", *METHODS):
        raise ArgumentError(f"ranges: expected auto, {', '.join(METHODS)}, got {ranges!r}")
    shape = None
    if isinstance(network, Sequence) and any(
        isinstance(n, (FloatConv, FloatPool)) for n in network
    ):
        shape = np.shape(representative_data)[1:]
    floats = float_network(network, activations, shape)
    options = Options(
        ("minmax", "mse") if ranges == "auto" else (ranges,),
        (False, True) if bias_correction is None else (bias_correction,),
        float_border,
    )
    return best_model(floats.graph, representative_data, options)
