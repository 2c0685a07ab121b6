"""Building blocks of the HTML reports: self-contained pages, with images inline."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byteprop.support import files
from byteprop_host.console import printable_lines
from byteprop_host.data.samples import Ints
from byteprop_host.report.images import Pixels, png_uri

CLASS_LIMIT = 40
MAX_PICTURES = 24


@dataclass(frozen=True)
class Tile:
    """A figure in large type."""

    name: str
    value: str
    more: str = ""


def write(path: Path, html: str) -> None:
    """Writes a whole page; names in it show no control characters."""
    files.write(path, printable_lines(html).encode())


def page(title: str, sections: Iterable[str]) -> str:
    """A whole HTML page; sections that are empty are left out."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_CSS}</style></head><body><main>"
        + "\n".join(s for s in sections if s)
        + "</main></body></html>\n"
    )


def banner(good: bool, headline: str, html: str) -> str:
    """The result in one coloured block."""
    return (
        f'<header class="{"good" if good else "bad"}"><div class="mark">{"✓" if good else "✗"}'
        f"</div><div><h1>{escape(headline)}</h1><p>{html}</p></div></header>"
    )


def tiles(shown: Iterable[Tile]) -> str:
    cells = "".join(
        f'<div class="tile"><span>{escape(t.name)}</span><b>{escape(t.value)}</b>'
        f"<small>{escape(t.more)}</small></div>"
        for t in shown
    )
    return f'<section class="tiles">{cells}</section>'


def card(title: str, *html: str, is_bad: bool = False) -> str:
    edge = " bad-edge" if is_bad else ""
    return f'<section class="card{edge}"><h2>{escape(title)}</h2>{"".join(html)}</section>'


def columns(*sections: str) -> str:
    """Sections side by side, without the empty ones."""
    shown = "".join(sections)
    return f'<div class="columns">{shown}</div>' if shown else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of plain text."""
    return html_table(header, (row(map(escape, cells)) for cells in rows))


def row(cells: Iterable[str], *, kind: str = "") -> str:
    """A row of HTML cells; `kind` is its CSS class."""
    mark = f' class="{kind}"' if kind else ""
    return f"<tr{mark}>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def html_table(header: Sequence[str], rows: Iterable[str], *, kind: str = "") -> str:
    """A table of rows made by `row`; `kind` is its CSS class."""
    head = "".join(f"<th>{escape(h)}</th>" for h in header)
    mark = f' class="{kind}"' if kind else ""
    return (
        f'<div class="scroll"><table{mark}><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}'
        "</tbody></table></div>"
    )


def facts(lines: Iterable[tuple[str, str]]) -> str:
    """A table of facts about the run, and the time."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    rows = "".join(
        f"<tr><th>{escape(k)}</th><td>{escape(t)}</td></tr>" for k, t in [*lines, ("written", now)]
    )
    return card("How", f'<table class="facts">{rows}</table>')


def confusion_table(counts: Ints, names: Sequence[str] = ()) -> str:
    """[true, predicted] counts, coloured by their share of the row; nothing for many classes.
    names: of the classes, at the rows; the columns have their numbers."""
    n = len(counts)
    if n > CLASS_LIMIT:
        return ""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    head = "<th></th>" + "".join(f"<th>{i}</th>" for i in range(n))
    lines = []
    for i in range(n):
        cells = []
        for j in range(n):
            share = float(shares[i, j])
            # The square root keeps rare confusions visible.
            full, strength = _RIGHT if i == j else _WRONG, math.sqrt(share)
            colour = f"rgba({full[0]},{full[1]},{full[2]},{strength:.3f})"
            dark = " class=dark" if _needs_white(full, strength) else ""
            count = int(counts[i, j])
            cells.append(f'<td{dark} style="background:{colour}">{count or ""}</td>')
        name = f"{i} {escape(names[i])}" if i < len(names) else str(i)
        lines.append(f'<tr><th class="class">{name}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="scroll"><table class="confusion"><tr>{head}</tr>{"".join(lines)}</table>'
        "</div>"
    )


_RIGHT, _WRONG = (11, 110, 75), (160, 40, 40)  # cells of the confusion table, at full strength


def _needs_white(colour: tuple[int, int, int], strength: float) -> bool:
    """Whether white letters stand out more than black ones from the colour over white paper."""
    mixed = [(strength * c + (1 - strength) * 255) / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mixed)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179


