"""Writes the measured figures into docs/training.md, from benchmarks/results.

    python3 scripts/training_table.py            writes
    python3 scripts/training_table.py --check    exits with 1 when the page is out of date

The last record of a way, rate and seed counts. benchmarks/training_accuracy.py and training_host.py
record; training-rates.csv is what examples/fashion_mnist/choose_rate.py writes.
"""

from __future__ import annotations

import statistics
import sys

from records_page import ROOT, records, update

PAGE = ROOT / "docs/training.md"
BYTES = {"int8 + residual": 2, "the same": 2, "int8 alone": 1, "Adam": 16, "SGD": 4}
BATCHED_BYTES = 4  # a sum of gradients, or a velocity


def runs(name: str, figure: str) -> dict[tuple[str, str], list[float]]:
    """Returns the figures of all seeds, by method and rate."""
    last = {(r["way"], r["rate"], r["seed"]): float(r[figure]) for r in records(name)}
    found: dict[tuple[str, str], list[float]] = {}
    for (way, rate, _), value in last.items():
        found.setdefault((way, rate), []).append(value)
    return found


def weight_bytes(way: str) -> int:
    """Bytes per weight, with those that training stores in addition."""
    plain = next(n for part, n in BYTES.items() if part in way)
    return plain + (BATCHED_BYTES if "momentum" in way else 0)


def accuracy_table() -> str:
    lines = [
        "| method | bytes per weight | rate | seeds | test accuracy, mean (sd) |",
        "|---|---|---|---|---|",
    ]
    for (way, rate), found in runs("training-accuracy", "test_accuracy").items():
        name = f"**{way}**" if len(lines) == 2 else way
        lines.append(
            f"| {name} | {weight_bytes(way)} | {float(rate):g} | {len(found)} "
            f"| {statistics.mean(found):.4f} ({statistics.stdev(found):.4f}) |"
        )
    return "\n".join(lines) + "\n"


def rates_table() -> str:
    lines = ["| method | rate | validation accuracy, mean (sd) |", "|---|---|---|"]
    for (way, rate), found in runs("training-rates", "held_out_accuracy").items():
        mean, spread = statistics.mean(found), statistics.stdev(found)
        lines.append(f"| {way} | {float(rate):g} | {mean:.4f} ({spread:.4f}) |")
    return "\n".join(lines) + "\n"


def speed_table() -> str:
    last = {r["contestant"]: r for r in records("host-training")}
    own = int(last["byteprop"]["samples_per_second"])
    lines = [
        "| | batch | samples per second | byteprop is | test accuracy |",
        "|---|---|---|---|---|",
    ]
    for name, r in last.items():
        speed = int(r["samples_per_second"])
        version, times = "", ""
        if name != "byteprop":
            version, times = f" {r['version']}", f"{own / speed:.1f} times as fast"
        lines.append(
            f"| {name}{version} | {r['batch']} | {round(speed, -2):,} | {times} "
            f"| {r['test_accuracy']} |"
        )
    return "\n".join(lines) + "\n"


TABLES = {"accuracy": accuracy_table, "rates": rates_table, "speed": speed_table}


def main() -> int:
    summary = __doc__.splitlines()[0] if __doc__ else ""
    return update(PAGE, TABLES, script="training_table.py", summary=summary)


if __name__ == "__main__":
    sys.exit(main())
