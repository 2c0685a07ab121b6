"""The checked way into the detector of anomalies in C."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop._kernels import ffi, lib
from byteprop.engine import _raw
from byteprop.engine._raw import Bytes, UInt8s, status_name, status_text
from byteprop.errors import ArgumentError

RANKS = _raw.const("BP_ANOMALY_RANKS")
WINDOW = _raw.const("BP_ANOMALY_WINDOW")
STATE_BYTES = _raw.const("BP_ANOMALY_BYTES")
_OK = 0
_BYTES = ffi.typeof("uint8_t[]")


@dataclass(frozen=True)
class Config:
    """bp_anomaly_config_t."""

    permille: int = 990
    votes: int = 3
    window: int = 5
    drift_shift: int = 6
    drift_ratio: int = 24


@dataclass(frozen=True)
class Verdict:
    """bp_anomaly_verdict_t."""

    score: int
    above: bool
    votes: int
    alarm: bool
    drifts: bool


def _raise(status: int) -> None:
    if status != _OK:
        raise ArgumentError(f"detector: {status_text(status)} ({status_name(status)})")


class Detector:
    """A detector; its state is the same bytes on every machine."""

    def __init__(self, config: Config, *, state: Bytes | None = None) -> None:
        self._d = ffi.new("bp_anomaly_t *")
        if state is None:
            fields = {name: int(value) for name, value in vars(config).items()}
            try:
                given = ffi.new("bp_anomaly_config_t *", fields)
            except OverflowError as error:
                raise ArgumentError(f"detector: {error}") from None
            _raise(lib.bp_anomaly_open(self._d, given))
            return
        if len(state) != STATE_BYTES:
            raise ArgumentError(f"detector: expected {STATE_BYTES} bytes, got {len(state)}")
        ffi.buffer(self._d)[:] = bytes(state)
        _raise(lib.bp_anomaly_check(self._d))

    @property
    def config(self) -> Config:
        c = self._d.config
        return Config(*(int(getattr(c, name)) for name in Config.__dataclass_fields__))

    @property
    def state(self) -> bytes:
        return bytes(ffi.buffer(self._d))

    @property
    def threshold(self) -> int:
        return int(self._d.threshold)

    @property
    def level(self) -> int:
        """Of the scores since learning, in 1/256."""
        return int(self._d.level)

    @property
    def normal(self) -> int:
        """How many scores the threshold was learnt from."""
        return int(self._d.normal)

    def learn(self, score: int) -> None:
        status = lib.bp_anomaly_learn(self._d, score)
        if status_name(status) == "E_SPACE":
            raise ArgumentError(
                f"detector: {self.normal} normal scores are all that a threshold with "
                f"{RANKS} ranks takes; take fewer, or a higher percentile"
            )
        _raise(status)

    def judge(self, score: int) -> Verdict:
        verdict = ffi.new("bp_anomaly_verdict_t *")
        status = lib.bp_anomaly_judge(self._d, verdict, score)
        if status_name(status) == "E_STATE":
            raise ArgumentError("detector: no threshold has been learnt")
        _raise(status)
        return Verdict(
            int(verdict.score), bool(verdict.above), int(verdict.votes), bool(verdict.alarm),
            bool(verdict.drifts),
        )  # fmt: skip


def scores(engine: _raw.Engine, x: UInt8s, y: UInt8s) -> npt.NDArray[np.uint64]:
    """Of inputs [n, input bytes] and what the model made of them, [n, output bytes]."""
    found = np.zeros(len(x), np.uint64)
    score: Any = ffi.new("uint64_t *")
    for i in range(len(x)):
        status = lib.bp_anomaly_score(
            score, engine._model, ffi.from_buffer(_BYTES, x[i]), ffi.from_buffer(_BYTES, y[i])
        )
        if status != _OK:
            raise ArgumentError(
                "model: expected an autoencoder, with one input and one output of as many values: "
                f"{status_text(status)} ({status_name(status)})"
            )
        found[i] = score[0]
    return found
