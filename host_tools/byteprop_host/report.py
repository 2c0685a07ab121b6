"""The report of a verification: one HTML file that needs nothing else, pictures included."""

from __future__ import annotations

import base64
import math
import struct
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byteprop_host.samples import Ints
from byteprop_host.verdict import Accuracy, Verdict

MAX_PICTURES = 24
MAX_LISTED = 10
_CLASS_LIMIT = 40


def write_report(verdict: Verdict, path: Path) -> None:
    """Writes the report of `verdict` to `path`."""
    path.write_text(render(verdict), encoding="utf-8")


def render(verdict: Verdict) -> str:
    """The report as HTML."""
    sections = [
        _banner(verdict),
        _tiles(verdict),
        _differences(verdict),
        _layers(verdict),
        _columns(_accuracy(verdict), _histogram(verdict)),
        _pictures(verdict),
        _facts(verdict),
    ]
    title = f"byteprop: {Path(verdict.model).name} on {verdict.board.name}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body><main>"
        + "\n".join(s for s in sections if s)
        + "</main></body></html>\n"
    )


def _banner(v: Verdict) -> str:
    c = v.comparison
    if v.identical:
        mark, word = "✓", "Identical on every byte"
    elif v.comparison.identical:
        mark, word = "✗", "Not the expected outputs"
    else:
        mark, word = "✗", "Different"
    return (
        f'<header class="{"good" if v.identical else "bad"}"><div class="mark">{mark}</div><div>'
        f"<h1>{word}</h1><p><b>{escape(Path(v.model).name)}</b> on "
        f"<b>{escape(v.board.title)}</b> ({escape(v.board.cpu)}): "
        f"{c.samples_identical:,} of {c.n_samples:,} samples and {c.bytes_identical:,} of "
        f"{c.bytes_total:,} output bytes equal <b>{escape(v.reference.name)}</b>."
        "</p></div></header>"
    )


def _tiles(v: Verdict) -> str:
    f = v.figures
    tiles: list[tuple[str, str, str]] = []
    if v.accuracy is not None:
        tiles.append(
            ("accuracy", f"{v.accuracy.board:.2%}", f"reference {v.accuracy.reference:.2%}")
        )
    if f.inference_median is not None:
        per_mac = "" if f.inference_per_mac is None else f"{f.inference_per_mac:.2f} a MAC"
        tiles.append((f"{f.unit} an inference", f"{f.inference_median:,}", per_mac))
    tiles.append(("multiply-accumulates", f"{f.macs:,}", f"{len(v.layers)} layers"))
    if f.ram_bytes is not None:
        has = v.board.memory.ram_bytes
        tiles.append(("bytes of RAM", f"{f.ram_bytes:,}", f"board has {has:,}"))
    if f.flash_bytes is not None:
        has = v.board.memory.flash_bytes
        tiles.append(("bytes of flash", f"{f.flash_bytes:,}", f"board has {has:,}"))
    tiles.append(("bytes of model", f"{f.model_bytes:,}", f"arena {f.arena_bytes:,}"))
    if f.stack_bytes:
        tiles.append(("bytes of stack used", f"{f.stack_used_bytes:,}", f"of {f.stack_bytes:,}"))
    tiles.append(("bytes on the line", f"{f.wire_bytes:,}", f"in {f.stream_seconds:.2f} s"))
    cells = "".join(
        f'<div class="tile"><span>{escape(name)}</span><b>{escape(value)}</b>'
        f"<small>{escape(more)}</small></div>"
        for name, value, more in tiles
    )
    return f'<section class="tiles">{cells}</section>'


