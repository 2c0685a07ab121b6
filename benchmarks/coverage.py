"""What byteprop makes of a folder of .tflite files: a line per file, then the counts.

    python benchmarks/coverage.py FOLDER [--samples N] [--no-verify] [--table MD] [--record]

`identical`: every output value is that of NAME.vectors.npz (arrays x, x1 ... and y, y1 ...), or,
without such a file, that of tflite-runtime's reference kernels on random inputs. `loads`: the
reference does not run the model. Files of both kinds are then run by `byteprop verify` on the board
host, against NumPy where tflite-runtime does not run them; `not verified` says that it failed.
`refused`: byteprop names what it does not run. `differs`, `not verified` and `fault` are what must
not be; the exit code is then 1.

--table writes the lines as a Markdown table, --record the counts to results/coverage.csv.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from records import ROOT, append, commit

import byteprop
from byteprop import Model
from byteprop.errors import ModelError
from byteprop.ops import Dense

sys.path.insert(0, str(ROOT / "tests/python"))
import builtin_ref
from model_vectors import Arrays, answers, vectors, vectors_of

KINDS = ("identical", "loads", "refused", "differs", "not verified", "fault")
FAILURES = ("differs", "not verified", "fault")
COLUMNS = (
    "commit",
    "folder",
    "files",
    *(kind.replace(" ", "_") for kind in KINDS),
    "refused_files",
)
VERIFY_SECONDS = 300.0


class Verdict(NamedTuple):
    kind: str
    detail: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--no-verify", action="store_true", help="only compare in this process")
    parser.add_argument("--table", type=Path, metavar="MD", help="write a Markdown table")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results")
    arguments = parser.parse_args()
    verdicts: dict[str, Verdict] = {}
    for path in sorted(arguments.folder.rglob("*.tflite")):
        verdict = judged(path, arguments.samples)
        if verdict.kind in ("identical", "loads") and not arguments.no_verify:
            verdict = verified(path, verdict)
        name = str(path.relative_to(arguments.folder))
        verdicts[name] = verdict
        print(f"{verdict.kind:12} {name:45} {verdict.detail}", flush=True)
    counts = Counter(verdict.kind for verdict in verdicts.values())
    print(", ".join(f"{n} {kind}" for kind, n in counts.most_common()) or "no .tflite file")
    if arguments.table is not None:
        arguments.table.write_text(table(verdicts), encoding="utf-8")
    if arguments.record:
        record(arguments.folder.resolve().name, verdicts, counts)
    raise SystemExit(any(counts[kind] for kind in FAILURES))


def table(verdicts: dict[str, Verdict]) -> str:
    lines = ["| file | verdict | |", "|---|---|---|"]
    for name, verdict in verdicts.items():
        lines.append(f"| {name} | {verdict.kind} | {verdict.detail.replace('|', ' ')} |")
    return "\n".join(lines) + "\n"


def record(folder: str, verdicts: dict[str, Verdict], counts: Counter[str]) -> None:
    refused = [name for name, verdict in verdicts.items() if verdict.kind == "refused"]
    row = {"commit": commit(), "folder": folder, "files": len(verdicts)}
    row |= {kind.replace(" ", "_"): counts[kind] for kind in KINDS}
    append("coverage", COLUMNS, [row | {"refused_files": " ".join(refused)}])


def verified(path: Path, verdict: Verdict) -> Verdict:
    """The verdict, unless `byteprop verify` finds bytes that differ, or fails."""
    references = ["numpy"] if verdict.kind == "loads" else ["auto", "numpy"]
    for reference in references:
        command = [sys.executable, "-m", "byteprop_host", "verify", str(path), "--board", "host",
                   "--samples", "2", "--reference", reference]  # fmt: skip
        command += ["--no-other-kernels", "--no-report", "--json"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=VERIFY_SECONDS
            )
            answer = json.loads(done.stdout)
        except (subprocess.TimeoutExpired, ValueError) as error:
            return Verdict("not verified", f"{type(error).__name__}: {error}"[:200])
        if done.returncode == 0 and answer["identical"]:
            return verdict
        refused = "tflite-runtime cannot load the model" in str(answer.get("error", ""))
        if not refused:
            break
    return Verdict("not verified", str(answer.get("error", "bytes of the board differ"))[:200])


def judged(path: Path, samples: int) -> Verdict:
    try:
        model = byteprop.load(path)
        if vectors_of(path).exists():
            return compared(model, *vectors(path, model))
        inputs = random_inputs(model, samples)
        try:
            return compared(model, inputs, builtin_ref.run(path.read_bytes(), inputs))
        except (RuntimeError, ValueError) as error:
            return Verdict("loads", f"the reference refuses it: {str(error).splitlines()[0]}")
    except ModelError as error:
        return Verdict("refused", str(error).removeprefix(f"{path}: "))
    except Exception as error:  # whatever it is, the next files are judged too
        return Verdict("fault", f"{type(error).__name__}: {error}")


def compared(model: Model, inputs: Arrays, expected: Arrays) -> Verdict:
    pairs = zip(answers(model, inputs), expected, strict=True)
    different = sum(int(np.sum(a.reshape(-1) != b.reshape(-1))) for a, b in pairs)
    total = sum(y.size for y in expected)
    if different and leaves_outputs_unwritten(model):
        return Verdict("loads", "the reference leaves outputs of FULLY_CONNECTED unwritten")
    if different:
        return Verdict("differs", f"{different:,} of {total:,} values")
    return Verdict("identical", f"{total:,} values, {model.macs:,} MACs, {model.arena_bytes:,} B")


def leaves_outputs_unwritten(model: Model) -> bool:
    """Version 2.14 does, with a scale per row and more than two dimensions; docs/numerics.md."""
    return any(
        isinstance(op, Dense)
        and op.weight_scales.size > 1
        and len(model.graph.tensors[op.output].shape) > 2
        for op in model.graph.ops
    )


def random_inputs(model: Model, samples: int) -> Arrays:
    rng = np.random.default_rng(0)
    inputs: Arrays = []
    for info in model.inputs:
        shape = (samples * (info.shape or (1,))[0], *info.shape[1:])
        if info.dtype == np.float32:
            inputs.append(rng.uniform(-1, 1, shape).astype(np.float32))
        else:
            inputs.append(rng.integers(0, 256, shape).astype(np.uint8).view(info.dtype))
    return inputs


if __name__ == "__main__":
    main()
