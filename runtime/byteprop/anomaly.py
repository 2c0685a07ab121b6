"""Finds what does not look like the data that an autoencoder was trained on: `AnomalyDetector`.

All that decides is in integers and in C (csrc/anomaly), so a board decides as this computer does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.engine import _raw_anomaly
from byteprop.engine._raw_anomaly import Verdict
from byteprop.errors import ArgumentError, DataError
from byteprop.model import Model, load
from byteprop.support.files import PathLike, write
from byteprop.training.samples import encode_inputs

__all__ = ["AnomalyDetector", "Figures", "Verdict", "figures_of"]

_MAGIC = b"BPAD"


class AnomalyDetector:
    """An autoencoder with a threshold.

    model: has as many outputs as inputs. percentile: of normal windows, so many percent are at or
    below the threshold. votes: (k, n): an alarm is k of the last n windows above it. drift: (r, s):
    drift is a mean of recent windows, each of which moves it by 2^-s of the way, above r times that
    of normal ones; None for never.
    """

    def __init__(
        self,
        model: Model,
        *,
        percentile: float = 99.0,
        votes: tuple[int, int] = (3, 5),
        drift: tuple[float, int] | None = (1.5, 6),
    ) -> None:
        self.model = model
        ratio, shift = (0.0, 1) if drift is None else drift
        self.config = _raw_anomaly.Config(
            permille=round(percentile * 10),
            votes=votes[0],
            window=votes[1],
            drift_shift=shift,
            drift_ratio=round(16 * ratio),
        )
        self._detector = _raw_anomaly.Detector(self.config)

    def fit(self, x: Any, *, train: Any = None, hold: float = 0.2, **arguments: Any) -> None:
        """Trains the model on normal windows, and learns the threshold from the last ones, which it
        was not trained on. hold: their share. arguments: of `Model.fit`."""
        x = np.asarray(x)
        held = max(1, int(len(x) * hold + 0.5))
        if not 0 < hold < 1 or held >= len(x):
            raise ArgumentError(f"hold: expected a share that leaves windows on both sides: {hold}")
        self.model.fit(x[:-held], train=train, **arguments)
        self.calibrate(x[-held:])

    def calibrate(self, x: Any) -> None:
        """Learns the threshold again from normal windows."""
        detector = _raw_anomaly.Detector(self.config)
        for score in self.scores(x):
            detector.learn(int(score))
        self._detector = detector

    def scores(self, x: Any) -> npt.NDArray[np.uint64]:
        """How far the model's answers are from their inputs; see docs/numerics.md for the unit."""
        rows = encode_inputs(self.model, x)
        engine = self.model.opened
        return _raw_anomaly.scores(engine, rows, np.ascontiguousarray(engine.run(rows)))

    def detect(self, x: Any) -> list[Verdict]:
        """Judges windows in their order. Votes and drift go on from one call to the next."""
        return [self._detector.judge(int(score)) for score in self.scores(x)]

    @property
    def threshold(self) -> int:
        """The score up to which a window is normal."""
        return self._detector.threshold

    @property
    def state(self) -> bytes:
        """All but the model, as boards save it."""
        return self._detector.state

    def save(self, path: PathLike) -> None:
        """Model and threshold in one file."""
        size = len(self.state).to_bytes(4, "little")
        write(path, b"".join([_MAGIC, size, self.state, self.model.image]))

    @classmethod
    def load(cls, path: PathLike) -> AnomalyDetector:
        """What `save` has written."""
        data = Path(path).read_bytes()
        n = int.from_bytes(data[4:8], "little")
        if data[:4] != _MAGIC or n != _raw_anomaly.STATE_BYTES:
            raise DataError(f"{path}: not a detector that byteprop has saved")
        return cls.from_state(load(data[8 + n :]), data[8 : 8 + n])

    @classmethod
    def from_state(cls, model: Model, state: bytes) -> AnomalyDetector:
        """A model, and the state of a detector that has watched it here or on a board."""
        found = cls(model)
        found._detector = _raw_anomaly.Detector(found.config, state=state)
        found.config = found._detector.config
        return found


@dataclass(frozen=True)
class Figures:
    """How good a detector is. auc: of single windows, without a threshold. precision, recall: of
    alarms. false_alarms: alarms that begin in windows that are normal."""

    auc: float
    precision: float
    recall: float
    false_alarms: int
    normal_windows: int

    def false_alarms_per_hour(self, seconds: float) -> float:
        """seconds: from the begin of one window to that of the next."""
        return self.false_alarms / (self.normal_windows * seconds / 3600)


def figures_of(verdicts: list[Verdict], is_fault: npt.ArrayLike) -> Figures:
    """Of windows of which is known whether they have a fault. There must be both kinds."""
    faults = np.asarray(is_fault, bool)
    if len(faults) != len(verdicts) or not faults.any() or faults.all():
        raise ArgumentError("is_fault: expected one per window, of both kinds")
    scores = np.array([v.score for v in verdicts], np.float64)
    alarms = np.array([v.alarm for v in verdicts])
    begins = alarms & ~np.concatenate([[False], alarms[:-1]])
    ranks = _mid_ranks(scores)
    n_faults, n_normal = int(faults.sum()), int((~faults).sum())
    auc = (ranks[faults].sum() - n_faults * (n_faults + 1) / 2) / (n_faults * n_normal)
    hits = int((alarms & faults).sum())
    return Figures(
        auc=float(auc),
        precision=hits / max(1, int(alarms.sum())),
        recall=hits / n_faults,
        false_alarms=int((begins & ~faults).sum()),
        normal_windows=n_normal,
    )


def _mid_ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From 1; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    shared: npt.NDArray[np.float64] = (ends - (counts - 1) / 2)[inverse]
    return shared
