"""Writes the measured figures into README.md, from benchmarks/results.

    python3 scripts/figures_table.py            writes
    python3 scripts/figures_table.py --check    exits with 1 when README.md is out of date

The last record of a board and model counts. benchmarks/run.py and benchmarks/host.py record.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks/results"
MODEL = "fashion_mlp_perchannel"
BOARDS = {"Cortex-M0": "microbit", "Cortex-M3": "mps2-an385", "Cortex-M4": "mps2-an386"}

Record = dict[str, str]


def records(name: str) -> list[Record]:
    with (RESULTS / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["model"] == MODEL]


def boards_table() -> str:
    """The same 784-20-10 network; the figures of others are ours too, see the text below them."""
    ours = {cpu: records(board)[-1] for cpu, board in BOARDS.items()}
    m4 = ours["Cortex-M4"]
    counts = " | ".join(f"{int(row['per_inference']):,}" for row in ours.values())
    flash = f"{int(m4['program_flash_bytes']):,}, link and model reader included"
    return (
        "| | Cortex-M0 | Cortex-M3 | Cortex-M4 | flash beside the model (M4) | activations |\n"
        "|---|---|---|---|---|---|\n"
        f"| byteprop | {counts} | {flash} | {int(m4['arena_bytes']):,} bytes |\n"
        "| TFLite Micro with CMSIS-NN | 113,482 | 64,856 | 37,872 | 39,260 | 1,764 bytes |\n"
        "| emlearn, float | | | 97,588 | | |\n"
    )


def host_table() -> str:
    last = {row["contestant"]: row for row in records("host-inference")}
    lines = ["| on the PC, one thread | one call | images a second, 10,000 at once |"]
    lines.append("|---|---|---|")
    for name, row in last.items():
        rate = round(int(row["batch_samples_per_second"]), -3)
        lines.append(f"| {name} | {float(row['call_us']):.1f} µs | {rate:,} |")
    return "\n".join(lines) + "\n"


TABLES = {"boards-figures": boards_table, "host-figures": host_table}


def fill(text: str) -> str:
    for name, table in TABLES.items():
        place = re.compile(rf"(<!-- {name}: begin[^\n]*-->\n).*?(<!-- {name}: end -->)", re.S)
        if not place.search(text):
            raise SystemExit(f"README.md has no place for {name}")
        content = table()
        text = place.sub(lambda m, c=content: m.group(1) + c + m.group(2), text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    old = README.read_text(encoding="utf-8")
    new = fill(old)
    if new == old:
        return 0
    if arguments.check:
        print("README.md: figures are out of date; run scripts/figures_table.py")
        return 1
    README.write_text(new, encoding="utf-8")
    print("README.md: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
