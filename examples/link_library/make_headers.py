"""Writes model.h, the model as a C array, and samples.h, some images with the PC's answers.

python make_headers.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.data import load_samples

FASHION_MNIST = Path(__file__).resolve().parent.parent / "fashion_mnist"
N = 8


def main(folder: Path) -> None:
    model = byteprop.load(FASHION_MNIST / "fashion_mlp.tflite")
    images = load_samples(FASHION_MNIST / "t10k-1000.npz", limit=N).x
    # The model takes 1/255 * (q + 128), and a pixel stands for 1/255 of its value.
    x = (images.astype(np.int16) - 128).astype(np.int8)
    model.save(folder / "model.h")
    (folder / "samples.h").write_text(samples_header(x, model.run(x)), encoding="ascii")


def samples_header(x: npt.NDArray[np.int8], y: npt.NDArray[np.int8]) -> str:
    return "\n".join(
        [
            "/* Images and the answers to them; made by make_headers.py. */",
            "#include <byteprop/config.h>",
            "#include <stdint.h>",
            f"#define SAMPLES {len(x)}",
            c_array("sample_inputs", x),
            c_array("sample_outputs", y),
            "",
        ]
    )


def c_array(name: str, values: npt.NDArray[np.int8]) -> str:
    rows = values.reshape(len(values), -1).view(np.uint8)
    text = ",\n".join("{" + ", ".join(map(str, row)) + "}" for row in rows.tolist())
    n, size = rows.shape
    return f"static const uint8_t {name}[{n}][{size}] BP_ROM_DATA = {{\n{text}\n}};"


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
