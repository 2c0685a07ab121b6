"""What quantization costs on Fashion-MNIST: ways to choose ranges and to correct biases.

    python benchmarks/quantization.py [--data FOLDER]

FOLDER has the four files of the data set (on Debian: apt install dataset-fashion-mnist). Prints the
table of docs/quantization.md: the mean square difference from the float network's outputs, in
10^-5, and the accuracy, on the 10,000 test images.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path
from typing import Any

import numpy as np

import byteprop
from byteprop.quantizer import float_network

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "tests/data/models/float"
NETWORKS = (
    ROOT / "examples/fashion_mnist/fashion_cnn_float.tflite",
    MODELS / "fashion_dscnn_float16.tflite",
    MODELS / "fashion_lenet_float.tflite",
)
WAYS: dict[str, dict[str, Any]] = {
    "minmax": {"ranges": "minmax", "bias_correction": False},
    "minmax, corrected": {"ranges": "minmax", "bias_correction": True},
    "mse": {"ranges": "mse", "bias_correction": False},
    "mse, corrected": {"ranges": "mse", "bias_correction": True},
    "percentile": {"ranges": "percentile", "bias_correction": False},
    "default": {},
}
REPRESENTATIVE = 500


def idx(path: Path, header: int) -> np.ndarray[Any, Any]:
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    folder = parser.parse_args().data
    training = idx(folder / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    x = idx(folder / "t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28, 1)
    y = idx(folder / "t10k-labels-idx1-ubyte.gz", 8)
    for path in NETWORKS:
        expected = float_network(path).run(x / np.float32(255))
        print(f"{path.stem}: float32 {np.mean(expected.argmax(axis=1) == y):.4f}")
        for way, options in WAYS.items():
            answers = byteprop.quantize(path, training[:REPRESENTATIVE], **options).predict(x)
            error = 1e5 * np.mean((answers - expected) ** 2)
            print(f"  {way:18} {error:6.2f}  {np.mean(answers.argmax(axis=1) == y):.4f}")


if __name__ == "__main__":
    main()
