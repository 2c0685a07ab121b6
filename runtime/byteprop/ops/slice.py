"""Slice: every step-th position of each axis, from a beginning on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import tflite

from byteprop.graph.limits import MAX_RANK
from byteprop.graph.tensor import Op
from byteprop.ops.reshape import Reshape
from byteprop.ops.spec import (
    ChannelSource,
    ChannelSources,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    listed,
    n_channels,
    refuse_unless_same_type,
    words,
)

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Slice(Op):
    """Positions begin, begin + step, ... of each axis, as many as the output has. A step is 1
    where the output has one position, and may be below 0."""

    begin: tuple[int, ...] = ()
    step: tuple[int, ...] = ()


class SliceSpec(OpSpec[Slice]):
    name = "slice"
    kind = Slice
    takes = "int8, uint8 and int16, by constants"

    def check(self, at: Placed[Slice]) -> None:
        refuse_unless_same_type(at)
        op, x, y = at.op, at.x.shape, at.y.shape
        if not len(op.begin) == len(op.step) == len(x) == len(y):
            at.refuse(f"begin {op.begin} and step {op.step} from {len(x)} axes to {len(y)}")
        for begin, step, dim, n in zip(op.begin, op.step, x, y, strict=True):
            if not (0 <= begin < dim and 0 <= begin + (n - 1) * step < dim and step):
                at.refuse(f"{n} positions from {begin} in steps of {step}, {dim} are there")
            if n == 1 and step != 1:
                at.refuse(f"a step of {step} along an axis of one position, expected 1")
        width = at.x.dtype.width
        if width > 1 and (op.begin[-1] % width or op.step[-1] != 1):
            at.refuse(f"of int16 from byte {op.begin[-1]} in steps of {op.step[-1]}")

    def params(self, at: Placed[Slice]) -> Params:
        missing = MAX_RANK - len(at.op.begin)
        return (words(*at.op.begin, *[0] * missing), words(*at.op.step, *[1] * missing))

    def decode(self, record: Record) -> Slice:
        axes = range(len(record.tensor(record.inputs[0]).shape))
        begin = tuple(record.i32(axis) for axis in axes)
        step = tuple(record.i32(MAX_RANK + axis) for axis in axes)
        return Slice(record.inputs[0], record.outputs[0], begin, step)

    def channel_sources(self, at: Placed[Slice]) -> ChannelSources:
        if not at.op.begin or at.op.step[-1] != 1:
            return None
        return [ChannelSource(at.op.begin[-1] + np.arange(n_channels(at.y)))]

    def with_channels(self, at: Placed[Slice], kept: npt.NDArray[np.bool_]) -> Slice:
        begin = at.op.begin
        return replace(at.op, begin=(*begin[:-1], int(np.count_nonzero(kept[: begin[-1]]))))

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {
            "SLICE": Reader(_read_slice, 5),
            "STRIDED_SLICE": Reader(_read_strided_slice, 4),
            "SPLIT": Reader(_read_split, 4),
            "SPLIT_V": Reader(_read_split_v, 2),
            "UNPACK": Reader(_read_unpack, 4),
        }

    def write_tflite(self, at: Placed[Slice], writer: Writer) -> None:
        """SLICE where all steps are 1, else STRIDED_SLICE."""
        x, y, name = writer.tensors[at.op.input], writer.tensors[at.op.output], at.y.name
        first = at.x.dtype.values_of(at.op.begin)
        begin, step, size = (np.array(v, "<i4") for v in (first, at.op.step, at.y.value_shape))
        start = writer.constant(f"{name}/begin", begin)
        if (step == 1).all():
            writer.op("SLICE", [x, start, writer.constant(f"{name}/size", size)], [y], version=2)
            return
        end = begin + (size - 1) * step + np.sign(step)
        # An end below 0 would count from the other end.
        mask = sum(1 << axis for axis in np.flatnonzero(end < 0).tolist())
        ends = writer.constant(f"{name}/end", end.astype("<i4"))
        operands = [x, start, ends, writer.constant(f"{name}/step", step)]
        writer.op("STRIDED_SLICE", operands, [y], version=2, EndMask=mask)

    def detail(self, op: Slice) -> tuple[str, ...]:
        steps = (f"steps {listed(op.step)}",) if set(op.step) != {1} else ()
        return (f"from {listed(op.begin)}", *steps)


# --- from a .tflite file ---


@dataclass(frozen=True)
class _Axis:
    """What is taken of an axis of the input. kept: whether the output has the axis."""

    begin: int
    step: int
    n: int
    kept: bool = True


def _read_slice(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (3,))
    shape = builder.tensors[builder.computed(op)].value_shape
    begin, size = (_vector(builder, op, operand, len(shape)) for operand in (1, 2))
    axes = [
        _Axis(b, 1, dim - b if n == -1 else n) for b, n, dim in zip(begin, size, shape, strict=True)
    ]
    if any(a.begin < 0 or a.begin + a.n > dim for a, dim in zip(axes, shape, strict=True)):
        builder.fail(op, f"{size} positions from {begin} of the shape {list(shape)}")
    _emit(builder, op, axes)


def _read_strided_slice(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (4,))
    options = builder.options(op, tflite.StridedSliceOptions) or _no_options(builder, op)
    if options.Offset():
        builder.unsupported(op, "ends that are offsets in a slice")
    shape = builder.tensors[builder.computed(op)].value_shape
    begin, end, step = (_vector(builder, op, operand) for operand in (1, 2, 3))
    if not len(begin) == len(end) == len(step):
        builder.fail(op, f"{len(begin)} begins, {len(end)} ends and {len(step)} strides")
    if 0 in step:
        builder.fail(op, "a stride of 0")
    rest = iter(shape)
    axes: list[_Axis | None] = []  # None for a new axis of the output
    for i in _positions(builder, op, len(begin), len(shape), options):
        bit = 0 if i is None else 1 << i
        if options.NewAxisMask() & bit:
            axes.append(None)
            continue
        dim = next(rest)
        if i is None:
            axes.append(_Axis(0, 1, dim))
        elif options.ShrinkAxisMask() & bit:
            first = 0 if options.BeginMask() & bit else begin[i]
            if not -dim <= first < dim:
                builder.fail(op, f"position {first} of an axis of {dim}")
            axes.append(_Axis(first % dim, 1, 1, kept=False))
        else:
            first_or_none = None if options.BeginMask() & bit else begin[i]
            end_or_none = None if options.EndMask() & bit else end[i]
            positions = range(dim)[first_or_none : end_or_none : step[i]]
            axes.append(_Axis(positions.start, positions.step, len(positions)))
    _emit(builder, op, axes)


def _no_options(builder: Builder, op: RawOp) -> tflite.StridedSliceOptions:
    builder.fail(op, "its options are missing")


def _positions(
    builder: Builder, op: RawOp, n: int, rank: int, options: tflite.StridedSliceOptions
) -> list[int | None]:
    """For each axis of the input and each new one, the position in begin, end and strides; None
    for an axis that is taken whole, as those of an ellipsis and those after the last position."""
    ellipses = [i for i in range(n) if options.EllipsisMask() >> i & 1]
    new = [i for i in range(n) if options.NewAxisMask() >> i & 1 and i not in ellipses]
    missing = rank - (n - len(new) - len(ellipses))
    # TensorFlow Lite's ellipsis stands for one axis at least, and then drops positions.
    if missing < len(ellipses) or len(ellipses) > 1:
        builder.fail(op, f"{n} positions, {len(ellipses)} of them an ellipsis, of {rank} axes")
    at = ellipses[0] if ellipses else n
    behind: list[int | None] = list(range(at + 1, n))
    return [*range(at), *[None] * missing, *behind]


def _read_split(builder: Builder, op: RawOp) -> None:
    options = builder.options(op, tflite.SplitOptions)
    n = 0 if options is None else options.NumSplits()
    builder.expect_operands(op, (2,), len(op.outputs) or 1)
    shape = builder.tensors[builder.computed(op, 1)].value_shape
    axis = _one_axis(builder, op, builder.numbers(op, 0).reshape(-1).tolist(), len(shape))
    if n != len(op.outputs) or shape[axis] % n:
        builder.fail(op, f"{n} equal parts of {shape[axis]} positions in {len(op.outputs)} outputs")
    _emit_parts(builder, op, axis, [shape[axis] // n] * n, operand=1)


def _read_split_v(builder: Builder, op: RawOp) -> None:
    builder.expect_operands(op, (3,), len(op.outputs) or 1)
    shape = builder.tensors[builder.computed(op)].value_shape
    axis = _one_axis(builder, op, builder.numbers(op, 2).reshape(-1).tolist(), len(shape))
    sizes = _vector(builder, op, 1, len(op.outputs))
    if sizes.count(-1) == 1:
        sizes[sizes.index(-1)] = shape[axis] - sum(sizes) - 1
    if min(sizes) < 0 or sum(sizes) != shape[axis]:
        builder.fail(op, f"parts {sizes} of {shape[axis]} positions")
    _emit_parts(builder, op, axis, sizes)


def _read_unpack(builder: Builder, op: RawOp) -> None:
    options = builder.options(op, tflite.UnpackOptions)
    n, stated = (0, 0) if options is None else (options.Num(), options.Axis())
    builder.expect_operands(op, (1,), len(op.outputs) or 1)
    shape = builder.tensors[builder.computed(op)].value_shape
    axis = _one_axis(builder, op, [stated], len(shape))
    if not n == len(op.outputs) == shape[axis]:
        builder.fail(op, f"{shape[axis]} positions as {n} parts in {len(op.outputs)} outputs")
    _emit_parts(builder, op, axis, [1] * n, kept=False)


def _one_axis(builder: Builder, op: RawOp, stated: list[int], rank: int) -> int:
    if len(stated) != 1 or not -rank <= stated[0] < rank:
        builder.fail(op, f"axis {stated}, expected one of {-rank}..{rank - 1}")
    return int(stated[0]) % rank


def _vector(builder: Builder, op: RawOp, operand: int, length: int | None = None) -> list[int]:
    numbers = [int(number) for number in builder.numbers(op, operand).reshape(-1)]
    if length is not None and len(numbers) != length:
        builder.fail(op, f"input {operand}: expected {length} numbers, got {len(numbers)}")
    return numbers


def _emit_parts(
    builder: Builder, op: RawOp, axis: int, sizes: list[int], *, operand: int = 0, kept: bool = True
) -> None:
    """One slice per output, one after the other along the axis."""
    shape = builder.tensors[builder.computed(op, operand)].value_shape
    begin = 0
    for index, size in enumerate(sizes):
        axes = [_Axis(0, 1, dim) for dim in shape]
        axes[axis] = _Axis(begin, 1, size, kept)
        _emit(builder, op, axes, index=index, operand=operand)
        begin += size


def _emit(
    builder: Builder, op: RawOp, axes: Sequence[_Axis | None], *, index: int = 0, operand: int = 0
) -> None:
    """Slices with the input's rank; a RESHAPE then adds and removes axes. A slice of everything is
    a RESHAPE alone."""
    source = builder.computed(op, operand)
    dtype = builder.tensors[source].dtype
    taken = [a for a in axes if a is not None]
    size = tuple(a.n for a in taken)
    shape = tuple(1 if a is None else a.n for a in axes if a is None or a.kept)
    begin = dtype.of_values(tuple(a.begin for a in taken))
    step = tuple(a.step if a.n > 1 else 1 for a in taken)
    if dtype.width > 1:
        size, shape = dtype.of_values(size), builder.stored(op, source, shape)
        if step[-1] != 1:
            builder.unsupported(op, f"a step of {step[-1]} along the last axis of int16")
    if size == builder.tensors[source].shape and set(step) <= {1}:
        builder.ops.append(Reshape(source, builder.moved(op, source, shape, index)))
    elif shape == size:
        builder.ops.append(Slice(source, builder.moved(op, source, shape, index), begin, step))
    else:
        part = builder.part(source, size)
        builder.ops.append(Slice(source, part, begin, step))
        builder.ops.append(Reshape(part, builder.moved(op, part, shape, index)))
