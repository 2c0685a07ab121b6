"""Reshape: the same bytes under another shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from byteprop.graph.tensor import Op
from byteprop.ops.spec import InPlace, OpSpec, Params, Placed, Reader, Record

if TYPE_CHECKING:
    from byteprop.tflite.writer import Writer


@dataclass(frozen=True)
class Reshape(Op):
    """The same bytes under another shape."""


class ReshapeSpec(OpSpec[Reshape]):
    name = "reshape"
    kind = Reshape
    in_place = InPlace.ALIAS

    def check(self, at: Placed[Reshape]) -> None:
        x, y = at.x, at.y
        if x.elems != y.elems:
            at.refuse(f"shapes {x.shape} and {y.shape} differ in size")
        if x.dtype != y.dtype:
            at.refuse(f"input is {x.dtype.name} and output {y.dtype.name}")

    def params(self, at: Placed[Reshape]) -> Params:
        return ()

    def decode(self, record: Record) -> Reshape:
        return Reshape(record.inputs[0], record.outputs[0])

    def tflite_readers(self) -> Mapping[str, Reader]:
        from byteprop.importer.ops import reshape

        return {
            "RESHAPE": Reader(reshape.lower_reshape, 1),
            "EXPAND_DIMS": Reader(reshape.lower_expand_dims, 1),
            "SQUEEZE": Reader(reshape.lower_squeeze, 1),
        }

    def write_tflite(self, at: Placed[Reshape], writer: Writer) -> None:
        shape = writer.constant(f"{at.y.name}/shape", np.array(at.y.shape, "<i4"))
        x, y = writer.tensors[at.op.input], writer.tensors[at.op.output]
        writer.op("RESHAPE", [x, shape], [y])
