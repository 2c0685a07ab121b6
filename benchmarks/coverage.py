"""What byteprop makes of a folder of .tflite files: a line per file, then the counts.

    python benchmarks/coverage.py FOLDER [--samples N]

`identical`: every output value is that of NAME.vectors.npz (arrays x, x1 ... and y, y1 ...), or,
without such a file, that of tflite-runtime's reference kernels on random inputs. `refused`:
byteprop names what it does not run. `loads`: the reference does not run the model. `differs` and
`fault` are what must not be; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from records import ROOT

import byteprop
from byteprop import Model
from byteprop.errors import ModelError
from byteprop.ops import Dense

sys.path.insert(0, str(ROOT / "tests/python"))
import builtin_ref
from model_vectors import Arrays, answers, vectors, vectors_of

FAILURES = ("differs", "fault")


class Verdict(NamedTuple):
    kind: str
    detail: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--samples", type=int, default=4)
    arguments = parser.parse_args()
    counts: Counter[str] = Counter()
    for path in sorted(arguments.folder.rglob("*.tflite")):
        verdict = judged(path, arguments.samples)
        counts[verdict.kind] += 1
        name = path.relative_to(arguments.folder)
        print(f"{verdict.kind:10} {name!s:45} {verdict.detail}", flush=True)
    print(", ".join(f"{n} {kind}" for kind, n in counts.most_common()) or "no .tflite file")
    raise SystemExit(any(counts[kind] for kind in FAILURES))


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
