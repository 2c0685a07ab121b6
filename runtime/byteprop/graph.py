"""The model between file formats: what an importer produces and the image encoder, the reference
and the exporters consume.

A graph is a list of ops in execution order over tensors named by index. Constants live in the ops.
Shapes are those of the file with a dynamic batch set to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt


class DType(IntEnum):
    """Data type of a tensor on the device (values: BP_DTYPE_* in byteprop/model.h)."""

    INT8 = 1
    UINT8 = 2

    @property
    def numpy(self) -> np.dtype[np.generic]:
        return np.dtype(self.name.lower())


class Activation(IntEnum):
    """Activation fused into an op (values: BP_ACT_* in byteprop/model.h)."""

    NONE = 0
    RELU = 1
    RELU6 = 2
    RELU_N1_TO_1 = 3
    RELU_0_TO_1 = 4


@dataclass(frozen=True, eq=False)
class Normalization:
    """What the host does to a float32 input before it is quantised: (x - sub) * mul, each step in
    float32, feature by feature.

    sub, mul: float32 [n]. Value i of a sample takes the constants i mod n, so that n is 1, or the
    size of a sample's last axis, its last two, and so on.
    """

    sub: npt.NDArray[np.float32]
    mul: npt.NDArray[np.float32]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Normalization) and self._bits() == other._bits()

    def __hash__(self) -> int:
        return hash(self._bits())

    def _bits(self) -> tuple[bytes, bytes]:
        return self.sub.tobytes(), self.mul.tobytes()


@dataclass(frozen=True)
class Tensor:
    """An activation. real = scale * (quantised - zero_point).

    float_border: the file presents this input or output as float32; the host quantises or
    dequantises it, and everything inside sees the integers. normalization: of such an input; its
    scale and zero point then hold for the normalised values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    scale: np.float32
    zero_point: int
    float_border: bool = False
    normalization: Normalization | None = None

    @property
    def elems(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 1


@dataclass(frozen=True)
class Dense:
    """FULLY_CONNECTED: weights int8 [n_out, n_in], bias int32 [n_out] at scale s_x * s_w,
    weight_scales float32 [1] (per tensor) or [n_out] (per channel)."""

    input: int
    output: int
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32]
    weight_scales: npt.NDArray[np.float32]
    activation: Activation = Activation.NONE
    has_bias: bool = True


@dataclass(frozen=True)
class Rescale:
    """Integer QUANTIZE (activation NONE), or RELU and its kin on their own."""

    input: int
    output: int
    activation: Activation = Activation.NONE


@dataclass(frozen=True)
class Softmax:
    """SOFTMAX over the last axis; output scale 1/256, zero point -128."""

    input: int
    output: int
    beta: np.float32 = np.float32(1.0)


@dataclass(frozen=True)
class Reshape:
    """The same bytes under another shape."""

    input: int
    output: int


Op = Dense | Rescale | Softmax | Reshape


@dataclass(frozen=True)
class Graph:
    tensors: tuple[Tensor, ...]
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
