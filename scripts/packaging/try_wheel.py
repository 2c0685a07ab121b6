"""Tries an installed byteprop, wherever it is: python try_wheel.py examples/fashion_mnist"""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import numpy as np

import byteprop
from byteprop.engine import _raw

EXPECTED = 0.845  # README.md says so


def main(folder: Path) -> None:
    with np.load(folder / "t10k-1000.npz") as data:
        images, labels = data["x"], data["y"]
    model = byteprop.load(folder / "fashion_mlp.tflite")
    accuracy = float(np.mean(model.predict(images / 255).argmax(axis=1) == labels))
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    print(f"{platform.machine()}, {versions}, {_raw.isa_name()}: accuracy {accuracy}")
    if accuracy != EXPECTED:
        sys.exit(f"expected {EXPECTED}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
