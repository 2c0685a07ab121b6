"""BoardModel: a `byteprop.Model` that runs on a board."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import byteprop
from byteprop.errors import ArgumentError
from byteprop.support import files
from byteprop_host.console import Progress, no_progress
from byteprop_host.data.reading import Reading
from byteprop_host.data.samples import batched, from_file
from byteprop_host.deployment import Deployment, deploy
from byteprop_host.link import Device
from byteprop_host.target import BoardTarget

Rows = npt.NDArray[np.uint8]


class BoardEngine:
    """Runs batches on a board. ticks: of the last batch, one per sample."""

    def __init__(
        self, deployment: Deployment, model: byteprop.Model, progress: Progress = no_progress
    ) -> None:
        self._deployment = deployment
        self._progress = progress
        self.arena_bytes = model.arena_bytes
        self.output_bytes = sum(model.graph.tensors[i].elems for i in model.graph.outputs)
        self.ticks: list[int] = []

    def run(self, x: Rows) -> Rows:
        """uint8 [n, output bytes] from uint8 [n, input bytes]."""
        device = self._deployment.device
        y = np.empty((len(x), self.output_bytes), np.uint8)
        self.ticks = []
        rows = (row.tobytes() for row in x)
        for i, answer in enumerate(device.infer_stream(rows, whole=True)):
            self.ticks.append(answer.ticks)
            y[i] = np.frombuffer(answer.output, np.uint8)
            self._progress("infer", i + 1, len(x))
        return y

    def reset(self) -> None:
        """As before the first inference."""
        self._deployment.device.reset_state()

    def get_state(self) -> bytes:
        """All tensors of state, one after the other."""
        return self._deployment.device.read_state()

    def set_state(self, state: bytes) -> None:
        """As get_state returned it."""
        self._deployment.device.write_state(state)

    def feeding(self) -> _BoardFeeder:
        """For the parts of an input."""
        return _BoardFeeder(self._deployment.device)


class _BoardFeeder:
    """Sends an input part by part."""

    def __init__(self, device: Device) -> None:
        self._device = device

    def feed(self, x: Rows) -> Rows | None:
        """The outputs, if these bytes are the last ones."""
        answer = self._device.feed(x.tobytes())
        return None if answer is None else np.frombuffer(answer.output, np.uint8)


class BoardModel(byteprop.Model):
    """A `Model` on a board: `run` and `predict` use the line."""

    def __init__(
        self, deployment: Deployment, model: byteprop.Model, progress: Progress = no_progress
    ) -> None:
        self._board_engine = BoardEngine(deployment, model, progress)
        super().__init__(model.graph, model.image, engine=self._board_engine)
        self.deployment = deployment

    @property
    def ticks(self) -> Sequence[int]:
        """Ticks of every sample of the last call."""
        return tuple(self._board_engine.ticks)

    @property
    def costs(self) -> Sequence[int | None]:
        """`ticks` in the unit of `deployment.unit`."""
        return tuple(self.deployment.cost(t) for t in self.ticks)


@contextmanager
def load_on_board(
    model: str | Path | bytes | byteprop.Model,
    on: BoardTarget,
    *,
    progress: Progress = no_progress,
) -> Iterator[BoardModel]:
    """Builds, starts and connects; the model runs on the board until the block ends."""
    loaded = model if isinstance(model, byteprop.Model) else byteprop.load(model)
    with deploy(on, loaded.image, progress=progress) as deployment:
        yield BoardModel(deployment, loaded, progress)


@dataclass(frozen=True)
class Answers:
    """outputs: one array [n, ...] per output, in the model file's dtypes. warnings: about the
    samples."""

    board: str
    source: str
    outputs: tuple[npt.NDArray[Any], ...]
    seconds: float
    warnings: tuple[str, ...] = ()


def run_on_board(
    model: Path,
    data: Path,
    on: BoardTarget,
    *,
    samples: int | None = None,
    reading: Reading | None = None,
    keep_dead_channels: bool = False,
    stateful: bool = False,
    progress: Progress = no_progress,
) -> Answers:
    """Runs the samples of a data file on a board. stateful: they are steps in this order, as a
    model with state needs them."""
    began = time.monotonic()
    loaded = byteprop.load(model, keep_dead_channels=keep_dead_channels)
    if loaded.is_stateful and not stateful:
        raise ArgumentError(
            f"{model}: the model has state, so the order of samples matters; --stateful runs them "
            "as steps that follow one another"
        )
    chosen = from_file(loaded.graph, data, samples, reading=reading)
    inputs = [
        batched(x, loaded.graph.tensors[i])
        for x, i in zip(chosen.file, loaded.graph.inputs, strict=True)
    ]
    with load_on_board(loaded, on, progress=progress) as on_board:
        y = on_board.run(inputs[0] if len(inputs) == 1 else inputs, steps=stateful)
    outputs = y if isinstance(y, tuple) else (y,)
    return Answers(
        board=on_board.deployment.board.name,
        source=chosen.source,
        outputs=outputs,
        seconds=time.monotonic() - began,
        warnings=chosen.warnings,
    )


def save_outputs(answers: Answers, path: Path) -> None:
    """.npy holds one output; .npz all, as output_0, output_1, ..."""
    if path.suffix != ".npz" and len(answers.outputs) > 1:
        raise ArgumentError(
            f"{path}: expected a name that ends in .npz, as the model has several outputs"
        )
    # NumPy would hide why a write to the file itself failed.
    buffer = io.BytesIO()
    if path.suffix == ".npz":
        np.savez(buffer, **{f"output_{i}": y for i, y in enumerate(answers.outputs)})
    else:
        np.save(buffer, answers.outputs[0])
    files.write(path, buffer.getvalue())
