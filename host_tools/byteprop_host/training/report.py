"""The HTML report of a training: curves, confusion, diagnosis, and what was compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import numpy as np

from byteprop.ops import Dense
from byteprop.training.diagnosis import Kind, describe
from byteprop_host.data.classes import class_name
from byteprop_host.report import page
from byteprop_host.report.images import square_side
from byteprop_host.report.page import Tile
from byteprop_host.training.judgement import Outcome
from byteprop_host.training.result import (
    Final,
    TrainingResult,
    headline,
    inputs_text,
    parameters_text,
)
from byteprop_host.training.scores import Epoch, Score

MAX_UNITS = 32

_WORDS = {
    Kind.GOOD: "Neither overfitting nor underfitting seen",
    Kind.OVERFIT: "Overfitting",
    Kind.UNDERFIT: "Underfitting",
    Kind.DIVERGED: "Diverged",
    Kind.UNKNOWN: "Overfitting cannot be detected",
}

_OUTCOMES = {
    Outcome.BETTER: "The model is better than before",
    Outcome.WORSE: "The model is worse than before",
    Outcome.SAME: "The model is about as good as before",
    Outcome.FEW: "Too few samples to judge",
    Outcome.UNKNOWN: "Not judged",
}

Points = Sequence[tuple[float, float]]


def write_report(result: TrainingResult, path: Path) -> None:
    """Writes the report of `result` to `path`."""
    page.write(path, render(result))


def render(r: TrainingResult) -> str:
    """The report as HTML."""
    return page.page(
        f"byteprop: {Path(r.model).name} trained on {r.board.name}",
        [
            _banner(r),
            _tiles(r),
            _judgement(r),
            _verdict(r),
            page.columns(*_curves(r.epochs)),
            page.columns(_confusion(r), _parts(r)),
            page.columns(_counters(r), _memory(r)),
            _units(r),
            page.columns(*_weights(r)),
            _pictures(r),
            _compared(r),
            _facts(r),
        ],
    )


def _banner(r: TrainingResult) -> str:
    return page.banner(
        r.identical,
        "Same weights to the bit" if r.identical else "Different weights",
        f"<b>{escape(Path(r.model).name)}</b> ({escape(r.layers)}) was trained on "
        f"<b>{escape(r.board.title)}</b> ({escape(r.board.cpu)}), and the same steps ran on this "
        f"computer. {escape(headline(r).capitalize())}.",
    )


def _tiles(r: TrainingResult) -> str:
    f = r.figures
    shown = [_score_tile(final) for final in r.finals]
    shown.append(Tile("training samples", f"{r.counters.samples:,}", f"{len(r.epochs)} epochs"))
    if f.sample_median is not None:
        shown.append(
            Tile(f"{f.unit} per sample", f"{f.sample_median:,}", f"at most {f.sample_max:,}")
        )
    shown.append(
        Tile(
            "bytes of RAM for training",
            f"{r.plan.training_bytes:,}",
            f"beyond {r.plan.image_bytes:,} of model",
        )
    )
    shown.append(
        Tile("bytes of RAM needed", f"{r.plan.ram_needed:,}", f"board has {r.plan.ram_available:,}")
    )
    if f.flash_bytes is not None:
        shown.append(
            Tile(
                "bytes of flash", f"{f.flash_bytes:,}", f"board has {r.board.memory.flash_bytes:,}"
            )
        )
    shown.append(Tile("bytes on the line", f"{f.wire_bytes:,}", f"in {f.train_seconds:.2f} s"))
    return page.tiles(shown)


def _score_tile(final: Final) -> Tile:
    name, before = f"{final.part}, {_measure(final.score)}", ""
    if final.before is not None:
        before = f"before training {_figure(final.before)}"
    return Tile(name, _figure(final.score), before or f"{final.score.n:,} samples")


def _measure(score: Score) -> str:
    return "accuracy" if score.accuracy is not None else "RMSE"


def _figure(score: Score) -> str:
    return f"{score.accuracy:.2%}" if score.accuracy is not None else f"{score.rmse:.4g}"


def _judgement(r: TrainingResult) -> str:
    found = r.judgement
    return page.card(
        _OUTCOMES[found.outcome],
        f'<p class="finding">{escape(found.text[0].upper() + found.text[1:])}.</p>',
        is_bad=found.is_warning,
    )


def _verdict(r: TrainingResult) -> str:
    text = describe(r.diagnosis)
    html = f'<p class="finding">{escape(text[0].upper() + text[1:])}</p>'
    html += "".join(f"<p>Learned: {escape(parameters_text(p))}</p>" for p in r.parameters)
    html += "".join(f'<p class="finding">{escape(w)}</p>' for w in r.warnings)
    is_bad = r.diagnosis.kind in (Kind.OVERFIT, Kind.UNDERFIT, Kind.DIVERGED)
    return page.card(_WORDS[r.diagnosis.kind], html, is_bad=is_bad)


# --- curves ---


def _curves(epochs: Sequence[Epoch]) -> list[str]:
    if not epochs:
        return []
    cards = [_curve("Loss", epochs, lambda s: s.loss)]
    if epochs[0].training.accuracy is not None:
        cards.append(_curve("Accuracy", epochs, lambda s: s.accuracy or 0.0))
    else:
        cards.append(_curve("Error (RMSE)", epochs, lambda s: s.rmse or 0.0))
    return cards


def _curve(title: str, epochs: Sequence[Epoch], value: Callable[[Score], float]) -> str:
    a = [(float(e.number), value(e.training)) for e in epochs]
    b = [(float(e.number), value(e.validation)) for e in epochs if e.validation is not None]
    legend = '<span class="a"><i></i>training, while it changed</span>'
    if b:
        legend += '<span class="b"><i></i>validation, after the epoch</span>'
    return page.card(
        title, f'<p class="legend">{legend}</p>', line_chart(a, b, f"{title} by epoch")
    )


def line_chart(a: Points, b: Points, alt: str) -> str:
    """Two curves over the same axes, as SVG; b may be empty."""
    width, height, left, right, top, base = 560.0, 300.0, 54.0, 12.0, 10.0, 262.0
    xs, ys = [p[0] for p in [*a, *b]], [p[1] for p in [*a, *b]]
    x_low, x_high = min(xs), max(xs)
    ticks = _ticks(min(ys), max(ys))
    y_low, y_high = ticks[0], ticks[-1]

    def position(point: tuple[float, float]) -> tuple[float, float]:
        x_share = (point[0] - x_low) / (x_high - x_low) if x_high > x_low else 0.5
        y_share = (point[1] - y_low) / (y_high - y_low)
        return left + x_share * (width - left - right), base - y_share * (base - top)

    parts = []
    for tick in ticks:
        y = position((x_low, tick))[1]
        parts.append(
            f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{width - right}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for x in sorted({x_low, x_high, *_ticks(x_low, x_high)}):
        if x == int(x) and x_low <= x <= x_high:
            at = position((x, y_low))[0]
            parts.append(f'<text x="{at:.1f}" y="{base + 20}" text-anchor="middle">{x:g}</text>')
    parts.append(
        f'<text x="{(left + width) / 2}" y="{height - 2}" text-anchor="middle">epoch</text>'
    )
    for kind, points in (("a", a), ("b", b)):
        positions = [position(p) for p in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in positions)
        parts.append(f'<polyline class="{kind}" points="{line}"/>')
        if len(points) <= 40:
            parts += [
                f'<circle class="{kind}-dot" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>epoch '
                f"{p[0]:g}: {p[1]:.4g}</title></circle>"
                for (x, y), p in zip(positions, points, strict=True)
            ]
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(alt)}">{"".join(parts)}</svg>'
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from below `low` to above `high`, about five of them."""
    if high <= low:
        low, high = low - abs(low) / 2 - 0.5, high + abs(high) / 2 + 0.5
    rough = (high - low) / 4
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    first, last = int(np.floor(low / step)), int(np.ceil(high / step))
    return [round(float(i * step), 12) for i in range(first, last + 1)]


