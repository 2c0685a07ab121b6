"""Whether a network can be trained, and if not, which layer is in the way and why."""

from __future__ import annotations

import numpy as np

from byteprop.engine import _raw_train
from byteprop.errors import TrainingError
from byteprop.graph import Activation, Graph, Kind, Op
from byteprop.ops import Conv, Dense, Depthwise, Rescale, Reshape, Softmax
from byteprop.ops.add import Add
from byteprop.ops.concatenate import Concatenate
from byteprop.ops.mean import Mean
from byteprop.ops.pad import Pad
from byteprop.ops.pool import Pool
from byteprop.training.masters import Weighted, first_layer
from byteprop.training.samples import is_quantize

TRAINED_OPS = frozenset(
    {
        *("dense", "rescale", "reshape", "softmax", "conv", "depthwise", "pool", "mean"),
        *("pad", "add", "concatenate"),
    }
)

_TAKES = (
    "what is trained is dense layers with one row, convolutions, depthwise convolutions, pools and "
    "means over images, pads, sums and concatenations, none or relu, relu6, relu_n1_to_1 in them, "
    "and a linear dense layer at the end, alone or with a softmax; a QUANTIZE may be last; before "
    "it any layers may be, which are frozen"
)
_JOINS = (Add, Concatenate)
_IMAGE_OPS = (Conv, Depthwise, Pool, Mean, Pad, *_JOINS)
_HIDDEN = (Activation.NONE, Activation.RELU, Activation.RELU6, Activation.RELU_N1_TO_1)
_MAX_TAPS, _MAX_POSITIONS, _MAX_CHANNELS = 256, 65535, 32767


def first_trained(graph: Graph, config: _raw_train.Config) -> int:
    """Index of the first op that is trained; the ops before it are the frozen part."""
    weighted = [i for i, op in enumerate(graph.ops) if isinstance(op, Weighted)]
    return weighted[first_layer(graph, config)]


def check_trainable(graph: Graph, image: _raw_train.Image, config: _raw_train.Config) -> None:
    """image: of the graph. TrainingError names the layer and the cause."""
    if any(t.kind is Kind.ROWS for t in graph.tensors):
        raise TrainingError(
            "the model is fed row by row; train the whole one, and then make with_rows() of it"
        )
    problem = _problem(graph, config)
    if problem is not None:
        index, words = problem
        raise TrainingError(f"{_describe(graph, index)}: {words}; {_TAKES}", op=index)
    try:
        _raw_train.plan(image, config)
    except TrainingError as error:
        if error.op is None or not 0 <= error.op < len(graph.ops):
            raise
        where = _describe(graph, error.op)
        raise TrainingError(f"{where}: cannot be trained: {error}", op=error.op) from None


def _describe(graph: Graph, index: int) -> str:
    op = graph.ops[index]
    return f"layer {index} {type(op).__name__} {graph.tensors[op.output].name!r}"


def _problem(graph: Graph, config: _raw_train.Config) -> tuple[int, str] | None:
    if len(graph.inputs) != 1 or len(graph.outputs) != 1:
        return 0, f"the model has {len(graph.inputs)} inputs and {len(graph.outputs)} outputs"
    for index, op in enumerate(graph.ops):
        if graph.tensors[op.output].kind is Kind.STATE:
            return index, "the model has state, which a training that is resumed would not have"
    dense = [i for i, op in enumerate(graph.ops) if isinstance(op, Dense)]
    if not dense:
        return len(graph.ops) - 1 if graph.ops else 0, "there is no dense layer"
    first = first_trained(graph, config)
    ops = enumerate(graph.ops[first:], first)
    chain = [(i, op) for i, op in ops if not isinstance(op, Reshape)]
    weighted = [i for i, op in chain if isinstance(op, Weighted)]
    if len(weighted) > _raw_train.MAX_LAYERS:
        kind = "dense layers" if len(dense) > _raw_train.MAX_LAYERS else "layers with weights"
        return weighted[_raw_train.MAX_LAYERS], f"{len(weighted)} {kind} are too many"
    if is_quantize(chain[-1][1]):
        chain.pop()
    for index, op in chain:
        words = _problem_of(graph, op, index == chain[-1][0], index == dense[-1])
        if words is None and config.window:
            words = _problem_with_window(graph, op, index == dense[-1])
        if words is not None:
            return index, words + _advice(graph, chain, index)
    return None


