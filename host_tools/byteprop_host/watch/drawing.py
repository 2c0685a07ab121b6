"""Bars and curves of letters."""

from __future__ import annotations

import math
from collections.abc import Sequence

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille letter, downwards
_BRAILLE = 0x2800


def bar(share: float, width: int) -> str:
    """A bar of `width` letters, of which `share` is full."""
    eighths = round(max(0.0, min(share, 1.0)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def curve(values: Sequence[float], width: int, height: int) -> list[str]:
    """The values from left to right as a line of dots: `height` rows of `width` letters. More
    values than dots are drawn as means."""
    columns, rows = 2 * width, 4 * height
    points = _fitted([v for v in values if math.isfinite(v)], columns)
    cells = [[0] * width for _ in range(height)]
    if points:
        low, high = min(points), max(points)
        spread = high - low or 1.0
        levels = [round((high - p) / spread * (rows - 1)) for p in points]
        for x, level in enumerate(levels):
            before = levels[x - 1] if x else level
            step = 1 if before <= level else -1
            # A steep line is drawn without gaps.
            for y in range(before + step if before != level else level, level + step, step):
                cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
    return ["".join(chr(_BRAILLE + cell) for cell in row) for row in cells]


def _fitted(values: Sequence[float], n: int) -> list[float]:
    """n values from left to right: means of more, or points on the lines between fewer."""
    have = len(values)
    if have < 2:
        return list(values) * n
    if have > n:
        parts = (values[i * have // n : (i + 1) * have // n] for i in range(n))
        return [sum(part) / len(part) for part in parts]
    found = []
    for i in range(n):
        at = i * (have - 1) / (n - 1)
        left = min(int(at), have - 2)
        found.append(values[left] + (values[left + 1] - values[left]) * (at - left))
    return found


def labelled_curve(values: Sequence[float], width: int, height: int) -> list[str]:
    """`curve` with its greatest value at the top and its least at the bottom."""
    finite = [v for v in values if math.isfinite(v)]
    if not finite:
        return []
    top, bottom = f"{max(finite):.4g}", f"{min(finite):.4g}"
    margin = max(len(top), len(bottom))
    labels = [top, *[""] * (height - 2), bottom] if height > 1 else [top]
    rows = curve(finite, max(width - margin - 2, 1), height)
    return [f"{label:>{margin}} │{row}" for label, row in zip(labels, rows, strict=True)]
