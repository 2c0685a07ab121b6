"""Functions of one number: LOGISTIC, TANH, LEAKY_RELU, HARD_SWISH, ELU and the RELUs."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.spec import LEAST_SCALE, Fixed, FloatOp
from byteprop.graph.float_graph import Array, Node


class Logistic(FloatOp):
    """1 / (1 + exp(-x))."""

    names = ("LOGISTIC",)
    scales = Fixed(1 / 256, -128)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [1 / (1 + np.exp(-x[0]))]


class Tanh(FloatOp):
    """The hyperbolic tangent."""

    names = ("TANH",)
    scales = Fixed(1 / 128, 0)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.tanh(x[0])]


class LeakyRelu(FloatOp):
    """x from 0 up, alpha x below."""

    names = ("LEAKY_RELU",)
    table = "LeakyRelu"
    fields = ("Alpha",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        slope = x[0].dtype.type(node.options.get("Alpha", 0.0))
        return [np.where(x[0] >= 0, x[0], x[0] * slope)]


class HardSwish(FloatOp):
    """x relu6(x + 3) / 6."""

    names = ("HARD_SWISH",)
    least_scale = LEAST_SCALE

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [x[0] * np.clip(x[0] + 3, 0, 6) / 6]


class Elu(FloatOp):
    """x from 0 up, exp(x) - 1 below."""

    names = ("ELU",)
    least_scale = LEAST_SCALE

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.where(x[0] >= 0, x[0], np.expm1(np.minimum(x[0], 0)))]


class Relu(FloatOp):
    """x from 0 up."""

    names = ("RELU",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return [np.maximum(x[0], 0)]


class BoundedRelu(FloatOp):
    """x between two bounds."""

    names = ("RELU6", "RELU_N1_TO_1", "RELU_0_TO_1")
    least_scale = LEAST_SCALE

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        low = -1 if node.name == "RELU_N1_TO_1" else 0
        return [np.clip(x[0], low, 6 if node.name == "RELU6" else 1)]
