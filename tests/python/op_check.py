"""What a model of one op, or of several, must be equal to: tflite-runtime's reference kernels, the
NumPy reference, and itself after a way through the image and through a written file."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

import builtin_ref
import byteprop
from byteprop import image, reference
from byteprop.exporter import write_tflite
from byteprop.graph import Graph

Array = npt.NDArray[np.generic]


def check_file(file: bytes, inputs: Sequence[Array]) -> Graph:
    """The file's outputs for these inputs are equal in every byte; gives the graph."""
    model = byteprop.load(file)
    outputs = model.run(inputs[0] if len(inputs) == 1 else list(inputs))
    answers = outputs if isinstance(outputs, tuple) else (outputs,)
    for answer, second in zip(answers, reference.run(model.graph, inputs), strict=True):
        np.testing.assert_array_equal(answer, second)
    for answer, expected in zip(answers, builtin_ref.run(file, inputs), strict=True):
        np.testing.assert_array_equal(answer, expected)
    return model.graph


def check_round_trips(graph: Graph) -> None:
    """Image and .tflite give the graph back."""
    assert image.decode(image.encode(graph)) == graph
    assert byteprop.load(write_tflite(graph)).graph == graph


def with_params(blob: bytes, at: int, value: bytes) -> bytes:
    """The image with other bytes in the parameters of its first op, and a checksum that fits."""
    changed = bytearray(blob)
    header = np.frombuffer(blob, image.HEADER, 1)[0]
    (record,) = struct.unpack_from("<I", changed, int(header["ops_offset"]))
    operands = changed[record + 1] + changed[record + 2]
    begin = record + 4 + 2 * (operands + operands % 2) + at
    changed[begin : begin + len(value)] = value
    struct.pack_into("<I", changed, 12, zlib.crc32(changed[16:]))
    return bytes(changed)
