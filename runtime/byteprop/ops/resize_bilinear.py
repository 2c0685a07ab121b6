"""Resizing by interpolation: RESIZE_BILINEAR, int8 to int8."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from byteprop.engine import _raw
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
    ChannelSources,
    OpSpec,
    Params,
    Placed,
    Reader,
    Record,
    same_channels,
    words,
)

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

_ONE = _raw.const("BP_BILINEAR_ONE")
_MAX_SIZE = _raw.const("BP_BILINEAR_MAX_INPUTS")


@dataclass(frozen=True)
class ResizeBilinear(Resize):
    """RESIZE_BILINEAR of images [batch, height, width, channels]."""


class ResizeBilinearSpec(OpSpec[ResizeBilinear]):
    name = "resize_bilinear"
    kind = ResizeBilinear
    takes = "int8, to any size, with any of its options"

    def check(self, at: Placed[ResizeBilinear]) -> None:
        check_resize(at)
        problem = _problem(at.op, sizes(at))
        if problem:
            at.refuse(problem)

    def params(self, at: Placed[ResizeBilinear]) -> Params:
        return flags_word(at.op), words(*(_step(at.op, *size) for size in sizes(at)))

    def decode(self, record: Record) -> ResizeBilinear:
        return ResizeBilinear(record.inputs[0], record.outputs[0], *decode_flags(record.params))

    def channel_sources(self, at: Placed[ResizeBilinear]) -> ChannelSources:
        return same_channels(at)

    def tflite_readers(self) -> Mapping[str, Reader]:
        return {"RESIZE_BILINEAR": Reader(_read, 4)}

    def write_tflite(self, at: Placed[ResizeBilinear], writer: Writer) -> None:
        write_resize("RESIZE_BILINEAR", at, writer)

    def detail(self, op: ResizeBilinear) -> tuple[str, ...]:
        return resize_detail(op)


def _step(op: Resize, n_in: int, n_out: int) -> int:
    """From one output position to the next, in 1/1024 of an input position."""
    aligned = op.align_corners and n_out > 1
    n_in, n_out = n_in - aligned, n_out - aligned
    return (_ONE * n_in + n_out // 2) // n_out


def _problem(op: Resize, pairs: list[tuple[int, int]]) -> str | None:
    """Why the sizes cannot be computed, None when they can. The step is rounded, and so many
    positions may add up to one beyond the input, which TensorFlow Lite reads."""
    for n_in, n_out in pairs:
        if n_in > _MAX_SIZE:
            return f"expected at most {_MAX_SIZE} rows and columns, got {n_in}"
        step = _step(op, n_in, n_out)
        start = step // 2 - _ONE // 2 if op.half_pixel_centers else 0
        if (n_out - 1) * step + start >= n_in * _ONE:
            return f"resizing {n_in} positions to {n_out} reads beyond the last one"
    return None


def _read(builder: Builder, op: RawOp) -> None:
    """From a .tflite file."""
    import tflite

    options = builder.options(op, tflite.ResizeBilinearOptions)
    resize = ResizeBilinear(*read_resize(builder, op, options))
    x, y = (builder.tensors[t].shape for t in (resize.input, resize.output))
    problem = _problem(resize, list(zip(x[1:3], y[1:3], strict=True)))
    if problem:
        builder.unsupported(op, problem)
    builder.ops.append(resize)
