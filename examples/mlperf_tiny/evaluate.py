"""Evaluates a model on the evaluation data of MLPerf Tiny, as much of it as a folder has.

    python examples/mlperf_tiny/evaluate.py kws_ref_model.tflite datasets/kws01
    python examples/mlperf_tiny/evaluate.py kws_ref_model.tflite datasets/kws01 --save kws01.npz
    byteprop verify kws_ref_model.tflite --data kws01.npz --integers codes --board mps2-an386

FOLDER has y_labels.csv and the inputs that it names. The benchmark is the folder's name: kws01,
vww01, ic01 or ad01; --benchmark names another one. The first three print the share of right
answers, ad01 the area under the ROC curve (AUC). --save writes the inputs as the model reads
them, and labels.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

import byteprop

LABELS = "y_labels.csv"
CODES, PIXELS, REALS = "int8", "uint8", "float32"
FORMATS = {"kws01": CODES, "vww01": PIXELS, "ic01": PIXELS, "ad01": REALS}

Codes = npt.NDArray[np.int8]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Entry:
    """A line of y_labels.csv. width and stride: bytes of the windows into which the file is cut; 0:
    the file is one input."""

    file: Path
    label: int
    width: int
    stride: int


@dataclass(frozen=True)
class Sample:
    """One file: its inputs, as the model reads them and as the file has them."""

    label: int
    codes: Codes
    raw: npt.NDArray[np.generic]


def read_labels(folder: Path) -> list[Entry]:
    path = folder / LABELS
    if not path.is_file():
        raise SystemExit(f"{folder}: expected a folder with {LABELS}")
    entries = []
    with path.open(newline="", encoding="utf-8") as file:
        for number, row in enumerate(csv.reader(file, skipinitialspace=True), 1):
            if not row:
                continue
            try:
                name, _, label, *window = row
                width, stride = (int(cell) for cell in window or ("0", "0"))
                entries.append(Entry(folder / name, int(label), width, stride))
            except ValueError:
                raise SystemExit(
                    f"{path}:{number}: expected file, classes, label, and for ad01 width and stride"
                ) from None
    return entries


def quantize(x: npt.NDArray[np.float32], scale: float, zero_point: int) -> Codes:
    """As the device does: divided in float32, rounded with halves away from zero."""
    quotient = (x / np.float32(scale)).astype(np.float64)
    rounded = np.trunc(quotient + np.copysign(0.5, quotient))
    return np.clip(rounded + zero_point, -128, 127).astype(np.int8)


def read_sample(entry: Entry, benchmark: str, model: byteprop.Model) -> Sample:
    """Raises SystemExit when the file is not as long as the model's input."""
    tensor = model.inputs[0]
    elems = int(np.prod(tensor.shape))
    data = entry.file.read_bytes()
    dtype = np.dtype(FORMATS[benchmark]).newbyteorder("<")
    width = entry.width or len(data)
    if width != elems * dtype.itemsize or len(data) < width:
        raise SystemExit(
            f"{entry.file}: expected {elems * dtype.itemsize:,} bytes for each input of the model, "
            f"got {min(width, len(data)):,}"
        )
    starts = range(0, len(data) - width + 1, entry.stride or width)
    raw = np.stack([np.frombuffer(data, dtype, elems, start) for start in starts])
    if dtype == np.float32:
        codes = quantize(raw, tensor.scale, tensor.zero_point)
    else:
        codes = raw.astype(np.int8) if dtype == np.int8 else (raw.view(np.int8) ^ np.int8(-128))
    return Sample(entry.label, codes.reshape(-1, *tensor.shape[1:]), raw)


def read_samples(folder: Path, benchmark: str, model: byteprop.Model) -> Iterator[Sample]:
    """The samples that the folder has, in the order of y_labels.csv."""
    entries = read_labels(folder)
    present = [entry for entry in entries if entry.file.is_file()]
    if not present:
        raise SystemExit(f"{folder}: has none of the {len(entries):,} files that {LABELS} names")
    print(f"{len(present):,} of the {len(entries):,} files of {LABELS}")
    return (read_sample(entry, benchmark, model) for entry in present)


def anomaly_score(model: byteprop.Model, sample: Sample) -> float:
    """The mean over all windows of the mean squared error between output and input."""
    output = model.outputs[0]
    codes = np.asarray(model.run(sample.codes)).reshape(sample.raw.shape).astype(np.float64)
    errors = (codes - output.zero_point) * output.scale - sample.raw.astype(np.float64)
    return float(np.mean(errors**2))


def area_under_curve(scores: Reals, labels: npt.NDArray[np.int64]) -> float:
    """The share of pairs, an anomaly and a normal sample, in which the anomaly has the higher
    score; equal scores count half."""
    anomalies, normals = scores[labels == 1], scores[labels == 0]
    if not len(anomalies) or not len(normals):
        raise SystemExit("expected normal and anomalous files, got those of one kind only")
    differences = anomalies[:, None] - normals[None, :]
    return float(np.mean((differences > 0) + 0.5 * (differences == 0)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--benchmark", choices=FORMATS, help="default: the folder's name")
    parser.add_argument("--save", type=Path, metavar="NPZ", help="inputs and labels, for --data")
    args = parser.parse_args(arguments)
    benchmark = args.benchmark or args.folder.resolve().name
    if benchmark not in FORMATS:
        parser.error(f"expected a folder named {', '.join(FORMATS)}, or --benchmark")
    model = byteprop.load(args.model)
    samples = list(read_samples(args.folder, benchmark, model))
    labels = np.array([sample.label for sample in samples])
    if args.save:
        repeats = [len(sample.codes) for sample in samples]
        inputs = np.concatenate([sample.codes for sample in samples])
        np.savez_compressed(args.save, x=inputs, y=np.repeat(labels, repeats))
        print(f"{args.save}: {len(inputs):,} inputs")
    if FORMATS[benchmark] == REALS:
        scores = np.array([anomaly_score(model, sample) for sample in samples])
        print(f"{benchmark}: AUC {area_under_curve(scores, labels):.4f}")
    else:
        outputs = np.asarray(model.run(np.concatenate([sample.codes for sample in samples])))
        right = int(np.sum(outputs.reshape(len(labels), -1).argmax(axis=1) == labels))
        print(
            f"{benchmark}: {right:,} of {len(labels):,} right, accuracy {right / len(labels):.4f}"
        )


if __name__ == "__main__":
    main()
