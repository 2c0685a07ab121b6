"""Whether a network can be trained, and if not, which layer is in the way and why."""

from __future__ import annotations

from byteprop.engine import _raw_train
from byteprop.errors import TrainingError
from byteprop.graph import Activation, Graph, Kind, Op
from byteprop.ops import Dense, Rescale, Reshape, Softmax
from byteprop.training.samples import is_quantize

TRAINED_OPS = frozenset({"dense", "rescale", "reshape", "softmax"})

_TAKES = (
    "what is trained is a chain of dense layers with one row, none or relu, relu6, relu_n1_to_1 "
    "between them, and a linear last layer, alone or with a softmax; a QUANTIZE may be last; "
    "before it any layers may be, which are frozen"
)


def first_trained(graph: Graph, config: _raw_train.Config) -> int:
    """Index of the first op that is trained; the ops before it are the frozen part."""
    dense = [i for i, op in enumerate(graph.ops) if isinstance(op, Dense)]
    return dense[config.first_layer(len(dense))]


def check_trainable(graph: Graph, image: _raw_train.Image, config: _raw_train.Config) -> None:
    """image: of the graph. TrainingError names the layer and the cause."""
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
    if sum(isinstance(op, Dense) for _, op in chain) > _raw_train.MAX_LAYERS:
        return dense[_raw_train.MAX_LAYERS], f"{len(dense)} dense layers are too many"
    if is_quantize(chain[-1][1]):
        chain.pop()
    for index, op in chain:
        words = _problem_of(graph, op, index == chain[-1][0], index == dense[-1])
        if words is None and config.window and isinstance(op, Dense):
            words = _problem_with_window(graph, op, index == dense[-1])
        if words is not None:
            return index, words + _advice(graph, chain, index)
    return None


def _advice(graph: Graph, chain: list[tuple[int, Op]], index: int) -> str:
    """Which layers could be trained when the op at index is in the way."""
    behind = [i for i, op in chain if i > index and isinstance(op, Dense)]
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
    return "not a dense layer, behind one that is trained"


def _problem_with_window(graph: Graph, op: Dense, last: bool) -> str | None:
    """Scales that move are for networks made here."""
    y = graph.tensors[op.output]
    fits = len(op.weight_scales) == 1 and (
        y.zero_point == 0 if last else (y.zero_point == -128 and op.activation is Activation.RELU)
    )
    return None if fits else "window: its scales cannot move; expected window=0"
