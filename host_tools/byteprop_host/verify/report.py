"""The HTML report of a verification."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np

from byteprop.inference.info import describe_inputs
from byteprop_host.data.classes import class_name
from byteprop_host.report import page
from byteprop_host.report.page import Tile
from byteprop_host.verify.model_graph import model_graph
from byteprop_host.verify.report_differences import different_pictures, input_pictures
from byteprop_host.verify.report_kernels import other_kernels
from byteprop_host.verify.report_layers import arena_map, feature_maps, layer_table
from byteprop_host.verify.verdict import Verdict

MAX_LISTED = 10


def write_report(verdict: Verdict, path: Path) -> None:
    """Writes the report of `verdict` to `path`."""
    page.write(path, render(verdict))


def render(verdict: Verdict) -> str:
    """The report as HTML."""
    return page.page(
        f"byteprop: {Path(verdict.model).name} on {verdict.board.name}",
        [
            _banner(verdict),
            _tiles(verdict),
            _differences(verdict),
            different_pictures(verdict),
            other_kernels(verdict),
            model_graph(verdict),
            layer_table(verdict),
            arena_map(verdict),
            page.columns(_accuracy(verdict), _histogram(verdict)),
            feature_maps(verdict),
            _pictures(verdict),
            _facts(verdict),
        ],
    )


def _banner(v: Verdict) -> str:
    c = v.comparison
    if v.identical:
        word = "Identical on every byte"
    elif v.comparison.identical:
        word = "Not the expected outputs"
    else:
        word = "Different"
    return page.banner(
        v.identical,
        word,
        f"<b>{escape(Path(v.model).name)}</b> on "
        f"<b>{escape(v.board.title)}</b> ({escape(v.board.cpu)}): "
        f"{c.samples_identical:,} of {c.n_samples:,} samples and {c.bytes_identical:,} of "
        f"{c.bytes_total:,} output bytes equal <b>{escape(v.reference.name)}</b>.",
    )


def _tiles(v: Verdict) -> str:
    f = v.figures
    tiles: list[Tile] = []
    if v.accuracy is not None:
        tiles.append(
            Tile("accuracy", f"{v.accuracy.board:.2%}", f"reference {v.accuracy.reference:.2%}")
        )
    if f.inference_median is not None:
        per_mac = "" if f.inference_per_mac is None else f"{f.inference_per_mac:.2f} per MAC"
        tiles.append(Tile(f"{f.unit} per inference", f"{f.inference_median:,}", per_mac))
    tiles.append(Tile("multiply-accumulates", f"{f.macs:,}", f"{len(v.layers)} layers"))
    if f.ram_bytes is not None:
        has = v.board.memory.ram_bytes
        tiles.append(Tile("bytes of RAM", f"{f.ram_bytes:,}", f"board has {has:,}"))
    if f.flash_bytes is not None:
        has = v.board.memory.flash_bytes
        tiles.append(Tile("bytes of flash", f"{f.flash_bytes:,}", f"board has {has:,}"))
    tiles.append(Tile("bytes of model", f"{f.model_bytes:,}", f"arena {f.arena_bytes:,}"))
    if f.stack_bytes:
        tiles.append(
            Tile("bytes of stack used", f"{f.stack_used_bytes:,}", f"of {f.stack_bytes:,}")
        )
    tiles.append(Tile("bytes on the line", f"{f.wire_bytes:,}", f"in {f.stream_seconds:.2f} s"))
    return page.tiles(tiles)


def _differences(v: Verdict) -> str:
    if v.identical:
        return ""
    parts: list[str] = []
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
        parts.append(page.table(["sample", "output", "position", "board", name.split()[0]], rows))
    return page.card("Differences", *parts, is_bad=True)


def _accuracy(v: Verdict) -> str:
    a = v.accuracy
    if a is None:
        return ""
    return page.card(
        "Confusion",
        f"<p>{a.board:.2%} of {v.samples.n:,} labelled samples are right. Rows are the true class, "
        "columns the class that the board predicts.</p>",
        page.confusion_table(a.confusion, v.classes),
    )


def _histogram(v: Verdict) -> str:
    values = np.concatenate([y.reshape(-1).astype(np.int64) for y in v.outputs])
    low, high = int(values.min()), int(values.max())
    n_bins = min(64, high - low + 1)
    counts, edges = np.histogram(values, bins=n_bins, range=(low, high + 1))
    width, height, base = 560.0, 380.0, 350.0
    # The outputs of a softmax are mostly near 0 and 1; a logarithm shows the values between.
    heights = np.log1p(counts) / np.log1p(max(int(counts.max()), 1)) * (base - 10)
    step = width / n_bins
    bars = "".join(
        f'<rect x="{i * step + 0.5:.1f}" y="{base - h:.1f}" width="{max(step - 1, 1):.1f}" '
        f'height="{h:.1f}"><title>{edges[i]:.0f} to {edges[i + 1] - 1:.0f}: {counts[i]:,}</title>'
        "</rect>"
        for i, h in enumerate(heights)
        if counts[i]
    )
    return page.card(
        "Output values",
        f"<p>Count of each output value, on a logarithmic scale; {len(values):,} values.</p>",
        f'<svg class="histogram" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="Histogram of output values"><line x1="0" y1="{base}" x2="{width}" '
        f'y2="{base}"/>{bars}<text x="0" y="{base + 20}">{low}</text>'
        f'<text x="{width}" y="{base + 20}" text-anchor="end">{high}</text></svg>',
    )


def _pictures(v: Verdict) -> str:
    images = input_pictures(v)
    if images is None:
        return ""
    tensor = v.graph.tensors[v.graph.outputs[0]]
    figures = []
    for i in _shown_samples(v):
        answer = int(v.outputs[0][i].argmax())
        score = float(tensor.scale) * (int(v.outputs[0][i, answer]) - tensor.zero_point)
        label = None if v.samples.labels is None else int(v.samples.labels[i])
        kind = "" if label is None else ("right" if label == answer else "missed")
        true = f", true {escape(class_name(v.classes, label or 0))}" if kind == "missed" else ""
        name = escape(class_name(v.classes, answer))
        caption = f"#{i}: <b>{name}</b> <small>{score:.2f}{true}</small>"
        figures.append(page.figure(images[i], f"sample {i}", caption, kind=kind))
    about = "The class that the board predicts, and its score, below each input."
    if v.samples.labels is not None:
        about += " Wrong classes are framed, and are half of those shown where there are enough."
    wide = "wide" if images.shape[2] > 2 * images.shape[1] else ""
    return page.card("Samples", f"<p>{about}</p>", page.pictures(figures, kind=wide))


def _shown_samples(v: Verdict) -> list[int]:
    if v.samples.labels is None:
        return list(range(min(v.samples.n, page.MAX_PICTURES)))
    return page.pictured(v.outputs[0].argmax(axis=1) == v.samples.labels)


def _facts(v: Verdict) -> str:
    f = v.figures
    lines = [
        ("model", f"{v.model}, crc {v.model_crc32:08x}, in the board's {v.model_source}"),
        ("compared with", v.against or v.model),
        ("reference", f"{v.reference.name}: {v.reference.why}"),
        ("samples", v.samples.source),
        (
            "read more",
            "byteprop help testing: verdicts; byteprop help numerics; byteprop help faq",
        ),
        *(("warning", warning) for warning in v.samples.warnings),
        ("inputs normalized", describe_inputs(v.graph) or "no"),
        ("bytes", _how_compared(v)),
        ("board", f"{v.board.name}, {v.board.vendor}, {v.board.cpu}"),
        ("build", f"{v.build_id:016x}"),
        ("emulation", v.board.emulator.note if v.board.emulator else "none"),
        (
            "time",
            f"build {f.build_seconds:.2f} s, stream {f.stream_seconds:.2f} s, whole "
            f"{f.seconds:.2f} s",
        ),
    ]
    return page.facts(lines)


def _how_compared(v: Verdict) -> str:
    if not v.by_digest:
        return "every output byte was sent over the line and compared"
    return (
        f"{v.by_digest:,} of {v.samples.n:,} samples were compared by the CRC-32 of their "
        "outputs; where it differed, all bytes were fetched and compared"
    )