# --- samples, counters, memory, weights ---


def _confusion(r: TrainingResult) -> str:
    if r.confusion is None:
        return ""
    right, n = int(np.trace(r.confusion)), int(r.confusion.sum())
    return page.card(
        "Confusion",
        f"<p>{right:,} of {n:,} {escape(r.confusion_of)} samples are right. Rows are the true "
        "class, columns the class that the board predicts.</p>",
        page.confusion_table(r.confusion, r.classes),
    )


def _parts(r: TrainingResult) -> str:
    rows = [[p.name, f"{p.n:,}", p.source] for p in r.parts]
    how = f"<p>{escape(r.split[0].upper() + r.split[1:])}.</p>"
    table = page.table(["part", "samples", "from"], rows)
    return page.card("Parts", how, table, _class_table(r))


def _class_table(r: TrainingResult) -> str:
    n = max(len(p.classes) for p in r.parts)
    if not 0 < n <= page.CLASS_LIMIT:
        return ""
    rows = [
        [class_name(r.classes, c), *(str(p.classes[c]) for p in r.parts if p.classes)]
        for c in range(n)
    ]
    return page.table(["class", *(p.name for p in r.parts if p.classes)], rows)


def _counters(r: TrainingResult) -> str:
    remarks = "".join(
        f"<li>{'<b>Warning:</b> ' if m.is_warning else ''}{escape(m.text)}</li>" for m in r.remarks
    )
    rows = [[name.replace("_", " "), f"{n:,}"] for name, n in vars(r.counters).items()]
    return page.card(
        "Counters",
        f'<ul class="words">{remarks}</ul><br>',
        page.table(["counter", "board and host" if r.identical else "board"], rows),
    )


