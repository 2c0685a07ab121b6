"""PAD before convolutions: where it pads with the zero point it does what a convolution's own
padding does, so the convolution takes it over."""

from __future__ import annotations

from dataclasses import replace

from byteprop.graph import Graph
from byteprop.graph.tensor import Op, Tensor
from byteprop.importer.passes.unread import compact
from byteprop.ops import Conv, Depthwise, Pad
from byteprop.ops.window import CHANNELS, HEIGHT, IMAGE_RANK, Axis, Window


def with_folded_pads(graph: Graph) -> Graph:
    """The graph without each PAD that all its readers can take over."""
    ops = list(graph.ops)
    readers: dict[int, list[int]] = {}
    for index, op in enumerate(ops):
        for t in op.inputs:
            readers.setdefault(t, []).append(index)
    folded = set()
    # From the last on, so that of two in a row both are folded.
    for index in reversed(range(len(ops))):
        pad = ops[index]
        if not isinstance(pad, Pad) or pad.output in graph.outputs:
            continue
        reading = readers.get(pad.output, [])
        taken = [_with_pad(ops[i], pad, graph.tensors) for i in reading]
        if not taken or any(op is None for op in taken):
            continue
        folded.add(index)
        readers[pad.input] = [i for i in readers[pad.input] if i != index] + reading
        for i, convolution in zip(reading, taken, strict=True):
            if convolution is not None:
                ops[i] = convolution
    if not folded:
        return graph
    return compact(graph, graph.tensors, [op for i, op in enumerate(ops) if i not in folded])


def _with_pad(op: Op, pad: Pad, tensors: tuple[Tensor, ...]) -> Op | None:
    """The op on the pad's input; None where it cannot take it over."""
    if not isinstance(op, (Conv, Depthwise)):
        return None
    x, padded, y = tensors[pad.input], tensors[pad.output], tensors[op.output]
    if len(x.shape) != IMAGE_RANK or len(y.shape) != IMAGE_RANK:
        return None
    outside = (*range(HEIGHT), *range(CHANNELS, IMAGE_RANK))
    if pad.value != padded.zero_point or any(x.shape[a] != padded.shape[a] for a in outside):
        return None
    between = slice(HEIGHT, CHANNELS)
    axes = [
        _padded(axis, before, n_in, n_out)
        for axis, before, n_in, n_out in zip(
            op.window.axes, pad.before[between], x.shape[between], y.shape[between], strict=True
        )
    ]
    if any(axis is None for axis in axes):
        return None
    return replace(op, input=pad.input, window=Window(*(axis for axis in axes if axis is not None)))


def _padded(axis: Axis, before: int, n_in: int, n_out: int) -> Axis | None:
    """None where a window would meet nothing of the input, which no image can hold."""
    pad = axis.pad + before
    meets = pad < axis.span and (n_out - 1) * axis.stride - pad < n_in
    return replace(axis, pad=pad) if meets else None
