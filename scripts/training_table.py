"""Writes the measured figures into docs/training.md, from benchmarks/results.

    python3 scripts/training_table.py            writes
    python3 scripts/training_table.py --check    exits with 1 when the page is out of date

The last record of a way, rate and seed counts. benchmarks/training_accuracy.py, training_host.py,
fine_tuning.py, fine_tuning_images.py and default_rates.py record; training-rates.csv is what
examples/fashion_mnist/choose_rate.py writes.
"""

from __future__ import annotations

import statistics
import sys

from records_page import ROOT, Record, records, update

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


DENSE = "784-20-10"
INTEGERS, FLOAT, BARE = "int8 + residual", "float32", "int8 alone"


def fine_tuning() -> dict[tuple[str, str, str], dict[str, Record]]:
    """The last run of each seed, by network, what is trained, and the way. A new rate replaces
    those before."""
    found: dict[tuple[str, str, str], dict[str, Record]] = {}
    for r in records("fine-tuning"):
        seeds = found.setdefault((r["net"], r["trained"], r["way"]), {})
        if any(other["rate"] != r["rate"] for other in seeds.values()):
            seeds.clear()
        seeds[r["seed"]] = r
    return found


def accuracy_of(seeds: dict[str, Record]) -> tuple[float, float]:
    """Mean and deviation."""
    found = [float(r["test_accuracy"]) for r in seeds.values()]
    return statistics.mean(found), statistics.stdev(found)


def fine_tuning_table() -> str:
    lines = ["| trained | way | turned test images, mean (sd) |", "|---|---|---|"]
    for (net, trained, way), seeds in fine_tuning().items():
        if net == DENSE:
            mean, spread = accuracy_of(seeds)
            lines.append(f"| {trained} | {way} | {mean:.3f} ({spread:.3f}) |")
    return "\n".join(lines) + "\n"


def fine_tuning_images_table() -> str:
    lines = [
        "| network | trained | float32 | int8 + residual | difference | int8 alone | rates |",
        "|---|---|---|---|---|---|---|",
    ]
    found = fine_tuning()
    for net, trained in dict.fromkeys((n, t) for n, t, _ in found if n != DENSE and t != "none"):
        ways = [found.get((net, trained, way)) for way in (FLOAT, INTEGERS, BARE)]
        if None in ways:
            continue
        seeds = [way for way in ways if way is not None]
        (real, _), (mean, _), _ = pairs = [accuracy_of(s) for s in seeds]
        float_cell, cell, bare_cell = (f"{m:.4f} ({sd:.4f})" for m, sd in pairs)
        rates = ", ".join(f"{float(next(iter(s.values()))['rate']):g}" for s in seeds)
        lines.append(
            f"| {net} | {trained} | {float_cell} | {cell} | {mean - real:+.4f} | {bare_cell} "
            f"| {rates} |"
        )
    return "\n".join(lines) + "\n"


def default_rates_table() -> str:
    last: dict[tuple[str, str, str], Record] = {}
    for r in records("default-rates"):
        key = r["case"], r["epochs"], r["way"]
        last.pop(key, None)  # in the order of the last run
        last[key] = r
    lines = [
        "| trained | epochs | best fixed rate, loss | default rate, loss | more |",
        "|---|---|---|---|---|",
    ]
    for (case, epochs, way), best in last.items():
        if way == "best":
            own = last[case, epochs, "default"]
            more = float(own["loss"]) / float(best["loss"]) - 1
            cells = " | ".join(
                f"{float(r['rate']):.2g}, {float(r['loss']):.3f}" for r in (best, own)
            )
            lines.append(f"| {case} | {epochs} | {cells} | {100 * more:+.1f} % |")
    return "\n".join(lines) + "\n"


TABLES = {
    "accuracy": accuracy_table,
    "rates": rates_table,
    "speed": speed_table,
    "default-rates": default_rates_table,
    "fine-tuning": fine_tuning_table,
    "fine-tuning-images": fine_tuning_images_table,
}


def main() -> int:
    summary = __doc__.splitlines()[0] if __doc__ else ""
    return update(PAGE, TABLES, script="training_table.py", summary=summary)


if __name__ == "__main__":
    sys.exit(main())