def _memory(r: TrainingResult) -> str:
    p = r.plan
    rows = [
        ["model image, trained in place", f"{p.image_bytes:,}"],
        ["activations", f"{p.arena_bytes:,}"],
        ["training", f"{p.training_bytes:,}"],
        ["of which a checkpoint keeps", f"{p.state_bytes:,}"],
        ["RAM needed, with firmware and stack", f"{p.ram_needed:,}"],
        ["RAM that the board has", f"{p.ram_available:,}"],
    ]
    return page.card(
        "Memory",
        "<p>Computed before anything was built, in bytes.</p>",
        page.table(["of RAM", "bytes"], rows),
    )


def _units(r: TrainingResult) -> str:
    """The first layer's weights as pictures, where inputs are pictures."""
    first = next(op for op in r.after.ops if isinstance(op, Dense))
    side = square_side(first.weights.shape[1])
    if side is None:
        return ""
    figures = []
    for j, row in enumerate(first.weights[:MAX_UNITS]):
        largest = max(int(np.abs(row.astype(np.int16)).max()), 1)
        grey = np.clip(128 + row.astype(np.float64) * 127 / largest, 0, 255).astype(np.uint8)
        figures.append(page.figure(grey.reshape(side, side), f"weights of unit {j}", f"{j}"))
    return page.card(
        "What the first layer looks for",
        "<p>The weights of each unit: bright is positive, dark is negative.</p>",
        page.pictures(figures),
    )


def _weights(r: TrainingResult) -> list[str]:
    """Histograms of the layers' weights, before and after."""
    pairs = zip(
        (op for op in r.before.ops if isinstance(op, Dense)),
        (op for op in r.after.ops if isinstance(op, Dense)),
        strict=True,
    )
    cards = []
    for i, (before, after) in enumerate(pairs):
        if after.weights.size < 16:
            continue
        edges = np.arange(-128, 129, 4)
        a, b = (np.histogram(op.weights, edges)[0] / op.weights.size for op in (after, before))
        middle = [float(e + 2) for e in edges[:-1]]
        cards.append(
            page.card(
                f"Weights of layer {i}",
                '<p class="legend"><span class="a"><i></i>after</span>'
                '<span class="b"><i></i>before</span></p>',
                _step_chart(middle, a.tolist(), b.tolist(), f"weights of layer {i}"),
            )
        )
    return cards


