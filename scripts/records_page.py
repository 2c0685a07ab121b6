"""Shared code of the scripts that fill pages with tables of benchmarks/results."""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks/results"

Record = dict[str, str]


def records(name: str) -> list[Record]:
    with (RESULTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def update(
    page: Path,
    tables: Mapping[str, Callable[[], str]],
    *,
    script: str,
    summary: str,
) -> int:
    """Fills the page's `<!-- NAME: begin ... -->` blocks with their tables; the script's main.

    With --check it only reports whether they are current. Returns the exit code: 1 when the page
    is out of date."""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    old = page.read_text(encoding="utf-8")
    new = _filled(old, page.name, tables)
    if new == old:
        return 0
    if arguments.check:
        print(f"{page.name}: figures are out of date; run scripts/{script}")
        return 1
    page.write_text(new, encoding="utf-8")
    print(f"{page.name}: written")
    return 0


def _filled(text: str, page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    for name, table in tables.items():
        block = re.compile(rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)", re.S)
        if not block.search(text):
            raise SystemExit(f"{page} has no block <!-- {name}: begin -->")
        content = table()
        text = block.sub(lambda m, c=content: m.group(1) + c + m.group(2), text)
    return text
