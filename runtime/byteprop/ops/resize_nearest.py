"""Resizing to the nearest pixel: RESIZE_NEAREST_NEIGHBOR, int8 to int8."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import DType
from byteprop.ops.reshape import Reshape, emit_reshape
from byteprop.ops.resize import (
    Resize,
    check_resize,
    decode_flags,
    flags_word,
    read_resize,
    resize_detail,
    sizes,
    write_resize,
)
from byteprop.ops.spec import (
    Block,
    ChannelSources,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    same_channels,
)
from byteprop.tflite.values import Wide

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

_MAX_SIZE = 2**16


@dataclass(frozen=True)
class ResizeNearest(Resize):
    """RESIZE_NEAREST_NEIGHBOR of images [batch, height, width, channels]."""


class ResizeNearestSpec(OpSpec[ResizeNearest]):
    name = "resize_nearest"
    kind = ResizeNearest
    takes = "int8; RESIZE_NEAREST_NEIGHBOR to any size, with any of its options; TILE by constants"

    def check(self, at: Placed[ResizeNearest]) -> None:
        check_resize(at)
        if max(n_in for n_in, _ in sizes(at)) > _MAX_SIZE:
            at.refuse(
                f"expected an input of at most {_MAX_SIZE} rows and columns, got {at.x.shape}"
            )

    def params(self, at: Placed[ResizeNearest]) -> Params:
        lists = [_nearest(at.op, n_in, n_out) for n_in, n_out in sizes(at)]
        blocks = [Block(indices.tobytes, shared=True, derived=True) for indices in lists]
        return flags_word(at.op), *blocks

    def decode(self, record: Record) -> ResizeNearest:
        return ResizeNearest(record.inputs[0], record.outputs[0], *decode_flags(record.params))

    def channel_sources(self, at: Placed[ResizeNearest]) -> ChannelSources:
        return same_channels(at)

    def tflite_readers(self) -> Mapping[str, Reader]:
        # Version 3 of TILE adds nothing to int8, and is what TensorFlow 2.19 writes.
        return {"RESIZE_NEAREST_NEIGHBOR": Reader(_read, 4), "TILE": Reader(_read_tile, 3)}

    def write_tflite(self, at: Placed[ResizeNearest], writer: Writer) -> None:
        write_resize("RESIZE_NEAREST_NEIGHBOR", at, writer)

    def detail(self, op: ResizeNearest) -> tuple[str, ...]:
        return resize_detail(op)


def _nearest(op: ResizeNearest, n_in: int, n_out: int) -> npt.NDArray[np.uint16]:
    """The input position of each output position; every step in float32."""
    aligned = op.align_corners and n_out > 1
    scale = np.float32(n_in - aligned) / np.float32(n_out - aligned)
    offset = np.float32(0.5 if op.half_pixel_centers else 0.0)
    at = (np.arange(n_out, dtype=np.float32) + offset) * scale
    rounded = np.floor(at.astype(np.float64) + (0.5 if op.align_corners else 0.0))
    return np.asarray(np.clip(rounded, 0, n_in - 1), "<u2")


# --- from a .tflite file ---


def _read(builder: Builder, op: RawOp) -> None:
    import tflite

    options = builder.options(op, tflite.ResizeNearestNeighborOptions)
    builder.ops.append(ResizeNearest(*read_resize(builder, op, options)))


def _read_tile(builder: Builder, op: RawOp) -> None:
    """TILE, as converters write an enlargement: each axis to be repeated is a column of pixels that
    is resized."""
    from byteprop.tflite.checks import shape_problem

    builder.expect_operands(op, (2,))
    value = builder.value(op, 0)
    source = value.index if isinstance(value, Wide) else builder.computed(op)
    if builder.tensors[source].dtype is not DType.INT8:
        builder.unsupported(op, f"of {builder.tensors[source].dtype.name}, expected INT8")
    shape = list(value.shape if isinstance(value, Wide) else builder.tensors[source].shape)
    multiples = builder.numbers(op, 1).reshape(-1).tolist()
    if len(multiples) != len(shape) or min(multiples, default=1) < 1:
        builder.fail(op, f"expected {len(shape)} multiples of at least 1, got {multiples}")
    for axis, multiple in enumerate(multiples):
        if multiple == 1:
            continue
        before, repeated = math.prod(shape[:axis]), math.prod(shape[axis:])
        problem = shape_problem((before, 1, multiple, repeated))
        if problem:
            builder.unsupported(op, f"its output has {problem}")
        column = builder.part(source, (before, 1, 1, repeated))
        tiled = builder.part(source, (before, 1, multiple, repeated))
        builder.ops += [Reshape(source, column), ResizeNearest(column, tiled)]
        source = tiled
        shape[axis] *= multiple
    emit_reshape(builder, op, source, tuple(shape))
