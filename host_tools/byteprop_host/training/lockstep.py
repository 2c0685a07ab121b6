"""Training in lockstep: every step runs on the board and on the host, and the results are
compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine._raw_train import RESULT, Config, Counters, Plan, Trainer
from byteprop_host.link import Device, DeviceCheckpoint, TrainingSession, TrainSample
from byteprop_host.training.compare import Trained

Rows = npt.NDArray[np.uint8]
Results = npt.NDArray[Any]

_CHECKPOINT_EVERY = 2000


class BoardMismatch(Exception):
    """The board's result of a sample differs from the host's; more samples would prove nothing."""


class LockstepTrainer:
    """A `byteprop.training.StepTrainer` that makes every step on a board and on the host. image,
    state and counters are the host's; `end` reads those of the board. base: the image in the
    board's flash, if that is trained; None: the host's is uploaded."""

    def __init__(self, device: Device, host: Trainer, *, base: bytes | None = None) -> None:
        self.config: Config = host.config
        self.plan: Plan = host.plan
        self.ticks: list[int] = []  # of every sample that was trained on
        self.results = 0
        self._device = device
        self._host = host
        self._base = base
        self._session = self._begin(DeviceCheckpoint(host.counters.samples, host.image, host.state))

    def _begin(self, at: DeviceCheckpoint) -> TrainingSession:
        return TrainingSession(
            self._device,
            at.image,
            self.config,
            checkpoint_every=_CHECKPOINT_EVERY,
            resume=at,
            base=self._base,
        )

    @property
    def image(self) -> bytes:
        return self._host.image

    @property
    def state(self) -> bytes:
        return self._host.state

    @property
    def counters(self) -> Counters:
        return self._host.counters

    @property
    def session(self) -> TrainingSession:
        return self._session

    def run(
        self,
        x: Rows,
        y: npt.NDArray[Any],
        *,
        order: npt.NDArray[np.uint32] | None = None,
        lr_q24: npt.NDArray[np.uint32] | None = None,
    ) -> Results:
        """Runs samples as `Trainer.run` does, on both. The board runs first: until all its results
        have arrived, the host's state stays unchanged."""
        indices = range(len(x)) if order is None else order.tolist()
        board = self._on_board(x, y, indices, lr_q24)
        host = self._host.run(x, y, order=order, lr_q24=lr_q24)
        for name in ("loss", "predicted", "correct"):
            wrong = np.flatnonzero(board[name] != host[name])
            if wrong.size:
                i = int(wrong[0])
                kind = "evaluated" if lr_q24 is None else "trained"
                raise BoardMismatch(
                    f"sample {self.results + i}, {kind}: {name} is {board[name][i]} on the board, "
                    f"{host[name][i]} on the host"
                )
        self.results += len(indices)
        return host

    def _on_board(
        self,
        x: Rows,
        y: npt.NDArray[Any],
        indices: Iterable[int],
        rates: npt.NDArray[np.uint32] | None,
    ) -> Results:
        order = list(indices)
        results = np.zeros(len(order), RESULT)
        sent = y[:, :0] if self.config.autoencoder else y
        for i, answer in enumerate(self._session.train(_samples(x, sent, order, rates))):
            results[i] = (answer.loss, answer.predicted, answer.correct)
            if rates is not None:
                self.ticks.append(answer.ticks)
        return results

    def flush(self) -> None:
        """Applies the update of a batch that is not full. A board does so when training ends; so
        training ends there, and begins again from the same step."""
        self._host.flush()
        if self.config.batch == 1:
            return
        self._session = self._begin(self._ended())

    def end(self) -> Trained:
        """Ends the training on the board, and reads its results."""
        at = self._ended()
        return Trained(at.image, at.state or b"", self._session.counters())

    def _ended(self) -> DeviceCheckpoint:
        """Ends and reads in one session: a reset between the two would undo the last update."""
        while True:
            losses = self._device.sessions_lost
            self._session.end()
            at = self._session.checkpoint()
            if self._device.sessions_lost == losses:
                return at


def _samples(
    x: Rows, y: npt.NDArray[Any], indices: list[int], rates: npt.NDArray[np.uint32] | None
) -> Iterator[TrainSample]:
    for k, i in enumerate(indices):
        answer = int(y[i]) if y.ndim == 1 else tuple(y[i].tolist())
        yield TrainSample(x[i].tobytes(), answer, None if rates is None else int(rates[k]))
