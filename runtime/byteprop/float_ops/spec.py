"""What a float op states: what it computes, and how TensorFlow Lite ties the scales of its int8
form together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from byteprop.graph.float_graph import Array, Node

# Of tflite.ActivationFunctionType.
_BOUNDS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
FUSED = "FusedActivationFunction"
LEAST_SCALE = 2.0**-20


class Scales(Enum):
    """How the output's scale is chosen. OWN: from the values that it takes. SAME: inputs and
    outputs have one scale, since the op moves bytes or compares them."""

    OWN = "own"
    SAME = "same"


class Fixed(NamedTuple):
    """The one scale and zero point that TensorFlow Lite takes for an output."""

    scale: float
    zero_point: int


class Weights(NamedTuple):
    """Operands of an op with weights, and the axis of the weights that has the output channels."""

    weights: int
    bias: int
    axis: int


class FloatOp(ABC):
    """names: of the schema. table: that of its options, which has these fields."""

    names: tuple[str, ...]
    table: str | None = None
    fields: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()  # of the fields those that are vectors
    scales: Scales | Fixed = Scales.OWN
    weights: Weights | None = None
    # Of inputs and outputs. An op that compares with a number has no use for steps far below it,
    # and TensorFlow Lite no multiplier for them.
    least_scale: float = 0.0

    @abstractmethod
    def run(self, node: Node, x: list[Any]) -> list[Array]:
        """The outputs. Tensors have an axis of samples in front of their own, of length 1 for
        constants; integers are plain arrays; None is an input that is left out."""


def fused(options: Mapping[str, Any], y: Array) -> Array:
    """With the activation of the options."""
    low, high = _BOUNDS[options.get(FUSED, 0)]
    return y if low == -np.inf else np.clip(y, low, high)


def own_axes(axes: Any, rank: int) -> tuple[int, ...]:
    """Axes of a tensor of this rank, as NumPy counts them behind the axis of samples."""
    return tuple(int(a) % rank + 1 for a in np.asarray(axes).reshape(-1))


def merged(x: Array) -> Array:
    """Samples and batch as one axis."""
    return x.reshape(x.shape[0] * x.shape[1], *x.shape[2:])


def split(y: Array, samples: int) -> Array:
    """What merged has made one."""
    return y.reshape(samples, -1, *y.shape[1:])
