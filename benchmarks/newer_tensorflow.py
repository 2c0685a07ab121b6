"""What tflite-runtime 2.14 cannot run, or leaves partly unwritten, compared with a newer release.

    python benchmarks/newer_tensorflow.py --python PYTHON [--models FOLDER ...] [--record]

PYTHON is an interpreter outside of this tree that has TensorFlow, for instance made by
`python -m venv tf && tf/bin/pip install "tensorflow-cpu==2.19.*"`. Compared are the .tflite files
of FOLDER that 2.14 does not run, random models of ELU, of TILE and of dense layers with a scale per
row and more than two dimensions, and networks of all ops. TensorFlow runs them with BUILTIN_REF,
and with its other kernels where BUILTIN_REF lacks an op. Files get their TILE as version 1, which
BUILTIN_REF has: version 3 is the same on int8, and the other kernels round convolutions
differently. --record appends a line per kind to
results/newer-tensorflow.csv. The exit code is 1 if a byte differs.
"""

from __future__ import annotations

import argparse
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tflite
from records import ROOT, append, commit

import byteprop
from byteprop import reference
from byteprop.errors import ModelError
from byteprop.exporter import write_tflite
from byteprop.importer import graph_of_file

sys.path.insert(0, str(ROOT / "tests/python"))
from coverage import leaves_outputs_unwritten, random_inputs

import builtin_ref
import random_networks
import tflite_builder as tb
from model_vectors import Arrays, answers

WORKER = Path(__file__).with_name("newer_tensorflow_worker.py")
COLUMNS = ("commit", "reference", "kind", "models", "output_bytes", "different_bytes")
RANDOM_MODELS = 200
_VERSION_SLOT = 8  # of an operator code's version in its table


class Case(NamedTuple):
    kind: str
    name: str
    file: bytes
    inputs: Arrays


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--models", type=Path, nargs="*", default=[])
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    cases = [*_files(arguments.models), *_random_models()]
    with tempfile.TemporaryDirectory() as folder:
        expected, names = _run(arguments.python, Path(folder), cases)
    rows: dict[tuple[str, str], list[int]] = {}
    for case, name, outputs in zip(cases, names, expected, strict=True):
        if not outputs:
            print(f"not compared: {case.kind} {case.name}, {name}")
            continue
        row = rows.setdefault((case.kind, name), [0, 0, 0])
        total, different = _compared(case, outputs)
        row[:] = row[0] + 1, row[1] + total, row[2] + different
        if different:
            print(f"differs: {case.kind} {case.name}, {different} of {total} bytes")
    lines = [
        dict(zip(COLUMNS, (commit(), name, kind, *numbers), strict=True))
        for (kind, name), numbers in sorted(rows.items())
    ]
    for line in lines:
        print(", ".join(map(str, line.values())))
    if arguments.record:
        append("newer-tensorflow", COLUMNS, lines)
    raise SystemExit(any(line["different_bytes"] for line in lines))


def _compared(case: Case, expected: Arrays) -> tuple[int, int]:
    """Bytes, and those in which the C library or the NumPy reference differs."""
    model = byteprop.load(case.file)
    whole = reference.run(graph_of_file(case.file), case.inputs)
    different = sum(
        int(np.count_nonzero((a.reshape(-1) != y.reshape(-1)) | (b.reshape(-1) != y.reshape(-1))))
        for a, b, y in zip(answers(model, case.inputs), whole, expected, strict=True)
    )
    return sum(y.size for y in expected), different


def _run(python: Path, folder: Path, cases: list[Case]) -> tuple[list[Arrays], list[str]]:
    """The outputs of each case, and what computed them; none for a refused model."""
    for i, case in enumerate(cases):
        (folder / f"{i}.tflite").write_bytes(case.file)
        np.savez(folder / f"{i}.in.npz", *case.inputs)
    subprocess.run([python, WORKER, folder, str(len(cases))], check=True)
    outputs = []
    for i in range(len(cases)):
        with np.load(folder / f"{i}.out.npz") as file:
            outputs.append(list(file.values()))
    return outputs, (folder / "names").read_text().splitlines()


