"""Windows, in NumPy; docs/numerics.md, section Windows."""

from __future__ import annotations

from byteprop.ops.window import Axis


def taps(axis: Axis, position: int, n: int) -> list[tuple[int, int]]:
    """(tap, input position) of each tap of an output position that is inside n input positions."""
    start = position * axis.stride - axis.pad
    found = [(tap, start + tap * axis.dilation) for tap in range(axis.kernel)]
    return [(tap, at) for tap, at in found if 0 <= at < n]
