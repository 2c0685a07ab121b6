"""Writes the table of supported ops into docs/ops.md, from the files of byteprop.ops.

    python3 scripts/op_table.py            writes
    python3 scripts/op_table.py --check    exits with 1 when the page is out of date

The table is between the lines `<!-- ops: begin -->` and `<!-- ops: end -->`.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from byteprop.ops import specs
from byteprop.ops.spec import OpSpec

PAGE = Path(__file__).resolve().parents[1] / "docs/ops.md"
PLACE = re.compile(r"(<!-- ops: begin[^\n]*-->\n).*?(<!-- ops: end -->)", re.S)


def row(spec: OpSpec[Any]) -> str:
    readers = spec.tflite_readers()
    names = ", ".join(f"{name} ({reader.max_version})" for name, reader in readers.items())
    return f"| {names or spec.stands_for} | {spec.takes} |"


def table() -> str:
    """One row for each op of the library, which may be several of a .tflite file."""
    rows = [row(spec) for spec in specs()]
    return "\n".join(["| ops, up to version | supported |", "|---|---|", *rows]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    old = PAGE.read_text(encoding="utf-8")
    if PLACE.search(old) is None:
        print("docs/ops.md has no place for the table of ops", file=sys.stderr)
        return 1
    new = PLACE.sub(lambda place: place.group(1) + table() + place.group(2), old)
    if new == old:
        return 0
    if arguments.check:
        print("docs/ops.md: is out of date; run scripts/op_table.py")
        return 1
    PAGE.write_text(new, encoding="utf-8")
    print("docs/ops.md: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
