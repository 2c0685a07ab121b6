"""Compares two networks: layers, shapes and scales, whatever their weights."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from byteprop.graph import Graph, Normalization, Tensor
from byteprop.ops import Conv, Depthwise, Rescale, Softmax
from byteprop.ops.pool import Pool
from byteprop.training.masters import Weighted

_MISSING = "nothing"


def difference(there: Graph, here: Graph, *, scales_move: bool) -> str:
    """The first difference in words, "" when there is none. Names, weights and biases may differ.
    scales_move: training doubles and halves scales behind the input, so that factors of two are no
    difference."""
    found, expected = (dict(_facts(graph, scales_move)) for graph in (there, here))
    for name in found | expected:
        if found.get(name) != expected.get(name):
            a, b = found.get(name, _MISSING), expected.get(name, _MISSING)
            return f"{name} is {a} there, {b} here"
    return ""


def _facts(graph: Graph, scales_move: bool) -> Iterator[tuple[str, str]]:
    """What is compared, each with its name: layers before scales, as they explain them."""
    for i, tensor in enumerate(graph.tensors[t] for t in graph.inputs):
        yield f"input {i}", f"{tensor.dtype.name.lower()} {list(tensor.shape)}"
    for i, op in enumerate(graph.ops):
        yield f"layer {i}", _layer(graph, i)
        yield f"layer {i}, its input", str(op.input)
        yield f"layer {i}, its output", str(op.output)
    for i, tensor in enumerate(graph.tensors[t] for t in graph.inputs):
        yield from _tensor(f"input {i}", tensor, scales_move=False)
    for i, op in enumerate(graph.ops):
        moves = scales_move and op.output not in graph.inputs
        yield from _tensor(f"output of layer {i}", graph.tensors[op.output], scales_move=moves)
        if isinstance(op, Weighted):
            scales = op.weight_scales
            shown = (np.frexp(scales)[0] if scales_move else scales).tolist()
            yield f"number of weight scales of layer {i}", str(len(shown))
            for j, scale in enumerate(shown):
                yield f"weight scale {j} of layer {i}", _scale(scale, scales_move)


def _layer(graph: Graph, index: int) -> str:
    op = graph.ops[index]
    x, y = graph.tensors[op.input].shape, graph.tensors[op.output].shape
    text = f"{type(op).__name__} {list(x)} -> {list(y)}"
    if isinstance(op, (Weighted, Rescale, Pool)):
        text += f" {op.activation.name.lower()}"
    if isinstance(op, (Conv, Depthwise, Pool)):
        text += f" {op.window}"
    return f"{text} beta {op.beta}" if isinstance(op, Softmax) else text


def _tensor(where: str, tensor: Tensor, *, scales_move: bool) -> Iterator[tuple[str, str]]:
    scale = float(np.frexp(tensor.scale)[0] if scales_move else tensor.scale)
    yield f"scale of {where}", _scale(scale, scales_move)
    for field in fields(tensor):
        if field.name not in ("name", "scale"):
            yield f"{field.name.replace('_', ' ')} of {where}", _shown(getattr(tensor, field.name))


def _shown(value: object) -> str:
    if isinstance(value, Normalization):
        crc = zlib.crc32(value.mul.tobytes(), zlib.crc32(value.sub.tobytes()))
        return f"of {value.sub.size} features (CRC {crc:08x})"
    return str(value)


def _scale(scale: float, scales_move: bool) -> str:
    return f"{scale!r} times a power of two" if scales_move else repr(scale)