def _step_chart(x: Sequence[float], a: Sequence[float], b: Sequence[float], alt: str) -> str:
    width, height, base = 560.0, 200.0, 172.0
    most = max(*a, *b, 1e-9)

    def line(values: Sequence[float]) -> str:
        return " ".join(
            f"{(at + 128) / 256 * width:.1f},{base - v / most * (base - 8):.1f}"
            for at, v in zip(x, values, strict=True)
        )

    labels = "".join(
        f'<text x="{(v + 128) / 256 * width:.1f}" y="{base + 20}" text-anchor="middle">{v}</text>'
        for v in (-96, -64, -32, 0, 32, 64, 96)
    )
    return (
        f'<svg class="chart" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{escape(alt)}"><line class="grid" x1="0" y1="{base}" x2="{width}" '
        f'y2="{base}"/><polyline class="b" points="{line(b)}"/>'
        f'<polyline class="a" points="{line(a)}"/>{labels}</svg>'
    )


def _pictures(r: TrainingResult) -> str:
    p = r.pictures
    if p is None:
        return ""
    figures = []
    for i in page.pictured(p.given == p.true):
        right = p.given[i] == p.true[i]
        given, label = (escape(class_name(r.classes, int(c))) for c in (p.given[i], p.true[i]))
        true = "" if right else f" <small>true {label}</small>"
        caption = f"<b>{given}</b>{true}"
        figures.append(
            page.figure(p.images[i], f"sample {i}", caption, kind="right" if right else "missed")
        )
    return page.card(
        "Samples",
        f"<p>{escape(p.part.capitalize())} samples with the class predicted after training; wrong "
        "ones are framed, and are half of those shown where there are enough.</p>",
        page.pictures(figures),
    )


def _compared(r: TrainingResult) -> str:
    c = r.comparison
    rows = [
        ["results of samples (loss, class, outputs)", f"{c.results:,}", _same(r)],
        ["bytes of the image (weights, biases, scales)", f"{c.image_bytes:,}", _same(r)],
        ["bytes of state (residuals, bias masters, counters)", f"{c.state_bytes:,}", _same(r)],
    ]
    if r.saved is not None:
        kept = "all" if r.saved.identical else "not all"
        size = r.saved.image_bytes + r.saved.state_bytes
        rows.append(["bytes read back from the board's flash", f"{size:,}", kept])
    first = "" if c.identical else f'<p class="finding">{escape(c.first)}</p>'
    return page.card(
        "Board and host",
        f"<p>Both ran the same steps.</p>{first}",
        page.table(["compared", "number", "equal"], rows),
        is_bad=not r.identical,
    )


def _same(r: TrainingResult) -> str:
    return "all" if r.comparison.identical else "see above"


def _facts(r: TrainingResult) -> str:
    s, f, c = r.settings, r.figures, r.settings.config
    rounding = "to nearest" if c.nearest else "stochastic"
    lines = [
        ("model", f"{r.model}: {r.layers}"),
        ("loss", r.loss),
        ("inputs", inputs_text(r) or "as they are"),
        ("learning rate", f"{s.learning_rate:g}, {s.schedule}"),
        ("batch", f"{c.batch}"),
        ("seed", f"{c.seed}"),
        ("rounding", f"{rounding}, {'with' if c.residual else 'without'} residuals"),
        ("scales", f"revised every {c.window} updates" if c.window else "as they were"),
        ("trained", ", ".join(s.trained) or "all dense layers that are not frozen"),
        ("frozen", ", ".join(s.frozen) or "nothing by name"),
        ("without learning", f"{r.baseline:.4g}"),
        ("board", f"{r.board.name}, {r.board.vendor}, {r.board.cpu}"),
        ("build", f"{r.build_id:016x}"),
        ("emulation", r.board.emulator.note if r.is_emulated and r.board.emulator else "none"),
        ("line", f"{f.retransmissions} frames sent again, {f.sessions_lost} resets survived"),
        (
            "time",
            f"build {f.build_seconds:.2f} s, training {f.train_seconds:.2f} s, whole "
            f"{f.seconds:.2f} s",
        ),
        ("files", ", ".join(map(str, r.files)) or "none"),
        (
            "read more",
            "byteprop help training: how it learns, its limits; byteprop help numerics, faq",
        ),
    ]
    return page.facts(lines)
