"""The HTML page of a verification on several boards."""

from __future__ import annotations

from html import escape
from pathlib import Path

from byteprop_host.report import page
from byteprop_host.verify.rig import HEADER, BoardOutcome, Outcome, RigVerdict


def write_rig_report(verdict: RigVerdict, path: Path) -> None:
    """Writes the page of `verdict` to `path`; it links the reports of the boards."""
    page.write(path, render(verdict, path.parent))


def render(v: RigVerdict, folder: Path) -> str:
    """The page as HTML; links are relative to `folder`."""
    return page.page(
        f"byteprop: {v.headline()}",
        [
            _banner(v),
            page.card(
                "Boards",
                page.html_table(
                    [*HEADER, "reason"], (_row(row, folder) for row in v.rows), kind="boards"
                ),
                is_bad=not (v.identical and v.all_were_run),
            ),
            _facts(v),
        ],
    )


def _banner(v: RigVerdict) -> str:
    good = v.identical and v.all_were_run
    if not v.identical:
        word = "Different"
    elif good:
        word = "Identical on every board"
    else:
        word = "Not every board was run"
    return page.banner(good, word, escape(v.headline()))


def _row(row: BoardOutcome, folder: Path) -> str:
    name, *cells = map(escape, row.cells())
    if row.report:
        report = Path(row.report)
        link = report.name if report.parent == folder else report.as_posix()
        name = f'<a href="{escape(link)}">{name}</a>'
    kind = "" if row.outcome is Outcome.IDENTICAL else "wrong"
    reason = escape(row.reason).replace("\n", "<br>")
    return page.row([name, *cells, reason], kind=kind)


def _facts(v: RigVerdict) -> str:
    run = next((row for row in v.rows if row.was_run), None)
    lines = [("model", v.model)]
    if run is not None:
        reference = run.verdict["reference"]
        lines.append(("reference", f"{reference['name']}: {reference['why']}"))
        lines.append(("samples", str(run.verdict["samples"]["source"])))
    lines += [(f"not run: {name}", why) for name, why in v.rig.left_out]
    return page.facts(lines)
