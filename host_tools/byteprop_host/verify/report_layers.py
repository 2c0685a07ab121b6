"""The parts of the report on layers: their costs, their RAM, what the first one finds."""

from __future__ import annotations

from html import escape

from byteprop_host.report import page
from byteprop_host.verify.arena import Occupied
from byteprop_host.verify.feature_maps import first_feature_maps
from byteprop_host.verify.verdict import Verdict


def layer_table(v: Verdict) -> str:
    """All layers, with a bar for the cost of each where it was counted."""
    most = max((r.cost for r in v.layers if r.cost is not None), default=0)
    is_counted = v.figures.unit != "none"
    rows = []
    for layer in v.layers:
        info, cost = layer.info, layer.cost
        wrong = v.layer is not None and info.index == v.layer.op_index
        cells = [
            str(info.index),
            escape(info.op + (" ✗ first different" if wrong else "")),
            escape(layer.detail),
            "×".join(map(str, info.output_shape)),
            f"{info.scale:.6g}",
            str(info.zero_point),
            f"{info.macs:,}" if info.macs else "",
            f"{info.weight_bytes:,}" if info.weight_bytes else "",
            f"{layer.ram_bytes:,}",
        ]
        if is_counted:
            cells.append("" if cost is None else _bar(cost, layer.share, most))
            cells.append("" if layer.per_mac is None else f"{layer.per_mac:.2f}")
        rows.append(page.row(cells, kind="wrong" if wrong else ""))
    header = ["", "layer", "", "shape", "scale", "zero", "MACs", "weight bytes", "RAM in use"]
    if is_counted:
        header += [v.figures.unit, "per MAC"]
    return page.card("Layers", page.html_table(header, rows, kind="layers"))


def _bar(cost: int, share: float | None, most: int) -> str:
    length = 100.0 * cost / most if most else 0.0
    percent = "" if share is None else f" <small>{share:.1%}</small>"
    return (
        f'<div class="bar"><i style="width:{length:.1f}%"></i><span>{cost:,}{percent}</span></div>'
    )


_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 1000.0, 260.0, 70.0, 24.0


def arena_map(v: Verdict) -> str:
    """The arena as a drawing: layers to the right, addresses upwards."""
    n, size = len(v.layers), v.figures.arena_bytes
    if not v.arena or size == 0:
        return ""
    step, height = (_WIDTH - _LEFT) / n, _HEIGHT - _BOTTOM
    boxes = "".join(_box(o, step, height / size) for o in v.arena)
    every = -(-n // 16)
    labels = "".join(
        f'<text x="{_LEFT + (i + 0.5) * step:.1f}" y="{_HEIGHT - 6:.0f}" text-anchor="middle">{i}'
        "</text>"
        for i in range(0, n, every)
    )
    return page.card(
        "RAM for activations",
        f"<p>{size:,} bytes, the arena, from its first address (bottom) to its last, while the "
        "layers run one after the other (left to right). Blue are the tensors, orange is scratch "
        "memory. A layer may write over its input where every byte has been read before.</p>",
        '<div class="scroll"><svg class="arena" role="img" aria-label="Map of the arena" '
        f'viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}">'
        f'<line x1="{_LEFT}" y1="{height}" x2="{_WIDTH}" y2="{height}"/>{boxes}{labels}'
        f'<text x="{_LEFT - 8}" y="{height}" text-anchor="end">0</text>'
        f'<text x="{_LEFT - 8}" y="12" text-anchor="end">{size:,}</text></svg></div>',
    )


def _box(o: Occupied, step: float, scale: float) -> str:
    title = "scratch memory" if o.is_scratch else o.name
    layers = f"layer {o.first}" if o.first == o.last else f"layers {o.first} to {o.last}"
    return (
        f'<rect class="{"scratch" if o.is_scratch else "tensor"}" '
        f'x="{_LEFT + o.first * step + 1:.1f}" y="{_HEIGHT - _BOTTOM - o.end * scale:.1f}" '
        f'width="{(o.last - o.first + 1) * step - 2:.1f}" height="{o.size * scale:.1f}">'
        f"<title>{escape(title)}: {o.size:,} bytes at {o.offset:,}, {layers}</title></rect>"
    )


def feature_maps(v: Verdict) -> str:
    """A picture, and what the first convolution makes of it."""
    found = first_feature_maps(v.graph, v.samples)
    if found is None:
        return ""
    layer = v.layers[found.layer]
    turned = " Both are turned: what was downwards runs to the right." if found.is_turned else ""
    about = (
        f"The {found.n_maps} maps of {found.height} × {found.width} values that layer "
        f"{found.layer} ({layer.info.op}, {layer.detail}) makes of sample {found.sample}, by the "
        f"reference: -128 is black, 127 is white.{turned}"
    )
    figures = (
        page.figure(found.picture, "input", f"sample {found.sample}"),
        page.figure(found.maps, "feature maps", f"{found.n_maps} maps"),
    )
    return page.card(
        "What the first layer finds",
        f"<p>{escape(about)}</p>",
        f'<div class="maps">{"".join(figures)}</div>',
    )
