"""Random graphs over all ops, computed in every way there is: each output byte must be the same.

    python benchmarks/random_ops.py [--bytes N] [--seed N]

draws networks, some of them with every tensor as an output or with dead channels, and compares the
C library, the NumPy reference, the graph that comes back from an image or from a .tflite file, and
tflite-runtime's reference kernels, until N output bytes were equal. It appends a line per op to
results/random-ops.csv, and ends at the first graph that differs, with its seed.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from records import ROOT, append, commit

sys.path.insert(0, str(ROOT / "tests/python"))
from random_networks import check, dead_channel_network, random_network, with_every_tensor

COLUMNS = ("commit", "reference", "seeds", "graphs", "op", "instances", "equal_output_bytes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1_000_000, help="the first one")
    arguments = parser.parse_args()
    compared: Counter[str] = Counter()
    instances: Counter[str] = Counter()
    seed = arguments.seed
    while compared.total() < arguments.bytes:
        graph = dead_channel_network(seed) if seed % 4 == 3 else random_network(seed)
        if seed % 4 == 1:
            graph = with_every_tensor(graph)
        try:
            compared += check(graph, seed)
        except AssertionError as error:
            raise SystemExit(f"the graph of seed {seed} differs: {error}") from error
        instances.update(type(op).__module__.rpartition(".")[2] for op in graph.ops)
        seed += 1
    rows = [
        {
            "commit": commit(), "reference": "tflite-runtime 2.14 BUILTIN_REF and NumPy",
            "seeds": f"{arguments.seed}..{seed - 1}", "graphs": seed - arguments.seed,
            "op": op, "instances": instances[op], "equal_output_bytes": compared[op],
        }
        for op in sorted(instances)
    ]  # fmt: skip
    path = append("random-ops", COLUMNS, rows)
    print(
        f"{compared.total():,} output bytes of {seed - arguments.seed:,} graphs: all equal ({path})"
    )


if __name__ == "__main__":
    main()