# --- what is compared ---


def _files(folders: list[Path]) -> Iterator[Case]:
    """Integer models that byteprop loads and 2.14 does not run."""
    for path in sorted(path for folder in folders for path in folder.rglob("*.tflite")):
        data = path.read_bytes()
        try:
            model = byteprop.load(data)
        except ModelError:
            continue
        inputs = random_inputs(model, 8)
        if not leaves_outputs_unwritten(model):
            try:
                builtin_ref.run(data, inputs)
                continue
            except (RuntimeError, ValueError):
                pass
        yield Case("file", path.stem, _with_old_tile(data), inputs)


def _with_old_tile(data: bytes) -> bytes:
    """The file whose TILE ops have version 1."""
    changed = bytearray(data)
    model = tflite.Model.GetRootAs(data, 0)
    for i in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(i)
        at = code._tab.Offset(_VERSION_SLOT)
        if tflite.BuiltinOperator.TILE in (code.BuiltinCode(), code.DeprecatedBuiltinCode()) and at:
            struct.pack_into("<i", changed, code._tab.Pos + at, 1)
    return bytes(changed)


def _random_models() -> Iterator[Case]:
    for seed in range(RANDOM_MODELS):
        rng = np.random.default_rng(seed)
        yield Case("ELU", str(seed), _elu(rng), [np.arange(-128, 128, dtype=np.int8)[np.newaxis]])
        for kind, file, shape in (("TILE", *_tile(rng)), ("dense by row", *_dense(rng))):
            x = rng.integers(-128, 128, (4, *shape[1:])).astype(np.int8)
            yield Case(kind, str(seed), file, [x])
        graph = random_networks.random_network(seed)
        file = write_tflite(random_networks.with_every_tensor(graph))
        yield Case("network", str(seed), file, random_networks.samples(graph, seed))


def _elu(rng: np.random.Generator) -> bytes:
    model = tb.ModelBuilder()
    scales, zeros = 2 ** rng.uniform(-9, 1, 2), rng.integers(-128, 128, 2)
    x, y = (
        model.tensor((1, 256), scale=s, zero_point=z) for s, z in zip(scales, zeros, strict=True)
    )
    model.op(tflite.BuiltinOperator.ELU, [x], [y])
    return model.build([x], [y])


def _tile(rng: np.random.Generator) -> tuple[bytes, tuple[int, ...]]:
    model = tb.ModelBuilder()
    shape = (1, *map(int, rng.integers(1, 6, int(rng.integers(1, 4)))))
    multiples = [1, *map(int, rng.integers(1, 4, len(shape) - 1))]
    x, y = (model.tensor(s, scale=0.1) for s in (shape, np.multiply(shape, multiples).tolist()))
    stated = model.tensor((len(shape),), tb.INT32, data=np.array(multiples, np.int32))
    options = tb.options_of("Tile")
    model.op(tflite.BuiltinOperator.TILE, [x, stated], [y], version=3, options=options)
    return model.build([x], [y]), shape


def _dense(rng: np.random.Generator) -> tuple[bytes, tuple[int, ...]]:
    n_in, n_out = map(int, rng.integers(1, 12, 2))
    shape = (1, *map(int, rng.integers(1, 6, int(rng.integers(1, 3)))), n_in)
    file = tb.dense_model(
        weights=rng.integers(-127, 128, (n_out, n_in)), bias=rng.integers(-5000, 5000, n_out),
        x_scale=0.1, x_zero_point=int(rng.integers(-128, 128)), y_scale=1.0,
        y_zero_point=int(rng.integers(-128, 128)), weight_scale=rng.uniform(0.005, 0.05, n_out),
        x_shape=shape, keep_num_dims=True,
    )  # fmt: skip
    return file, shape


if __name__ == "__main__":
    main()
