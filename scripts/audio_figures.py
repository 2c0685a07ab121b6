"""Writes the table of docs/audio.md from benchmarks/results/audio-instructions.csv.

python scripts/audio_figures.py [--check]
"""

from __future__ import annotations

import sys

from records_page import ROOT, records, update

TITLES = {
    "cortex-m4": "Cortex-M4",
    "cortex-m3": "Cortex-M3",
    "cortex-m0": "Cortex-M0",
    "rv32imac": "RV32IMAC",
}


def table() -> str:
    last = {record["cpu"]: record for record in records("audio-instructions")}
    lines = ["| instructions | per window | per second of sound |", "|---|---|---|"]
    for cpu, title in TITLES.items():
        record = last[cpu]
        window, second = (int(record[f"instructions_per_{unit}"]) for unit in ("window", "second"))
        lines.append(f"| {title} | {window:,} | {second / 1e6:.2f} million |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    page = ROOT / "docs/audio.md"
    sys.exit(update(page, {"audio": table}, script="audio_figures.py", summary=__doc__))
