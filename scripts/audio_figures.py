"""Writes the tables of docs/audio.md and examples/wake_word/README.md from benchmarks/results.

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
PER_HOUR = ", per hour"


def front_end() -> str:
    last = {record["cpu"]: record for record in records("audio-instructions")}
    lines = ["| instructions | per window | per second of sound |", "|---|---|---|"]
    for cpu, title in TITLES.items():
        record = last[cpu]
        window, second = (int(record[f"instructions_per_{unit}"]) for unit in ("window", "second"))
        lines.append(f"| {title} | {window:,} | {second / 1e6:.2f} million |")
    return "\n".join(lines) + "\n"


def wake_word() -> str:
    last = {record["cpu"]: record for record in records("wake-word")}
    lines = [
        "| millions of instructions per second of sound | front end | network | together |",
        "|---|---|---|---|",
    ]
    for cpu, record in last.items():
        cells = [
            f"{int(record[f'{part}_per_second']) / 1e6:.2f}"
            for part in ("front_end", "model", "total")
        ]
        lines.append(f"| {TITLES[cpu]} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def accuracy() -> str:
    last = {(r["condition"], int(r["threshold"])): r for r in records("wake-word-accuracy")}
    thresholds = sorted({threshold for _, threshold in last})
    lines = [
        "| threshold | " + " | ".join(map(str, thresholds)) + " |",
        "|---|" + "---|" * len(thresholds),
    ]
    for name in dict.fromkeys(condition for condition, _ in last):
        row = [last[name, threshold] for threshold in thresholds]
        cells = [f"{r['missed']} of {int(r['total']):,}" for r in row]
        is_word = "words" not in name
        title = f"{'false rejects' if is_word else 'false accepts'}: {name}"
        if name.endswith(PER_HOUR):
            cells = [f"{int(r['missed']) / float(r['hours']):.1f}" for r in row]
            title += f" (of {float(row[0]['hours']):.1f}, {int(row[0]['total']):,} words)"
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    pages = {
        "docs/audio.md": {"audio": front_end},
        "examples/wake_word/README.md": {"wake-word": wake_word, "wake-word-accuracy": accuracy},
    }
    summary = __doc__.splitlines()[0] if __doc__ else ""
    codes = [
        update(ROOT / page, tables, script="audio_figures.py", summary=summary)
        for page, tables in pages.items()
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
