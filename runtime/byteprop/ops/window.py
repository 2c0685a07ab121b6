"""Windows that move over images [batch, height, width, channels]: of pooling, of convolutions."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from byteprop.graph.limits import MAX_ELEMS
from byteprop.graph.tensor import Tensor
from byteprop.ops.spec import Placed, RowWindow

if TYPE_CHECKING:
    from byteprop.tflite.builder import Builder
    from byteprop.tflite.rawmodel import RawOp

HEIGHT, WIDTH, CHANNELS, IMAGE_RANK = 1, 2, 3, 4
WINDOW_BYTES = 16
_MAX_FIELD = 2**16 - 1

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Axis:
    """Tap k of output position o is at input position o * stride - pad + k * dilation."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    pad: int = 0

    @property
    def span(self) -> int:
        """Input positions from the first tap to the last."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True)
class Window:
    """kernel, stride, dilation and padding of both axes."""

    height: Axis
    width: Axis

    @property
    def axes(self) -> tuple[Axis, Axis]:
        return self.height, self.width

    @property
    def rows(self) -> RowWindow:
        """What an output row takes."""
        return RowWindow(self.height.span, self.height.stride, self.height.pad)

    def encoded(self) -> bytes:
        """The words of an op's record: each field for the height and for the width."""
        return np.array([astuple(axis) for axis in self.axes], "<u2").T.tobytes()


def decode_window(data: bytes) -> Window:
    fields = np.frombuffer(data, "<u2", WINDOW_BYTES // 2).reshape(-1, 2).T.tolist()
    return Window(*(Axis(*values) for values in fields))


def pad_axis(axis: Axis, n: int, padding: str) -> tuple[Axis, int]:
    """The axis with the padding in front that "SAME" or "VALID" gives over n positions, and the
    number of output positions, which is below 1 where the window does not fit."""
    if padding == "VALID":
        return Axis(axis.kernel, axis.stride, axis.dilation), (n - axis.span) // axis.stride + 1
    positions = -(-n // axis.stride)
    total = max((positions - 1) * axis.stride + axis.span - n, 0)
    return Axis(axis.kernel, axis.stride, axis.dilation, total // 2), positions


def pad_window(window: Window, x: Shape, padding: str) -> tuple[Window, Shape]:
    """The window with the padding in front, and height and width of the output."""
    height, n_rows = pad_axis(window.height, x[HEIGHT], padding)
    width, n_columns = pad_axis(window.width, x[WIDTH], padding)
    return Window(height, width), (n_rows, n_columns)


def padding_of(window: Window, x: Shape, y: Shape) -> str | None:
    """Which padding of a .tflite file leads from x to y; None where neither does."""
    for padding in ("VALID", "SAME"):
        if pad_window(window, x, padding) == (window, y[HEIGHT:CHANNELS]):
            return padding
    return None


def check_window(at: Placed[Any], window: Window) -> None:
    """ModelError for a window, or for shapes, that no image can hold."""
    check_images(at, at.x, at.y)
    for axis, n_in, n_out in zip(
        window.axes, at.x.shape[HEIGHT:CHANNELS], at.y.shape[HEIGHT:CHANNELS], strict=True
    ):
        if min(axis.kernel, axis.stride, axis.dilation) < 1 or max(astuple(axis)) > _MAX_FIELD:
            at.refuse(
                f"expected kernel, stride, dilation from 1 to {_MAX_FIELD} and padding up to that, "
                f"got {axis}"
            )
        if axis.span > MAX_ELEMS:
            at.refuse(f"expected a window over at most {MAX_ELEMS} positions, got {axis}")
        if not 0 <= axis.pad < axis.span:
            at.refuse(f"expected a padding below the window's {axis.span}, got {axis.pad}")
        if (n_out - 1) * axis.stride - axis.pad >= n_in:
            at.refuse(f"{n_out} windows of {axis} do not begin within {n_in} positions")


def check_images(at: Placed[Any], x: Tensor, y: Tensor) -> None:
    """ModelError unless both are images and have the same batch."""
    if len(x.shape) != IMAGE_RANK or len(y.shape) != IMAGE_RANK or x.shape[0] != y.shape[0]:
        at.refuse(
            "expected [batch, height, width, channels] with one batch, "
            f"got the shapes {x.shape} and {y.shape}"
        )


# --- from a .tflite file ---


def read_image(builder: Builder, op: RawOp, operand: int = 0) -> int:
    """The graph's tensor behind an input, of the shape [batch, height, width, channels]."""
    index = builder.activation(op, operand)
    shape = builder.tensors[index].shape
    if len(shape) != IMAGE_RANK:
        builder.fail(op, f"expected [batch, height, width, channels], got {list(shape)}")
    return index


def read_padding(
    builder: Builder, op: RawOp, window: Window, x: Shape, code: int
) -> tuple[Window, Shape]:
    """The window with the padding that has this code in the schema, over an image of shape x;
    height and width of the output."""
    import tflite

    if any(min(axis.kernel, axis.stride, axis.dilation) < 1 for axis in window.axes):
        builder.fail(op, f"expected kernel, stride and dilation of at least 1, got {window}")
    paddings = {tflite.Padding.SAME: "SAME", tflite.Padding.VALID: "VALID"}
    if code not in paddings:
        builder.unsupported(op, f"padding {code}, expected SAME or VALID")
    padded, positions = pad_window(window, x, paddings[code])
    if min(positions) < 1:
        builder.fail(op, f"an input of shape {list(x)} is smaller than its {window}")
    return padded, positions
