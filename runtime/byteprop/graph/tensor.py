"""What graphs are made of: tensors, and the base of every op. The ops themselves are in `ops`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TypeVar

import numpy as np

from byteprop.graph.normalization import Normalization

OpT = TypeVar("OpT", bound="Op")


class DType(IntEnum):
    """Data type of a tensor on the device (values: BP_DTYPE_* in byteprop/model.h).

    INT16: two elements are one value, the lower byte first, along the last axis. Ops that move
    bytes take such a tensor as it is.
    """

    INT8 = 1
    UINT8 = 2
    INT16 = 3

    @property
    def numpy(self) -> np.dtype[np.generic]:
        """Of the elements."""
        return np.dtype(np.uint8 if self is DType.UINT8 else np.int8)

    @property
    def value_numpy(self) -> np.dtype[np.generic]:
        """Of the values, as a file states it."""
        return np.dtype("<i2") if self is DType.INT16 else self.numpy

    @property
    def width(self) -> int:
        """Elements of a value."""
        return 2 if self is DType.INT16 else 1

    def of_values(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of a tensor that holds values in this shape."""
        return (*shape[:-1], self.width * shape[-1]) if shape else shape

    def values_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the values that a tensor of this shape holds."""
        return (*shape[:-1], shape[-1] // self.width) if shape else shape


class Activation(IntEnum):
    """Activation fused into an op (values: BP_ACT_* in byteprop/model.h)."""

    NONE = 0
    RELU = 1
    RELU6 = 2
    RELU_N1_TO_1 = 3
    RELU_0_TO_1 = 4


class Kind(IntEnum):
    """Where a tensor's values are (values: BP_KIND_* in byteprop/model.h).

    ACTIVATION: in the arena while an op still reads them. CONSTANT: in the model. STATE: in the
    arena from one inference to the next; before the first the tensor's data, or the zero point.
    ROWS: an image whose last rows are in the arena while the model is fed row by row.
    """

    ACTIVATION = 0
    CONSTANT = 1
    STATE = 2
    ROWS = 5


@dataclass(frozen=True)
class Tensor:
    """A tensor. real = scale * (quantised - zero_point).

    float_border: the file presents this input or output as float32; the host quantises or
    dequantises it, and everything inside sees the integers. normalization: of such an input; its
    scale and zero point then hold for the normalised values. data: a constant's values as bytes,
    and those that a state begins with, b"" for its zero point. channels: where channels were left
    out, those of the file's tensor that are here. rows: of kind ROWS, how many of them are in the
    arena.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    scale: np.float32
    zero_point: int
    float_border: bool = False
    normalization: Normalization | None = None
    kind: Kind = Kind.ACTIVATION
    data: bytes = b""
    channels: tuple[int, ...] | None = field(default=None, compare=False)
    rows: int = 0

    @property
    def elems(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) if self.shape else 1

    @property
    def value_shape(self) -> tuple[int, ...]:
        """The shape of its values, as a file states it."""
        return self.dtype.values_of(self.shape)

    @property
    def arena_bytes(self) -> int:
        """Bytes that it has in the arena, if it is there."""
        return self.rows * (self.elems // self.shape[1]) if self.rows else self.elems


@dataclass(frozen=True)
class Op:
    """One op between tensors of its graph, which it names by index.

    Most ops have one input and one output; the class of another op adds fields and overrides
    `inputs` or `outputs`.
    """

    input: int
    output: int

    @property
    def inputs(self) -> tuple[int, ...]:
        """Tensors that it reads, in the order of the image's record."""
        return (self.input,)

    @property
    def outputs(self) -> tuple[int, ...]:
        """Tensors that it writes, in the order of the image's record."""
        return (self.output,)

    def renumbered(self: OpT, number: Mapping[int, int]) -> OpT:
        """The same op on the tensors that these numbers name."""
        return replace(self, input=number[self.input], output=number[self.output])
