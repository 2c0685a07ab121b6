"""Figures of docs/anomaly.md: how well the detector of examples/machine finds a bearing's fault.

    python benchmarks/anomaly.py [--seeds 3] [--record]

Each seed is another machine, with two minutes to learn from, five minutes in order and one minute
of each fault. Nothing was chosen on these: the settings are those of the example.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/machine")]

import records  # noqa: E402

import machine  # noqa: E402

COLUMNS = "commit fault seed auc precision recall false_alarms_per_hour".split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    rows = []
    for fault in machine.FAULTS:
        found = []
        for seed in range(1, args.seeds + 1):
            figures = machine.judged(machine.detector(seed), seed, fault)
            per_hour = figures.false_alarms_per_hour(machine.SECONDS)
            found.append((figures.auc, figures.precision, figures.recall, per_hour))
            values = (records.commit(), fault, seed, *(f"{v:.3f}" for v in found[-1]))
            rows.append(dict(zip(COLUMNS, values, strict=True)))
        print(fault, " ".join(f"{v:.3f}" for v in np.mean(found, axis=0)), flush=True)
    if args.record:
        records.append("anomaly", COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
