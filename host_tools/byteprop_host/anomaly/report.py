"""The HTML report of a detector: scores with the threshold, over all windows and in their order."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byteprop_host.anomaly.result import (
    DetectionResult,
    detector_text,
    drift_text,
    found_text,
    headline,
)
from byteprop_host.report import page
from byteprop_host.report.page import Tile

_BINS = 48
_MOST_POINTS = 2000

Values = npt.NDArray[np.float64]


def write_report(result: DetectionResult, path: Path) -> None:
    """Writes the report of `result` to `path`."""
    page.write(path, render(result))


def render(r: DetectionResult) -> str:
    """The report as HTML."""
    return page.page(
        f"byteprop: a detector on {r.board.name}",
        [
            page.banner(
                r.identical,
                "The board decides as the host" if r.identical else "The board decides otherwise",
                f"<b>{escape(Path(r.model).name)}</b> on <b>{escape(r.board.title)}</b> "
                f"({escape(r.board.cpu)}): {escape(headline(r))}.",
            ),
            _tiles(r),
            _found(r),
            page.columns(_histogram(r), _course(r)),
            _facts(r),
        ],
    )


def _tiles(r: DetectionResult) -> str:
    c, f = r.costs, r.figures
    shown = [Tile("threshold", f"{r.threshold:,}", f"from {len(r.learnt):,} windows in order")]
    if f is not None and r.is_fault is not None:
        faults = int(r.is_fault.sum())
        shown += [
            Tile("AUC", f"{f.auc:.3f}", "of single windows, without a threshold"),
            Tile("faults missed", f"{r.missed:,}", f"of {faults:,} windows with a fault"),
            Tile(
                "false alarms", f"{f.false_alarms:,}", f"in {f.normal_windows:,} windows in order"
            ),
        ]
    if c.window_median is not None:
        shown.append(Tile(f"{c.unit} per window", f"{c.window_median:,}", "median"))
    if c.ram_bytes is not None:
        shown.append(Tile("bytes of RAM", f"{c.ram_bytes:,}", f"board has {c.ram_available:,}"))
    return page.tiles(shown)


def _found(r: DetectionResult) -> str:
    if not found_text(r):
        return ""
    drift = drift_text(r)
    more = f"<p>Drift: {escape(drift)}.</p>" if drift else ""
    return page.card(
        "What the detector found", f'<p class="finding">{escape(found_text(r))}.</p>', more
    )


# --- scores ---


def _groups(r: DetectionResult) -> list[tuple[str, str, Values]]:
    """Name, CSS class and scores of each kind of window that there is."""
    groups = [("learnt from", "learnt", r.learnt)]
    if r.is_fault is not None:
        groups.append(("in order", "normal", r.scores[~r.is_fault]))
        groups.append(("with a fault", "fault", r.scores[r.is_fault]))
    else:
        groups.append(("test windows", "normal", r.scores))
    return [group for group in groups if len(group[2])]


def _logarithm(scores: Values) -> Values:
    """Scores of faults are thousands of times larger."""
    return np.asarray(np.log10(np.maximum(scores, 1.0)))


def _histogram(r: DetectionResult) -> str:
    groups = _groups(r)
    if not groups:
        return ""
    values = _logarithm(np.concatenate([g[2] for g in groups] + [[float(r.threshold)]]))
    low, high = float(values.min()), float(values.max()) + 1e-6
    width, height, base = 560.0, 320.0, 290.0
    counts = [np.histogram(_logarithm(g[2]), bins=_BINS, range=(low, high))[0] for g in groups]
    shares = [c / max(int(c.max()), 1) for c in counts]
    step = width / _BINS
    bars = "".join(
        f'<rect class="{kind}" x="{i * step + 0.5:.1f}" y="{base - s * (base - 10):.1f}" '
        f'width="{step - 1:.1f}" height="{s * (base - 10):.1f}"><title>{name}: {int(c[i])} '
        "windows</title></rect>"
        for (name, kind, _), c, share in zip(groups, counts, shares, strict=True)
        for i, s in enumerate(share)
        if c[i]
    )
    at = (float(_logarithm(np.array([float(r.threshold)]))[0]) - low) / (high - low) * width
    return page.card(
        "Scores",
        "<p>How many windows have which score, on a logarithmic scale; each kind by its highest "
        "bar. The line is the threshold.</p>",
        _legend(groups),
        f'<svg class="histogram" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="Histogram of scores"><line x1="0" y1="{base}" x2="{width}" y2="{base}"/>'
        f'{bars}<line class="limit" x1="{at:.1f}" y1="0" x2="{at:.1f}" y2="{base}"/>'
        f'<text x="0" y="{base + 20}">{10**low:,.0f}</text>'
        f'<text x="{width}" y="{base + 20}" text-anchor="end">{10**high:,.0f}</text></svg>',
    )


def _legend(groups: Sequence[tuple[str, str, Values]]) -> str:
    parts = "".join(f'<span class="{kind}"><i></i>{name}</span>' for name, kind, _ in groups)
    return f'<p class="legend">{parts}</p>'


def _course(r: DetectionResult) -> str:
    """Scores of the test windows in their order, and where the alarms are."""
    if not r.verdicts:
        return ""
    width, height, base = 560.0, 320.0, 290.0
    every = -(-len(r.verdicts) // _MOST_POINTS)
    n = len(r.verdicts)
    values = _logarithm(np.concatenate([r.scores, [float(r.threshold)]]))
    low, high = float(values.min()), float(values.max()) + 1e-6

    def y(value: float) -> float:
        return base - (value - low) / (high - low) * (base - 10)

    def x(i: int) -> float:
        return i / max(n - 1, 1) * width

    points = " ".join(f"{x(i):.1f},{y(float(values[i])):.1f}" for i in range(0, n, every))
    alarms = "".join(
        f'<rect class="fault" x="{x(first):.1f}" y="{base + 4}" '
        f'width="{max(x(last) - x(first), 1.5):.1f}" height="6"/>'
        for first, last in _runs([v.alarm for v in r.verdicts])
    )
    return page.card(
        "Windows in their order",
        "<p>The score of each test window. The horizontal line is the threshold; bars below mark "
        "alarms.</p>",
        f'<svg class="histogram" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="Scores in their order"><polyline points="{points}"/>'
        f'<line class="limit" x1="0" y1="{y(float(values[-1])):.1f}" x2="{width}" '
        f'y2="{y(float(values[-1])):.1f}"/>{alarms}'
        f'<text x="0" y="{height - 6}">0</text>'
        f'<text x="{width}" y="{height - 6}" text-anchor="end">{n - 1:,}</text></svg>',
    )


def _runs(flags: Sequence[bool]) -> list[tuple[int, int]]:
    """First index of each run of True, and the one after its last."""
    edges = np.flatnonzero(np.diff(np.array([False, *flags, False], np.int8)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _facts(r: DetectionResult) -> str:
    c = r.costs
    lines = [
        ("model", r.model),
        ("detector", detector_text(r.config)),
        ("learnt from", f"{len(r.learnt):,} windows of {r.normal}"),
    ]
    if r.verdicts:
        lines.append(("judged", f"{len(r.verdicts):,} windows of {r.test}"))
    if r.trained is not None:
        t = r.trained
        lines.append(("trained", f"{t.epochs} epochs of {t.windows:,} windows; {t.memory}"))
    where = "emulated" if r.is_emulated else "real"
    lines.append(("board", f"{r.board.name}, {where}, build {r.build_id:016x}"))
    if c.stack_bytes:
        lines.append(("stack", f"{c.stack_used_bytes:,} of {c.stack_bytes:,} bytes used at most"))
    lines.append(("line", f"{c.wire_bytes:,} bytes, {c.retransmissions} frames sent again"))
    lines += [("saved", r.saved)] if r.saved else []
    lines += [("warning", warning) for warning in r.warnings]
    lines.append(("read more", "byteprop help anomaly; byteprop help numerics"))
    return page.facts(lines)
