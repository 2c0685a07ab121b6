"""Everything about an op but its arithmetic: one `OpSpec` in each file of this package.

`image`, `plan`, `_graph_check`, `tflite_writer` and the summaries ask it and know no single op.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph.tensor import Activation, DType, Op, Tensor

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

O = TypeVar("O", bound=Op)  # noqa: E741

WORD = 4
WEIGHT_ALIGNMENT = 16


class InPlace(Enum):
    """Whether an op's output may have the bytes of its input."""

    NEVER = "never"
    LAST_READER = "when no later op reads the input"
    ALIAS = "always: the bytes stay as they are"


@dataclass(frozen=True)
class Block:
    """Bytes for the image's data section; the op's record has their offset.

    make: returns them. shared: equal blocks are stored once, because nothing changes them. derived:
    they follow from the graph, so an image in which they differ is no image of it.
    """

    make: Callable[[], bytes | memoryview]
    alignment: int = WORD
    shared: bool = False
    derived: bool = False


# Parameters of an op in the order of its record: bytes, a multiple of 4, or the offset of a block.
Params = Sequence[bytes | Block]


@dataclass(frozen=True)
class Placed(Generic[O]):
    """An op with its tensors. where: how messages name it."""

    op: O
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    where: str

    @property
    def x(self) -> Tensor:
        return self.inputs[0]

    @property
    def y(self) -> Tensor:
        return self.outputs[0]

    def refuse(self, what: str) -> NoReturn:
        raise ModelError(f"{self.where}: {what}")


class Record(ABC):
    """An op's record in an image that the C library has checked."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    params: bytes

    @abstractmethod
    def tensor(self, index: int) -> Tensor: ...

    @abstractmethod
    def array(self, word: int, dtype: str, count: int) -> npt.NDArray[Any]:
        """count values of the block whose offset is the parameter at this word; they belong to this
        op alone. ModelError where ops would take more than the data section has."""

    def u32(self, word: int) -> int:
        return int.from_bytes(self.params[WORD * word : WORD * (word + 1)], "little")

    def i32(self, word: int) -> int:
        return int.from_bytes(self.params[WORD * word : WORD * (word + 1)], "little", signed=True)


@dataclass(frozen=True)
class Reader:
    """Makes ops of the graph from an op of a .tflite file. max_version: the greatest that
    TensorFlow Lite 2.14 runs."""

    read: Callable[[Builder, RawOp], None]
    max_version: int


@dataclass(frozen=True)
class Overlap:
    """How an op's output may overlap its input, if no op reads that afterwards: the output
    (output_first) or the input begins at least this many bytes before the other."""

    distance: int
    output_first: bool = True


@dataclass(frozen=True)
class RowWindow:
    """Output row o takes the input rows from o * stride - pad on, `reach` of them."""

    reach: int = 1
    stride: int = 1
    pad: int = 0


@dataclass(frozen=True)
class ChannelSource:
    """Which channels of one input an op's output is made of, where each channel of the output (a
    position of its last axis) depends on one channel of the input at most.

    channels: the input's channel of each channel of the output from `first` on; the other channels
    of the output take none. is_repeated: the input has one channel, which stands for as many as the
    output has.
    """

    channels: npt.NDArray[np.intp]
    first: int = 0
    is_repeated: bool = False

    @property
    def places(self) -> slice:
        """The channels of the output that take one of the input."""
        return slice(self.first, self.first + len(self.channels))


ChannelSources = Sequence[ChannelSource] | None


class OpSpec(ABC, Generic[O]):
    """One op: its place in the image, its rules and its cost."""

    name: str  # as bp_op_name has it
    kind: type[O]
    takes = "int8"  # what of the op is supported, for the table in the README
    stands_for = ""  # ops of a file, where no single one becomes this op
    in_place = InPlace.NEVER
    # Bits of the parameters' first word that an image may leave out: claims that the reader checks.
    claims = 0

    @property
    def code(self) -> int:
        """The op's number in images."""
        return _raw.op_code(self.name)

    @abstractmethod
    def check(self, at: Placed[O]) -> None:
        """ModelError for an op that no image can hold."""

    @abstractmethod
    def params(self, at: Placed[O]) -> Params:
        """The parameters of the op's record."""

    def halfword_params(self, at: Placed[O]) -> Params:
        """The same for firmware that keeps the model as it is, where a CPU profits."""
        return self.params(at)

    def has_halfwords(self, record: Record) -> bool:
        """Whether a record has `halfword_params` that are not `params`."""
        return False

    @abstractmethod
    def decode(self, record: Record) -> O:
        """The op of a record."""

    @abstractmethod
    def tflite_readers(self) -> Mapping[str, Reader]:
        """By the schema's name of the op. The importer is imported here and no earlier: it is slow,
        and needs the ops itself."""

    @abstractmethod
    def write_tflite(self, at: Placed[O], writer: Writer) -> None:
        """Adds the op to a .tflite file. ModelError for what the format cannot state."""

    def own_states(self, op: O) -> tuple[int, ...]:
        """States that belong to the op in a .tflite file too, where others are variables."""
        return ()

    def scratch_bytes(self, at: Placed[O]) -> int:
        """Bytes of the arena that the op needs while it runs, the same on every CPU."""
        return 0

    def overwrites(self, at: Placed[O]) -> tuple[int, ...]:
        """Positions of the inputs whose bytes output 0 may take once no op reads them."""
        return (0,) if self.in_place is InPlace.LAST_READER else ()

    def overlap(self, at: Placed[O]) -> Overlap | None:
        """None for an op whose output must have no byte of its input, unless `in_place` says so."""
        return None

    def row_window(self, at: Placed[O]) -> RowWindow | None:
        """Which input rows an output row takes; None for an op that does not work row by row."""
        return None

    def channel_sources(self, at: Placed[O]) -> ChannelSources:
        """For each input where the output's channels come from; None where a channel of the output
        may depend on several of an input."""
        return None

    def with_channels(self, at: Placed[O], kept: npt.NDArray[np.bool_]) -> O:
        """The op when only these channels of its first input are left, and of its output those
        that channel_sources leads to."""
        return at.op

    def macs(self, at: Placed[O]) -> int:
        """Multiplications with weights."""
        return 0

    def weights(self, op: O) -> int:
        """Number of int8 weights."""
        return 0

    def weight_bytes(self, op: O) -> int:
        """Bytes of weights and biases."""
        return 0

    def activation(self, op: O) -> Activation:
        """What the op ends in, for summaries."""
        return Activation.NONE

    def detail(self, op: O) -> tuple[str, ...]:
        """What a table of layers says of it."""
        return ()


