"""Runs of examples/fleet for docs/federated.md: boards in processes of their own learn together.

    python benchmarks/fleet_figures.py [--board mps2-an386] [--flower] [--record]

--flower: through Flower's server and node processes; needs byteprop with the extra fleet. Whether
every weight equals the mean of the same clients without boards is recorded.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import records  # noqa: E402

EXAMPLE = HERE.parent / "examples/fleet"
COLUMNS = "commit way board clients rounds identical".split()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--board", default="mps2-an386")
    parser.add_argument("--flower", action="store_true")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    program = "flower_processes.py" if args.flower else "fleet.py"
    command = [sys.executable, EXAMPLE / program, "--board", args.board]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"identical: the mean of (\d+) boards, in (\d+) rounds", done.stdout)
    print(found[0] if found else f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    if found and args.record:
        way = f"flwr {metadata.version('flwr')}" if args.flower else "own processes"
        values = (records.commit(), way, args.board, found[1], found[2], "yes")
        records.append("fleet", COLUMNS, [dict(zip(COLUMNS, values, strict=True))])
    return 0 if found and done.returncode == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
