"""What both ways of resizing images have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from byteprop.graph.tensor import Op
from byteprop.ops.spec import Placed, refuse_unless_int8
from byteprop.ops.window import CHANNELS, HEIGHT, check_images, read_image

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp
    from byteprop.tflite.writer import Writer

_ALIGN_CORNERS, _HALF_PIXEL_CENTERS = 1, 2


@dataclass(frozen=True)
class Resize(Op):
    """Height and width become those of the output. At most one of the two options: align_corners
    puts the corners' centers on each other, half_pixel_centers the corners themselves."""

    align_corners: bool = False
    half_pixel_centers: bool = False


def sizes(at: Placed[Any]) -> list[tuple[int, int]]:
    """Positions of the input and of the output: of the height, of the width."""
    between = slice(HEIGHT, CHANNELS)
    return list(zip(at.x.shape[between], at.y.shape[between], strict=True))


def flags_word(op: Resize) -> bytes:
    flags = _ALIGN_CORNERS * op.align_corners | _HALF_PIXEL_CENTERS * op.half_pixel_centers
    return bytes((flags, 0, 0, 0))


def decode_flags(params: bytes) -> tuple[bool, bool]:
    return bool(params[0] & _ALIGN_CORNERS), bool(params[0] & _HALF_PIXEL_CENTERS)


def check_resize(at: Placed[Any]) -> None:
    """ModelError for shapes and options that no image can hold."""
    refuse_unless_int8(at)
    check_images(at, at.x, at.y)
    if at.x.shape[CHANNELS] != at.y.shape[CHANNELS]:
        at.refuse(f"expected as many channels, got the shapes {at.x.shape} and {at.y.shape}")
    if at.op.align_corners and at.op.half_pixel_centers:
        at.refuse("expected align_corners or half_pixel_centers, got both")


def read_resize(builder: Builder, op: RawOp, options: Any) -> tuple[int, int, bool, bool]:
    """Input, output, align_corners and half_pixel_centers of an op of a .tflite file. The values
    are those of the input, so both have one scale."""
    builder.expect_operands(op, (2,))
    size = builder.numbers(op, 1)
    if size.shape != (2,) or size.min() < 1:
        builder.fail(op, f"expected a height and a width of at least 1, got {size.tolist()}")
    align = options is not None and bool(options.AlignCorners())
    half = options is not None and bool(options.HalfPixelCenters())
    if align and half:
        builder.fail(op, "expected align_corners or half_pixel_centers, got both")
    source = read_image(builder, op)
    batch, _, _, channels = builder.tensors[source].shape
    target = builder.moved(op, source, (batch, int(size[0]), int(size[1]), channels))
    builder.int8_operands(op, source, target)
    return source, target, align, half


def write_resize(name: str, at: Placed[Any], writer: Writer) -> None:
    """Adds the op to a .tflite file."""
    size = writer.constant(f"{at.y.name}/size", np.array(at.y.shape[HEIGHT:CHANNELS], "<i4"))
    writer.op(
        name,
        [writer.tensors[at.op.input], size],
        [writer.tensors[at.op.output]],
        version=3 if at.op.half_pixel_centers else 2,
        AlignCorners=at.op.align_corners,
        HalfPixelCenters=at.op.half_pixel_centers,
    )


def resize_detail(op: Resize) -> tuple[str, ...]:
    names = ("align_corners", "half_pixel_centers")
    return tuple(name for name in names if getattr(op, name))
