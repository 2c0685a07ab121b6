"""Writes the figures of the models of MLPerf Tiny into docs/mlperf-tiny.md.

    python3 scripts/mlperf_table.py            writes
    python3 scripts/mlperf_table.py --check    exits with 1 when the page is out of date

The last record of a board and model counts; benchmarks/mlperf_tiny.py and host_models.py record.
"""

from __future__ import annotations

import sys

from records_page import ROOT, Record, records, update

PAGE = ROOT / "docs/mlperf-tiny.md"
MODELS = ("kws01", "ic01", "vww01", "ad01")
CPUS = {"mps2-an386": "Cortex-M4", "mps2-an385": "Cortex-M3", "microbit": "Cortex-M0"}
# TensorFlow Lite Micro with CMSIS-NN, counted by us in the same way: a whole Invoke, millions.
PEER = {
    ("mps2-an386", "kws01"): 7.70,
    ("mps2-an386", "ic01"): 29.87,
    ("mps2-an386", "vww01"): 24.10,
    ("mps2-an386", "ad01"): 0.583,
    ("mps2-an385", "kws01"): 10.53,
    ("mps2-an385", "ic01"): 41.85,
    ("mps2-an385", "vww01"): 31.96,
    ("microbit", "kws01"): 28.99,
    ("microbit", "ic01"): 97.56,
    ("microbit", "vww01"): 86.88,
}
# Its arena, and its flash without the model, on the Cortex-M4.
PEER_ARENA = {"kws01": 22_820, "ic01": 54_996, "vww01": 100_708}
PEER_FLASH = {"kws01": 83_244, "ic01": 78_104, "vww01": 83_244}


def last() -> dict[tuple[str, str], Record]:
    return {(row["board"], row["model"]): row for row in records("mlperf-tiny")}


def _millions(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def instructions_table() -> str:
    found = last()
    lines = ["| instructions, millions | " + " | ".join(MODELS) + " |", "|---|---|---|---|---|"]
    for board, cpu in CPUS.items():
        ours = (found.get((board, model)) for model in MODELS)
        cells = ["-" if r is None else _millions(int(r["instructions"]) / 1e6) for r in ours]
        lines.append(f"| {cpu}, byteprop | {' | '.join(cells)} |")
        theirs = (PEER.get((board, model)) for model in MODELS)
        cells = ["" if peer is None else _millions(peer) for peer in theirs]
        lines.append(f"| {cpu}, TFLite Micro with CMSIS-NN | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def memory_table() -> str:
    found = last()
    lines = ["| bytes, Cortex-M4 | " + " | ".join(MODELS) + " |", "|---|---|---|---|---|"]
    rows = {"RAM for activations": ("arena_bytes", PEER_ARENA)}
    rows["flash without the model"] = ("program_flash_bytes", PEER_FLASH)
    for name, (column, peer) in rows.items():
        cells = [f"{int(found['mps2-an386', model][column]):,}" for model in MODELS]
        lines.append(f"| {name}, byteprop | {' | '.join(cells)} |")
        cells = [f"{peer[model]:,}" if model in peer else "" for model in MODELS]
        lines.append(f"| {name}, TFLite Micro with CMSIS-NN | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


# The same models, as benchmarks/host_models.py calls them.
HOST_MODELS = {
    "kws_dscnn": "kws01",
    "ic01_resnet8": "ic01",
    "vww_mobilenet_96": "vww01",
    "ad01_int8": "ad01",
}


def host_table() -> str:
    found = {(row["contestant"], row["model"]): row["call_us"] for row in records("host-models")}
    names = " | ".join(HOST_MODELS.values())
    lines = [f"| microseconds, one thread | {names} |", "|---|---|---|---|---|"]
    for contestant in dict.fromkeys(name for name, _ in found):
        cells = " | ".join(found[contestant, model] for model in HOST_MODELS)
        lines.append(f"| {contestant} | {cells} |")
    return "\n".join(lines) + "\n"


TABLES = {
    "mlperf-instructions": instructions_table,
    "mlperf-memory": memory_table,
    "mlperf-host": host_table,
}


def main() -> int:
    summary = __doc__.splitlines()[0] if __doc__ else ""
    return update(PAGE, TABLES, script="mlperf_table.py", summary=summary)


if __name__ == "__main__":
    sys.exit(main())