def n_channels(tensor: Tensor) -> int:
    """Positions of the last axis."""
    return tensor.shape[-1] if tensor.shape else 1


def same_channels(at: Placed[Any]) -> ChannelSources:
    """For an op with one input whose channels the output has, at whatever positions."""
    n = n_channels(at.x)
    return [ChannelSource(np.arange(n))] if n == n_channels(at.y) else None


def float_bits(value: np.float32) -> bytes:
    """The float32 as little-endian bytes."""
    return np.array(value, "<f4").tobytes()


def words(*values: int) -> bytes:
    """Signed 32-bit numbers as little-endian bytes."""
    return np.array(values, "<i4").tobytes()


def listed(values: Sequence[int]) -> str:
    """Numbers per axis, for summaries."""
    return ", ".join(map(str, values))


def range_words(y_range: tuple[int, int]) -> bytes:
    """A clamping range as the 4 bytes that the image has for it."""
    return np.array(y_range, "<i2").tobytes()


def refuse_unless_int8(at: Placed[Any]) -> None:
    kinds = [t.dtype for t in (at.x, at.y)]
    if any(kind is not DType.INT8 for kind in kinds):
        at.refuse(f"expected INT8 to INT8, got {kinds[0].name} to {kinds[1].name}")


def refuse_unless_same_type(at: Placed[Any]) -> None:
    """For ops that move bytes: all inputs have the output's data type."""
    for x in at.inputs:
        if x.dtype != at.y.dtype:
            at.refuse(f"expected one data type, got {x.dtype.name} to {at.y.dtype.name}")


def refuse_int16(at: Placed[Any]) -> None:
    """For ops that move bytes one by one."""
    if any(t.dtype is DType.INT16 for t in (*at.inputs, at.y)):
        at.refuse("int16, expected int8 or uint8")
