"""An autoencoder, windows of a machine in order and with a fault, and what a detector says of them;
for tests of the host and of boards."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

import byteprop
from byteprop.engine._raw import Engine
from byteprop.engine._raw_anomaly import Config, Detector, Verdict, scores
from byteprop.engine._raw_train import Config as TrainConfig
from byteprop.image import without_names
from byteprop.training.samples import encode_inputs
from byteprop_host.link import Judged

CONFIG = Config(permille=950, votes=2, window=4, drift_shift=2, drift_ratio=18)
TRAINING = TrainConfig(seed=3, autoencoder=True)


def _windows(n: int, seed: int, fault: float) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    draw = np.random.default_rng(seed)
    at = draw.uniform(0, 6, (n, 1)) + np.arange(16) / 2.5
    return np.sin(at) + draw.normal(0, 0.03, at.shape) + fault * np.sin(3.3 * at)


def _model() -> tuple[bytes, list[bytes], list[bytes]]:
    normal, faulty = _windows(60, 1, 0.0), _windows(12, 2, 0.6)
    net = byteprop.Sequential(
        [byteprop.Dense(8, "relu"), byteprop.Dense(3, "relu"), byteprop.Dense(16)],
        input_shape=(16,),
        seed=1,
    )
    net.fit(_windows(400, 3, 0.0), epochs=6)
    rows = [[bytes(row) for row in encode_inputs(net, x)] for x in (normal, faulty)]
    return without_names(net.image), rows[0], rows[1]


IMAGE, NORMAL, FAULTS = _model()


def score_of(image: bytes, row: bytes) -> int:
    engine = Engine(image)
    x = np.frombuffer(row, np.uint8).reshape(1, -1)
    return int(scores(engine, x, engine.run(x))[0])


@cache
def expected(image: bytes) -> tuple[list[int], list[Verdict], bytes]:
    """Scores of NORMAL, verdicts of its first nine and FAULTS, and the state by then."""
    detector = Detector(CONFIG)
    learnt = [score_of(image, row) for row in NORMAL]
    for score in learnt:
        detector.learn(score)
    verdicts = [detector.judge(score_of(image, row)) for row in (*NORMAL[:9], *FAULTS)]
    return learnt, verdicts, detector.state


def verdicts_of(judged: Iterable[Judged]) -> list[Verdict]:
    return [found.verdict for found in judged]
