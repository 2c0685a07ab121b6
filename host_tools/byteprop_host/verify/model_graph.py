"""The model as a drawing: tensors flow downwards through its layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from byteprop.graph import Graph
from byteprop_host.report import page
from byteprop_host.verify.verdict import Verdict

MAX_LAYERS = 120
_BOX_WIDTH, _BOX_HEIGHT, _GAP_X, _GAP_Y, _EDGE = 190.0, 40.0, 26.0, 34.0, 8.0


def model_graph(v: Verdict) -> str:
    """Boxes are layers, lines are tensors with their shapes; nothing for very long models."""
    ops = v.graph.ops
    if not ops or len(ops) > MAX_LAYERS or len(v.layers) != len(ops):
        return ""
    ranks = ranks_of(v.graph)
    places = places_of(ranks)
    wrong = None if v.layer is None else v.layer.op_index
    width = max(x for x, _ in places.values()) + _BOX_WIDTH + _EDGE
    height = max(y for _, y in places.values()) + _BOX_HEIGHT + _EDGE
    lines = "".join(_lines(v.graph, places))
    boxes = "".join(
        _box(places[i], name, detail, is_wrong=i - len(v.graph.inputs) == wrong)
        for i, (name, detail) in enumerate(_names(v))
    )
    return page.card(
        "Model",
        "<p>Layers as boxes, tensors as lines with their shapes, from the inputs (top) to the "
        "outputs.</p>",
        f'<div class="scroll"><svg class="graph" role="img" aria-label="The layers of the model" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}">'
        f"{lines}{boxes}</svg></div>",
    )


def _names(v: Verdict) -> list[tuple[str, str]]:
    """Of every box, inputs first: what it is, and details."""
    found = [("input", v.graph.tensors[i].name) for i in v.graph.inputs]
    for layer in v.layers:
        found.append((f"{layer.info.index} {layer.info.op}", layer.detail))
    return found


def _sources(graph: Graph) -> dict[int, int]:
    """Tensor -> the box that makes it."""
    n = len(graph.inputs)
    made = {tensor: i for i, tensor in enumerate(graph.inputs)}
    made |= {tensor: n + i for i, op in enumerate(graph.ops) for tensor in op.outputs}
    return made


def ranks_of(graph: Graph) -> list[int]:
    """The row of every box: below all those that it reads. A state that an op reads before one
    writes it is that of the inference before."""
    made = _sources(graph)
    ranks = [0] * len(graph.inputs)
    for op in graph.ops:
        above = [ranks[made[t]] for t in op.inputs if t in made and made[t] < len(ranks)]
        ranks.append(1 + max(above, default=0))
    return ranks


def places_of(ranks: Sequence[int]) -> dict[int, tuple[float, float]]:
    """Left and top of every box, each row in the middle."""
    rows: dict[int, list[int]] = {}
    for box, rank in enumerate(ranks):
        rows.setdefault(rank, []).append(box)
    widest = max(map(len, rows.values()))
    whole = widest * _BOX_WIDTH + (widest - 1) * _GAP_X
    places = {}
    for rank, boxes in rows.items():
        left = (whole - len(boxes) * _BOX_WIDTH - (len(boxes) - 1) * _GAP_X) / 2
        for k, box in enumerate(boxes):
            x = _EDGE + left + k * (_BOX_WIDTH + _GAP_X)
            places[box] = (x, _EDGE + rank * (_BOX_HEIGHT + _GAP_Y))
    return places


def _lines(graph: Graph, places: Mapping[int, tuple[float, float]]) -> list[str]:
    made = _sources(graph)
    found, labelled = [], set()
    for i, op in enumerate(graph.ops):
        box = len(graph.inputs) + i
        x, y = places[box]
        for tensor in dict.fromkeys(t for t in op.inputs if made.get(t, box) < box):
            left, top = places[made[tensor]]
            x1, y1 = left + _BOX_WIDTH / 2, top + _BOX_HEIGHT
            x2 = x + _BOX_WIDTH / 2
            middle = (y1 + y) / 2
            found.append(
                f'<path d="M{x1:.0f} {y1:.0f} C{x1:.0f} {middle:.0f} {x2:.0f} {middle:.0f} '
                f'{x2:.0f} {y:.0f}"/>'
            )
            if tensor not in labelled:
                labelled.add(tensor)
                shape = "×".join(map(str, graph.tensors[tensor].shape))
                found.append(f'<text x="{x1 + 6:.0f}" y="{y1 + 14:.0f}">{shape}</text>')
    return found


def _box(place: tuple[float, float], name: str, detail: str, *, is_wrong: bool) -> str:
    x, y = place
    mark = ' class="wrong"' if is_wrong else ""
    shown = detail if len(detail) <= 30 else detail[:29] + "…"
    middle = x + _BOX_WIDTH / 2
    return (
        f'<g{mark}><rect x="{x:.0f}" y="{y:.0f}" width="{_BOX_WIDTH:.0f}" '
        f'height="{_BOX_HEIGHT:.0f}" rx="7"/>'
        f'<text class="name" x="{middle:.0f}" y="{y + 17:.0f}">{escape(name)}</text>'
        f'<text class="detail" x="{middle:.0f}" y="{y + 32:.0f}">{escape(shown)}</text>'
        f"<title>{escape(f'{name}: {detail}')}</title></g>"
    )
