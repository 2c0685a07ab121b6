"""Makes the models of the sketches: sine.tflite, and line.tflite, which has learned nothing yet.

    python packages/arduino/models/make_models.py

Needs scikit-learn. scripts/c_library.py writes their headers into the library's examples.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPRegressor

import byteprop

HERE = Path(__file__).resolve().parent


def sine() -> byteprop.Model:
    """y = sin(x) for x from 0 to 2 pi: 1-16-16-1."""
    x = np.random.default_rng(1).uniform(0, 2 * np.pi, (2000, 1)).astype(np.float32)
    net = MLPRegressor(
        hidden_layer_sizes=(16, 16), learning_rate_init=0.01, alpha=0, batch_size=64,
        max_iter=400, n_iter_no_change=400, tol=0, random_state=0,
    )  # fmt: skip
    return byteprop.quantize(net.fit(x, np.sin(x[:, 0])), x)


def line() -> byteprop.Sequential:
    """One neuron, y = w * x + b, with a random w and b = 0."""
    return byteprop.Sequential(
        [byteprop.Dense(1)],
        input_shape=(1,),
        input_range=(-10, 10),
        output_range=(-20, 20),
        seed=1,
    )


if __name__ == "__main__":
    sine().save(HERE / "sine.tflite")
    line().save(HERE / "line.tflite")
