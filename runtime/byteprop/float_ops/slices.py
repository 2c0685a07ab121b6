"""Ops that take parts: SLICE, STRIDED_SLICE, SPLIT, SPLIT_V and UNPACK."""

from __future__ import annotations

from typing import Any

import numpy as np

from byteprop.float_ops.moves import Move
from byteprop.float_ops.spec import own_axes
from byteprop.graph.float_graph import Array, Node


class Slice(Move):
    """Operands: input, beginnings, sizes; a size of -1 reaches to the end."""

    names = ("SLICE",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        parts: list[Any] = [slice(None)]
        parts += [
            slice(b, None if n == -1 else b + n)
            for b, n in zip(x[1].tolist(), x[2].tolist(), strict=True)
        ]
        return [x[0][tuple(parts)]]


class StridedSlice(Move):
    """Operands: input, beginnings, ends, strides; the masks have a bit per position of these."""

    names = ("STRIDED_SLICE",)
    table = "StridedSlice"
    fields = ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset")

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        begins, ends, steps = (v.tolist() for v in x[1:4])
        parts: list[Any] = [slice(None)]
        for i, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
            bit = 1 << i

            def has(mask: str, bit: int = bit) -> bool:
                return bool(node.options.get(mask, 0) & bit)

            if has("EllipsisMask"):
                parts.append(Ellipsis)
            elif has("NewAxisMask"):
                parts.append(np.newaxis)
            elif has("ShrinkAxisMask"):
                parts.append(0 if has("BeginMask") else begin)
            else:
                first, last = (
                    None if has(m) else v for m, v in (("BeginMask", begin), ("EndMask", end))
                )
                parts.append(slice(first, last, step))
        return [x[0][tuple(parts)]]


class Split(Move):
    """Operands: axis, input; equal parts."""

    names = ("SPLIT",)
    table = "Split"
    fields = ("NumSplits",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        return list(np.split(x[1], len(node.outputs), own_axes(x[0], x[1].ndim - 1)[0]))


class SplitV(Move):
    """Operands: input, sizes of the parts (-1 for the rest), axis."""

    names = ("SPLIT_V",)
    table = "SplitV"
    fields = ("NumSplits",)

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        axis = own_axes(x[2], x[0].ndim - 1)[0]
        sizes = x[1].copy()
        sizes[sizes == -1] = x[0].shape[axis] - sizes[sizes != -1].sum()
        return list(np.split(x[0], np.cumsum(sizes)[:-1], axis))


class Unpack(Move):
    """Parts of length 1, without the axis."""

    names = ("UNPACK",)
    table = "Unpack"
    fields = ("Num", "Axis")

    def run(self, node: Node, x: list[Any]) -> list[Array]:
        axis = own_axes(node.options.get("Axis", 0), x[0].ndim - 1)[0]
        return [np.take(x[0], i, axis) for i in range(len(node.outputs))]
