"""Figures as lines of benchmarks/results/*.csv."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def append(name: str, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Path:
    """Appends rows to results/<name>.csv, with a header when the file is new."""
    path = RESULTS / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if is_new:
            writer.writeheader()
        writer.writerows(rows)
    return path


@lru_cache(maxsize=1)
def commit() -> str:
    """The commit that is measured; "+" when what it measures was changed since."""
    head = _git("rev-parse", "--short=12", "HEAD")
    return head + ("+" if _git("status", "--porcelain", "csrc", "boards", "runtime") else "")


def _git(*args: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(ROOT), *args], capture_output=True, text=True, check=False, timeout=30.0
    )
    return done.stdout.strip() or "unknown" if done.returncode else done.stdout.strip()