def figure(pixels: Pixels, alt: str, caption: str, *, kind: str = "") -> str:
    """A picture; `caption` is HTML."""
    return (
        f'<figure class="{kind}"><img alt="{escape(alt)}" src="{png_uri(pixels)}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def pictures(figures: Iterable[str], *, kind: str = "") -> str:
    """Figures in rows; `kind` is an additional CSS class, "wide" for broad pictures."""
    return f'<div class="{f"pictures {kind}".rstrip()}">{"".join(figures)}</div>'


def pictured(right: npt.NDArray[np.bool_]) -> list[int]:
    """Indices of samples to show: half of them wrong, if there are enough."""
    wrong = np.flatnonzero(~right)[: MAX_PICTURES // 2]
    return sorted([*wrong.tolist(), *np.flatnonzero(right)[: MAX_PICTURES - len(wrong)].tolist()])


_CSS = """
:root{--ink:#16202a;--soft:#5d6b79;--line:#e2e7ec;--paper:#fff;--ground:#f3f5f7;--good:#0f8a5f;
--bad:#c23b3b;--accent:#2f6fd6;--second:#d9822b}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 48px;display:grid;gap:20px;
grid-template-columns:minmax(0,1fr)}
header{display:flex;gap:22px;align-items:center;border-radius:14px;padding:24px 28px;color:#fff}
header.good{background:linear-gradient(120deg,#0a5f41,#0c7a54)}
header.bad{background:linear-gradient(120deg,#8d2323,#b53636)}
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
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(420px,100%),1fr));gap:20px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;text-align:left;border-bottom:1px solid var(--line)}
th{color:var(--soft);font-weight:600;font-size:13px}
.layers td:nth-child(n+5):nth-child(-n+9),.layers th:nth-child(n+5):nth-child(-n+9),
.layers td:nth-child(11),.layers th:nth-child(11){text-align:right}
.layers td:nth-child(3){color:var(--soft);min-width:150px}
tr.wrong td{background:#fdecec;color:var(--bad);font-weight:600}
.bar{position:relative;min-width:150px;background:#eef2f7;border-radius:5px;overflow:hidden}
.bar i{position:absolute;inset:0 auto 0 0;background:#a9c6f5}
.bar span{position:relative;padding:0 8px}
.confusion{width:auto}
.confusion td,.confusion th{padding:0;width:36px;height:32px;text-align:center;
border:1px solid var(--paper);font-size:13px}
.confusion th.class{width:auto;padding:0 8px;text-align:right;white-space:nowrap}
.confusion td{color:#000}
.confusion td.dark{color:#fff;font-weight:600}
.histogram{width:100%;max-width:620px;height:auto}
.histogram rect{fill:var(--accent)}
.histogram line{stroke:var(--line)}
.histogram polyline{fill:none;stroke:var(--accent);stroke-width:1.2}
.histogram .normal,.legend .normal i{fill:var(--good);fill-opacity:.6;background:var(--good)}
.histogram .fault,.legend .fault i{fill:var(--second);fill-opacity:.7;background:var(--second)}
.histogram .limit{stroke:var(--bad);stroke-width:2}
.histogram text{font-size:13px;fill:var(--soft)}
.arena{width:100%;min-width:600px;height:auto;display:block}
.arena rect{fill:var(--accent);fill-opacity:.35;stroke:var(--accent)}
.arena .scratch{fill:var(--second);stroke:var(--second)}
.arena line{stroke:var(--line)}
.arena text{font-size:12px;fill:var(--soft)}
.graph{max-width:100%;height:auto;display:block;margin:0 auto}
.graph rect{fill:var(--ground);stroke:var(--accent)}
.graph path{fill:none;stroke:var(--soft)}
.graph text{font-size:11px;fill:var(--soft)}
.graph .name{font-size:13px;font-weight:600;fill:var(--ink);text-anchor:middle}
.graph .detail{text-anchor:middle}
.graph .wrong rect{stroke:var(--bad);stroke-width:3}
.chart{width:100%;height:auto}
.chart text{font-size:12px;fill:var(--soft)}
.chart .grid{stroke:var(--line)}
.chart .a{stroke:var(--accent);fill:none;stroke-width:2.5}
.chart .b{stroke:var(--second);fill:none;stroke-width:2.5}
.chart .a-dot{fill:var(--accent)}
.chart .b-dot{fill:var(--second)}
.legend{display:flex;gap:18px;color:var(--soft);font-size:13px;margin:0 0 8px}
.legend i{display:inline-block;width:18px;height:3px;margin:0 6px 4px 0;background:var(--accent)}
.legend .b i{background:var(--second)}
.words{margin:0;padding-left:20px}
.words li{margin:4px 0}
.pictures{display:grid;grid-template-columns:repeat(auto-fill,minmax(76px,1fr));gap:12px}
.wide{grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}
.maps{display:grid;grid-template-columns:minmax(90px,1fr) 5fr;gap:16px;align-items:start}
.maps img{border-radius:0}
figure{margin:0;text-align:center}
figure img{width:100%;image-rendering:pixelated;border-radius:8px;border:3px solid transparent;
background:#000;background-clip:padding-box;display:block}
figure.right img{border-color:#cfe9de}
figure.missed img{border-color:var(--bad)}
figcaption{font-size:13px}
figcaption small{color:var(--soft)}
.facts th{width:130px;vertical-align:top}
.facts td{overflow-wrap:anywhere}
@media (max-width:600px){main{padding:12px 10px 32px;gap:12px}header{padding:16px;gap:14px}
header h1{font-size:23px}.mark{font-size:36px}.card{padding:14px}.maps{grid-template-columns:1fr}
.maps figure:first-child{max-width:160px}
.tiles{grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}.tile b{font-size:19px}}
@media (prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#98a6b3;--line:#2b3540;
--paper:#1a2129;--ground:#11161b}.bar{background:#26303a}.bar i{background:#2f568f}
.confusion td{color:#fff}
tr.wrong td{background:#3a2224;color:#ffb4b4}}
@media print{:root{--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--ground:#fff;--good:#0b6e4b;
--bad:#a02020;--accent:#2f6fd6}@page{margin:14mm}
body{background:#fff;font-size:11pt}main{max-width:none;padding:0;display:block}
main>*{margin-bottom:12px}.card,.tile,figure,tr{break-inside:avoid}h2{break-after:avoid}
header,.confusion td,.bar,.bar i{-webkit-print-color-adjust:exact;print-color-adjust:exact}
.scroll{overflow:visible}.arena{min-width:0}.bar{background:#eef2f7}.bar i{background:#a9c6f5}
tr.wrong td{background:#fdecec}}
"""
