"""Pages with tables made of benchmarks/results: what the scripts that fill them share."""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Mapping, Sequence
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
    told: Sequence[str] = (),
) -> int:
    """The script's main: fills the page's places `<!-- NAME: begin ... -->` with their tables, or
    with --check only says whether they are current. told: sentences that the page has to hold."""
    parser = argparse.ArgumentParser(description=summary)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    old = page.read_text(encoding="utf-8")
    new = _filled(old, page.name, tables)
    untold = [text for text in told if text not in " ".join(new.split())]
    if untold:
        print(f"{page.name}: the promises do not say: {'; '.join(untold)}")
    if new == old:
        return 1 if untold else 0
    if arguments.check:
        print(f"{page.name}: figures are out of date; run scripts/{script}")
        return 1
    page.write_text(new, encoding="utf-8")
    print(f"{page.name}: written")
    return 1 if untold else 0


def _filled(text: str, page: str, tables: Mapping[str, Callable[[], str]]) -> str:
    for name, table in tables.items():
        place = re.compile(rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)", re.S)
        if not place.search(text):
            raise SystemExit(f"{page} has no place for {name}")
        content = table()
        text = place.sub(lambda m, c=content: m.group(1) + c + m.group(2), text)
    return text