def _differences(v: Verdict) -> str:
    if v.identical:
        return ""
    parts = ["<h2>Differences</h2>"]
    if v.layer is not None:
        parts.append(
            f'<p class="finding">Sample {v.layer.sample}: first different is {escape(str(v.layer))}'
            ". All layers before it are equal.</p>"
        )
    if v.layer_note:
        parts.append(f'<p class="finding">{escape(v.layer_note)}.</p>')
    named = [("reference", v.comparison)]
    if v.expected is not None:
        named.append(("expected outputs of the data file", v.expected))
    for name, c in named:
        if c.identical:
            continue
        rows = [
            [str(d.sample), d.output, str(list(d.position)), str(d.board), str(d.reference)]
            for d in c.differences[:MAX_LISTED]
        ]
        n = c.bytes_total - c.bytes_identical
        parts.append(
            f"<p>Against the {name}: {n:,} bytes in {c.samples_different:,} samples"
            f"{'' if n <= len(rows) else f'; the first {len(rows)}'}:</p>"
        )
        parts.append(_table(["sample", "output", "position", "board", name.split()[0]], rows))
    return f'<section class="card bad-edge">{"".join(parts)}</section>'


def _layers(v: Verdict) -> str:
    most = max((r.cost for r in v.layers if r.cost is not None), default=0)
    is_counted = v.figures.unit != "none"
    rows = []
    for row in v.layers:
        cost = row.cost
        wrong = v.layer is not None and row.index == v.layer.op_index
        cells = [
            str(row.index),
            escape(row.op + (" ✗ first different" if wrong else "")),
            escape(row.detail),
            "×".join(map(str, row.shape)),
            f"{row.scale:.6g}",
            str(row.zero_point),
            f"{row.macs:,}" if row.macs else "",
            f"{row.weight_bytes:,}" if row.weight_bytes else "",
        ]
        if is_counted:
            cells.append("" if cost is None else _bar(cost, most))
            cells.append(f"{cost / row.macs:.2f}" if cost is not None and row.macs else "")
        rows.append((cells, "wrong" if wrong else ""))
    header = ["", "layer", "", "shape", "scale", "zero", "MACs", "weight bytes"]
    if is_counted:
        header += [v.figures.unit, "a MAC"]
    head = "".join(f"<th>{h}</th>" for h in header)
    body = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{c}</td>" for c in cells) + "</tr>"
        for cells, kind in rows
    )
    return (
        '<section class="card"><h2>Layers</h2><div class="scroll"><table class="layers"><thead><tr>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _bar(cost: int, most: int) -> str:
    share = 100.0 * cost / most if most else 0.0
    return f'<div class="bar"><i style="width:{share:.1f}%"></i><span>{cost:,}</span></div>'


def _accuracy(v: Verdict) -> str:
    a = v.accuracy
    if a is None:
        return ""
    inner = _confusion_table(a) if len(a.confusion) <= _CLASS_LIMIT else ""
    return (
        f'<section class="card"><h2>Confusion</h2><p>{a.board:.2%} of {v.samples.n:,} labelled '
        "samples are right. Rows are the true class, columns the board's answer.</p>"
        f'<div class="scroll">{inner}</div></section>'
    )


def _confusion_table(a: Accuracy) -> str:
    n = len(a.confusion)
    sums = a.confusion.sum(axis=1, keepdims=True)
    shares = a.confusion / np.maximum(sums, 1)
    head = "<th></th>" + "".join(f"<th>{i}</th>" for i in range(n))
    lines = []
    for i in range(n):
        cells = []
        for j in range(n):
            share = float(shares[i, j])
            # The square root keeps rare confusions visible.
            colour = f"rgba({'20,140,95' if i == j else '205,60,60'},{math.sqrt(share):.3f})"
            dark = " class=dark" if share > 0.3 else ""
            count = int(a.confusion[i, j])
            cells.append(f'<td{dark} style="background:{colour}">{count or ""}</td>')
        lines.append(f"<tr><th>{i}</th>{''.join(cells)}</tr>")
    return f'<table class="confusion"><tr>{head}</tr>{"".join(lines)}</table>'


def _histogram(v: Verdict) -> str:
    values = np.concatenate([y.reshape(-1).astype(np.int64) for y in v.outputs])
    low, high = int(values.min()), int(values.max())
    n_bins = min(64, high - low + 1)
    counts, edges = np.histogram(values, bins=n_bins, range=(low, high + 1))
    width, height, base = 560.0, 380.0, 350.0
    # A softmax answers mostly with its ends; a logarithm lets the values between be seen.
    heights = np.log1p(counts) / np.log1p(max(int(counts.max()), 1)) * (base - 10)
    step = width / n_bins
    bars = "".join(
        f'<rect x="{i * step + 0.5:.1f}" y="{base - h:.1f}" width="{max(step - 1, 1):.1f}" '
        f'height="{h:.1f}"><title>{edges[i]:.0f} to {edges[i + 1] - 1:.0f}: {counts[i]:,}</title>'
        "</rect>"
        for i, h in enumerate(heights)
        if counts[i]
    )
    return (
        '<section class="card"><h2>Output values</h2><p>How often the board gave each value, on a '
        f"logarithmic scale; {len(values):,} values.</p>"
        f'<svg class="histogram" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="Histogram of output values"><line x1="0" y1="{base}" x2="{width}" '
        f'y2="{base}"/>{bars}<text x="0" y="{base + 20}">{low}</text>'
        f'<text x="{width}" y="{base + 20}" text-anchor="end">{high}</text></svg></section>'
    )


def _pictures(v: Verdict) -> str:
    side = _square_side(v)
    if side is None:
        return ""
    tensor = v.graph.tensors[v.graph.outputs[0]]
    images = v.samples.device[0].reshape(v.samples.n, side, side)
    tiles = []
    for i in _shown_samples(v):
        answer = int(v.outputs[0][i].argmax())
        score = float(tensor.scale) * (int(v.outputs[0][i, answer]) - tensor.zero_point)
        label = "" if v.samples.labels is None else str(int(v.samples.labels[i]))
        kind = "" if not label else ("right" if int(label) == answer else "missed")
        true = f", true {label}" if kind == "missed" else ""
        tiles.append(
            f'<figure class="{kind}"><img alt="sample {i}" src="{_png_uri(images[i])}">'
            f"<figcaption>#{i}: <b>{answer}</b> <small>{score:.2f}{true}</small></figcaption>"
            "</figure>"
        )
    about = "The board's answer and its score under each input."
    if v.samples.labels is not None:
        about += " Wrong classes are framed; half of those shown are chosen among them."
    return (
        f'<section class="card"><h2>Samples</h2><p>{about}</p>'
        f'<div class="pictures">{"".join(tiles)}</div></section>'
    )


def _shown_samples(v: Verdict) -> list[int]:
    """Some that were right and as many that were wrong, in order; the first ones without labels."""
    n = v.samples.n
    if v.samples.labels is None:
        return list(range(min(n, MAX_PICTURES)))
    right = v.outputs[0].argmax(axis=1) == v.samples.labels
    wrong = np.flatnonzero(~right)[: MAX_PICTURES // 2]
    return sorted([*wrong.tolist(), *np.flatnonzero(right)[: MAX_PICTURES - len(wrong)].tolist()])


def _square_side(v: Verdict) -> int | None:
    """The side of the input when it is one square picture."""
    if len(v.samples.device) != 1 or v.outputs[0].shape[1] < 2:
        return None
    side = math.isqrt(v.samples.device[0].shape[1])
    return side if side >= 4 and side * side == v.samples.device[0].shape[1] else None


def _facts(v: Verdict) -> str:
    f = v.figures
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        ("model", f"{v.model}, crc {v.model_crc32:08x}, in the board's {v.model_source}"),
        ("compared with", v.against or v.model),
        ("reference", f"{v.reference.name}: {v.reference.why}"),
        ("samples", v.samples.source),
        ("bytes", _how_compared(v)),
        ("board", f"{v.board.name}, {v.board.vendor}, {v.board.cpu}"),
        ("build", f"{v.build_id:016x}"),
        ("emulation", v.board.emulator.note if v.board.emulator else "none"),
        (
            "time",
            f"build {f.build_seconds:.2f} s, stream {f.stream_seconds:.2f} s, whole "
            f"{f.seconds:.2f} s",
        ),
        ("written", now),
    ]
    rows = "".join(f"<tr><th>{k}</th><td>{escape(t)}</td></tr>" for k, t in lines)
    return f'<section class="card"><h2>How</h2><table class="facts">{rows}</table></section>'


def _how_compared(v: Verdict) -> str:
    if not v.by_digest:
        return "every output byte crossed the line and was compared"
    return (
        f"{v.by_digest:,} of {v.samples.n:,} samples were settled by the CRC-32 of their outputs; "
        "where it differed, all bytes were fetched and compared"
    )


def _columns(*sections: str) -> str:
    return f'<div class="columns">{"".join(sections)}</div>'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(h)}</th>" for h in header)
    body = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        "</div>"
    )


