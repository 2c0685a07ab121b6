"""Writes docs/lessons/*.ipynb from the Markdown of the lessons.

    python scripts/lesson_notebooks.py            write them
    python scripts/lesson_notebooks.py --check    only say which are not up to date

Edit the .md, never the .ipynb. The notebooks have no outputs, and the ids of their cells are their
positions, so the same text gives the same bytes. Needs jupytext (the extra `lessons`).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

import jupytext

LESSONS = Path(__file__).resolve().parents[1] / "docs/lessons"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def sources() -> list[Path]:
    """The lessons; other pages of the folder have no number."""
    return [path for path in sorted(LESSONS.glob("*.md")) if re.match(r"\d-", path.name)]


def notebook(text: str) -> str:
    """The notebook of a lesson's Markdown, as JSON."""
    node = jupytext.reads(text, fmt="md")
    cells = [
        {
            "cell_type": cell.cell_type,
            "id": f"cell-{number}",
            "metadata": {},
            **({"execution_count": None, "outputs": []} if cell.cell_type == "code" else {}),
            "source": cell.source.splitlines(keepends=True),
        }
        for number, cell in enumerate(node.cells)
    ]
    whole = {
        "cells": cells,
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    args = parser.parse_args()
    stale = 0
    for source in sources():
        target = source.with_suffix(".ipynb")
        text = notebook(source.read_text(encoding="utf-8"))
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        print(f"{target.name}: {'not up to date' if args.check else 'written'}")
        if not args.check:
            target.write_text(text, encoding="utf-8")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