def _advice(graph: Graph, chain: list[tuple[int, Op]], index: int) -> str:
    """Which layers could be trained when the op at index is in the way."""
    behind = [i for i, op in chain if i > index and isinstance(op, Weighted)]
    if not behind or isinstance(graph.ops[index], Dense):
        return ""
    return f'; train what is behind it: train="last:{len(behind)}" (--train last:{len(behind)})'


def _problem_of(graph: Graph, op: Op, last: bool, last_dense: bool) -> str | None:
    if isinstance(op, Softmax):
        return None if last else "a softmax that is not the last layer"
    if isinstance(op, Rescale):
        return "an activation or rescaling that is a layer of its own"
    if isinstance(op, Dense):
        y = graph.tensors[op.output]
        if y.elems != y.shape[-1]:
            return f"{y.elems // y.shape[-1]} rows share the weights"
        if last_dense and op.activation is not Activation.NONE:
            return f"the last dense layer has the activation {op.activation.name.lower()}"
        return None
    if isinstance(op, _IMAGE_OPS):
        if last:
            return "not a dense layer, as the last one has to be"
        return _problem_of_image(graph, op)
    return "a layer whose errors cannot be computed, behind one that is trained"


def _problem_of_image(graph: Graph, op: Op) -> str | None:
    x, y = graph.tensors[op.input], graph.tensors[op.output]
    if isinstance(op, Mean):
        fits = len(x.shape) == 4 and x.shape[0] == 1 and op.axes == (1, 2)
        return None if fits else "a mean over other axes than height and width of one image"
    if isinstance(op, (Pad, *_JOINS)):
        return _problem_of_moved(graph, op)
    assert isinstance(op, (Conv, Depthwise, Pool))
    if x.shape[0] != 1:
        return f"{x.shape[0]} images at a time"
    if y.shape[1] * y.shape[2] > _MAX_POSITIONS:
        return f"more than {_MAX_POSITIONS} positions"
    if any(axis.dilation != 1 for axis in op.window.axes):
        return "a dilation is not learned"
    if isinstance(op, Conv) and op.weights.shape[3] != x.shape[3]:
        return "groups of channels are not learned"
    if isinstance(op, Pool) and op.window.height.kernel * op.window.width.kernel > _MAX_TAPS:
        return f"windows of more than {_MAX_TAPS} values"
    return None if op.activation in _HIDDEN else f"the activation {op.activation.name.lower()}"


def _problem_of_moved(graph: Graph, op: Op) -> str | None:
    inputs, y = [graph.tensors[t] for t in op.inputs], graph.tensors[op.output]
    channels = y.shape[-1] if y.shape else 1
    if any(x.kind is Kind.CONSTANT for x in inputs):
        return "an input that is constant"
    if isinstance(op, Add) and any(x.elems != y.elems for x in inputs):
        return "an input that is repeated"
    if channels > _MAX_CHANNELS or y.elems > _MAX_POSITIONS * channels:
        return f"more than {_MAX_POSITIONS} rows of {_MAX_CHANNELS} values"
    activation = getattr(op, "activation", Activation.NONE)
    return None if activation in _HIDDEN else f"the activation {activation.name.lower()}"


def _problem_with_window(graph: Graph, op: Op, last: bool) -> str | None:
    """Scales that move are for networks made here."""
    if isinstance(op, (Softmax, Rescale)):
        return None
    if isinstance(op, (Pad, Concatenate)):
        return "window: scales of padding and concatenations cannot move; expected window=0"
    y = graph.tensors[op.output]
    plain = (Activation.NONE, Activation.RELU) if isinstance(op, (Pool, Mean)) else ()
    activation = getattr(op, "activation", Activation.NONE)
    is_hidden = y.zero_point == -128 and activation in (Activation.RELU, *plain)
    fits = y.zero_point == 0 if last else is_hidden
    if isinstance(op, Weighted):
        fits = fits and len(set(op.weight_scales.tolist())) == 1
    if isinstance(op, Add):
        scales = [graph.tensors[t].scale for t in (*op.inputs, op.output)]
        fits = fits and len({float(np.frexp(scale)[0]) for scale in scales}) == 1
    return None if fits else "window: its scales cannot move; expected window=0"