def _png_uri(values: Ints) -> str:
    """A grey picture of 8-bit values, the least dark and the largest bright."""
    darkest = -128 if values.dtype == np.int8 else 0
    grey = (values.astype(np.int64) - darkest).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(png(grey)).decode()


def png(grey: npt.NDArray[np.uint8]) -> bytes:
    """A PNG file of uint8 [height, width]."""
    height, width = grey.shape
    lines = b"".join(b"\0" + row.tobytes() for row in grey)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


_CSS = """
:root{--ink:#16202a;--soft:#5d6b79;--line:#e2e7ec;--paper:#fff;--ground:#f3f5f7;--good:#0f8a5f;
--bad:#c23b3b;--accent:#2f6fd6}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 48px;display:grid;gap:20px}
header{display:flex;gap:22px;align-items:center;border-radius:14px;padding:24px 28px;color:#fff}
header.good{background:linear-gradient(120deg,#0b6e4b,#16a673)}
header.bad{background:linear-gradient(120deg,#8d2323,#d24a4a)}
header h1{margin:0;font-size:28px;line-height:1.2}
header p{margin:6px 0 0;opacity:.95}
.mark{font-size:52px;line-height:1;font-weight:700}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(215px,1fr));gap:12px}
.tile,.card{background:var(--paper);border:1px solid var(--line);border-radius:12px}
.tile{padding:14px 16px;display:flex;flex-direction:column}
.tile span,.tile small{color:var(--soft);font-size:12.5px}
.tile b{font-size:23px;line-height:1.35;font-variant-numeric:tabular-nums}
.card{padding:18px 22px 22px;min-width:0}
.card h2{margin:0 0 10px;font-size:18px}
.card p{margin:0 0 12px;color:var(--soft)}
.card p.finding{color:var(--ink);font-weight:600}
.bad-edge{border-left:6px solid var(--bad)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:20px}
.columns:empty{display:none}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:left;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;font-size:13px}
.layers td:nth-child(n+5):nth-child(-n+8),.layers th:nth-child(n+5):nth-child(-n+8),
.layers td:nth-child(10),.layers th:nth-child(10){text-align:right}
.layers td:nth-child(3){color:var(--soft)}
tr.wrong td{background:#fdecec;color:var(--bad);font-weight:600}
.bar{position:relative;min-width:150px;background:#eef2f7;border-radius:5px;overflow:hidden}
.bar i{position:absolute;inset:0 auto 0 0;background:#a9c6f5}
.bar span{position:relative;padding:0 8px}
.confusion{width:auto}
.confusion td,.confusion th{padding:0;width:36px;height:32px;text-align:center;
border:1px solid var(--paper);font-size:13px}
.confusion td.dark{color:#fff;font-weight:600}
.histogram{width:100%;max-width:620px;height:auto}
.histogram rect{fill:var(--accent)}
.histogram line{stroke:var(--line)}
.histogram text{font-size:13px;fill:var(--soft)}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(76px,1fr));gap:12px}
figure{margin:0;text-align:center}
figure img{width:100%;image-rendering:pixelated;border-radius:8px;border:3px solid transparent;
background:#000;background-clip:padding-box;display:block}
figure.right img{border-color:#cfe9de}
figure.missed img{border-color:var(--bad)}
figcaption{font-size:13px}
figcaption small{color:var(--soft)}
.facts th{width:130px;vertical-align:top}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#98a6b3;--line:#2b3540;
--paper:#1a2129;--ground:#11161b}.bar{background:#26303a}.bar i{background:#2f568f}
tr.wrong td{background:#3a2224}}
@media print{body{background:#fff}.card,.tile{break-inside:avoid}}
"""
