"""Fixtures: every emulated board, and the stored vectors of the test models."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import byteprop
from byteprop_host.boards.board import Board, load_board
from emulation import EMULATED, MODELS, Vectors, require


@pytest.fixture(params=EMULATED)
def board(request: pytest.FixtureRequest) -> Board:
    return require(load_board(request.param))


@pytest.fixture
def vectors() -> Callable[[str, int], Vectors]:
    """Model, inputs and TensorFlow Lite's outputs, as bytes."""

    def load(name: str, n: int) -> Vectors:
        model = byteprop.load(MODELS / f"{name}.tflite")
        stored = np.load(MODELS / f"{name}.vectors.npz")
        x, y = stored["x"][:n], stored["y"][:n]
        return model, [v.tobytes() for v in x], [v.tobytes() for v in y]

    return load
