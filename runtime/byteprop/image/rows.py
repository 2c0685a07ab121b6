"""Models that are fed row by row: which ops work so, and how many rows of each image there are.

These ops are the first ones and form a chain: each reads what the one before wrote, and no other op
does. An op runs as soon as the rows of its window are there, so of an image between two ops the
arena has as many rows as a window of the op behind it reaches over. What the last of them writes is
whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from byteprop.engine import _raw
from byteprop.errors import ModelError
from byteprop.graph import Graph, Kind, Tensor
from byteprop.graph.tensor import Op
from byteprop.image.plan import plan
from byteprop.ops import place, spec_of, specs
from byteprop.ops.spec import OpSpec

_MAX_OPS = _raw.const("BP_MODEL_MAX_FED_OPS")
_MAX_HEIGHT = _raw.const("BP_MODEL_MAX_FED_HEIGHT")
_MAX_ROWS = 255 // _raw.const("BP_TENSOR_ROWS")
_HEIGHT, _IMAGE_RANK = 1, 4

# Names of the ops that a window moves over: without one of them nothing is gained.
ROW_OPS = frozenset(
    spec.name for spec in specs() if type(spec).row_window is not OpSpec.row_window
) - {"rescale", "table"}


def with_rows(graph: Graph) -> Graph:
    """The graph whose arena is the smallest when its first ops are fed row by row. ModelError names
    what is in the way where not even one op can be."""
    return min(candidates(without_rows(graph)), key=lambda fed: plan(fed).arena_bytes)


def without_rows(graph: Graph) -> Graph:
    """The same graph, whose input is there as a whole."""
    tensors = (
        replace(t, kind=Kind.ACTIVATION, rows=0) if t.kind is Kind.ROWS else t
        for t in graph.tensors
    )
    return replace(graph, tensors=tuple(tensors))


def candidates(graph: Graph) -> Iterator[Graph]:
    """With one op that works row by row, with two, and so on; ModelError where there is none."""
    tensors = list(graph.tensors)
    for index, op in enumerate(graph.ops[:_MAX_OPS]):
        problem = _problem(graph, index)
        if problem is None:
            x = tensors[op.inputs[0]]
            tensors[op.inputs[0]] = replace(x, kind=Kind.ROWS, rows=_held(graph, op))
            yield replace(graph, tensors=tuple(tensors))
        elif index == 0:
            raise ModelError(f"the model cannot be fed row by row: {problem}")
        else:
            return


def _held(graph: Graph, op: Op) -> int:
    """Rows of its input that an op needs at a time."""
    at = place(graph.tensors, op)
    window = spec_of(op).row_window(at)
    return 0 if window is None else min(window.reach, at.x.shape[_HEIGHT])


def _problem(graph: Graph, index: int) -> str | None:
    """Why this op cannot work row by row, if those before it do."""
    op = graph.ops[index]
    if len(graph.inputs) != 1:
        return f"it has {len(graph.inputs)} inputs"
    source = graph.inputs[0] if index == 0 else graph.ops[index - 1].outputs[0]
    where = f"layer {index} ({type(op).__name__})"
    if op.inputs != (source,):
        return f"{where} does not read what comes before it, and nothing else"
    if (
        Counter(t for other in graph.ops for t in other.inputs)[source]
        + graph.outputs.count(source)
        > 1
    ):
        return f"what {where} reads is read elsewhere, too"
    x, y = graph.tensors[source], graph.tensors[op.outputs[0]]
    if not (_is_image(x) and _is_image(y)):
        return f"{where} does not work on one image, but from {list(x.shape)} to {list(y.shape)}"
    if spec_of(op).row_window(place(graph.tensors, op)) is None:
        return f"{where} needs its whole input"
    if not 0 < _held(graph, op) <= _MAX_ROWS:
        return f"{where} takes {_held(graph, op)} rows at a time; up to {_MAX_ROWS} are supported"
    return None


def _is_image(t: Tensor) -> bool:
    return len(t.shape) == _IMAGE_RANK and t.shape[0] == 1 and t.shape[_HEIGHT] <= _MAX_HEIGHT
