"""The detector of anomalies: C against the reference, and what its users see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import Dense, Sequential, image
from byteprop.anomaly import AnomalyDetector, figures_of
from byteprop.engine import _raw, _raw_anomaly
from byteprop.engine._raw_anomaly import Config, Detector, Verdict
from byteprop.errors import ArgumentError, DataError
from byteprop.reference import anomaly as reference
from training_case import Net, graph_of

TOP = 2**54 - 1
values = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
configs = st.builds(
    lambda permille, n, k, shift, ratio: Config(permille, min(k, n), n, shift, ratio),
    st.sampled_from([500, 900, 990, 999]),
    st.integers(1, 32),
    st.integers(1, 32),
    st.integers(1, 16),
    st.integers(0, 255),
)


@settings(max_examples=200, deadline=None)
@given(configs, st.lists(values, min_size=1, max_size=60), st.lists(values, max_size=60))
def test_the_detector_is_that_of_the_page(
    config: Config, normal: list[int], later: list[int]
) -> None:
    detector, wanted = Detector(config), reference.ReferenceDetector(**vars(config))
    for score in normal:
        detector.learn(score)
        wanted.learn(score)
        assert (detector.threshold, detector.level) == (wanted.threshold, wanted.level)
    for score in later:
        assert tuple(vars(detector.judge(score)).values()) == wanted.judge(score)
        assert detector.level == wanted.level
        detector = Detector(config, state=detector.state)  # saved and restored


@settings(max_examples=60, deadline=None)
@given(st.lists(values, min_size=2, max_size=60), st.randoms(use_true_random=False))
def test_the_threshold_does_not_depend_on_the_order(normal: list[int], random: Any) -> None:
    first, second = Detector(Config(900)), Detector(Config(900))
    mixed = normal[:]
    random.shuffle(mixed)
    for score, other in zip(normal, mixed, strict=True):
        first.learn(score)
        second.learn(other)
    assert first.state == second.state


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.booleans(), st.integers(-8, 8))
def test_scores_are_those_of_the_page(
    seed: int, leading: bool, trailing: bool, exponent: int
) -> None:
    rng = np.random.default_rng(seed)
    net = Net(
        (9, 4, 9), classifier=False, zero_points=True, leading_quantize=leading,
        trailing_quantize=trailing, logit_scale=2.0**exponent / 100,
    )  # fmt: skip
    graph = graph_of(net, rng)
    engine = _raw.Engine(image.encode(graph))
    x = rng.integers(0, 256, (3, 9)).astype(np.uint8)
    y = np.ascontiguousarray(engine.run(x))
    source, target = graph.tensors[graph.inputs[0]], graph.tensors[graph.outputs[0]]
    found = _raw_anomaly.scores(engine, x, y.view(np.uint8))
    for i in range(3):
        ins, outs = x[i].view(source.dtype.numpy), y[i].view(target.dtype.numpy)
        assert int(found[i]) == reference.score(graph, ins, outs)


def test_more_scores_than_ranks_are_refused() -> None:
    detector = Detector(Config(900))
    for score in range(319):
        detector.learn(score)
    assert detector.threshold == 318 - 31
    before = detector.state
    with pytest.raises(ArgumentError, match="319 normal scores are all"):
        detector.learn(7)
    assert detector.state == before


@pytest.mark.parametrize(
    "change",
    [
        {"permille": 0}, {"permille": 1000}, {"votes": 0}, {"votes": 6}, {"window": 33},
        {"window": 0}, {"drift_shift": 0}, {"drift_shift": 17}, {"drift_ratio": 256},
    ],
)  # fmt: skip
def test_settings_that_do_not_fit(change: dict[str, int]) -> None:
    with pytest.raises(ArgumentError):
        Detector(replace(Config(), **change))


def test_nothing_learnt_nothing_judged() -> None:
    with pytest.raises(ArgumentError, match="no threshold"):
        Detector(Config()).judge(3)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 303), st.integers(1, 255))
def test_a_damaged_state_is_refused_or_harmless(at: int, change: int) -> None:
    detector = Detector(Config(900))
    for score in range(1, 41):
        detector.learn(score << 20)
    state = bytearray(detector.state)
    state[at] ^= change
    try:
        found = Detector(Config(), state=bytes(state))
    except ArgumentError:
        return
    for score in (0, 1, TOP, 2**64 - 1):
        assert found.judge(score).votes <= found.config.window


# What users see.


def waves(n: int, seed: int, fault: float = 0.0) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 6, (n, 1)) + np.arange(16) / 2.5
    x = 30 * np.sin(at) + rng.normal(0, 1, (n, 16))
    return (x + fault * 12 * np.sin(3.3 * at)).astype(np.float32)


def detector() -> AnomalyDetector:
    net = Sequential([Dense(8, "relu"), Dense(4, "relu"), Dense(8, "relu"), Dense(16)], seed=1)
    found = AnomalyDetector(net, percentile=98, votes=(3, 4))
    found.fit(waves(1500, 1), epochs=12, seed=3)
    return found


def test_faults_are_found(tmp_path: Path) -> None:
    found = detector()
    found.save(tmp_path / "detector.bpd")
    x = np.concatenate([waves(300, 2), waves(100, 3, fault=1.0)])
    verdicts = found.detect(x)
    again = AnomalyDetector.load(tmp_path / "detector.bpd")
    assert again.detect(x) == verdicts and again.state == found.state
    figures = figures_of(verdicts, np.arange(400) >= 300)
    assert figures.auc > 0.97 and figures.recall > 0.9 and figures.precision > 0.9
    assert figures.false_alarms_per_hour(1.0) == figures.false_alarms * 3600 / 300


def test_figures_by_hand() -> None:
    made = [Verdict(s, s > 2, 0, alarm, False) for s, alarm in ((1, False), (3, True), (3, True))]
    figures = figures_of(made, [False, False, True])
    assert (figures.auc, figures.precision, figures.recall) == (0.75, 0.5, 1.0)
    assert figures.false_alarms == 1
    with pytest.raises(ArgumentError, match="both kinds"):
        figures_of(made, [True, True, True])


def test_what_is_no_autoencoder_is_refused(tmp_path: Path) -> None:
    net = Sequential([Dense(3)], input_shape=4, input_range=(-1, 1), output_range=(-1, 1))
    with pytest.raises(ArgumentError, match="autoencoder"):
        AnomalyDetector(net).scores(np.zeros((2, 4)))
    (tmp_path / "other").write_bytes(b"BPAD" + bytes(20))
    with pytest.raises(DataError, match="not a detector"):
        AnomalyDetector.load(tmp_path / "other")


def test_a_board_learns_without_targets_on_the_line() -> None:
    """In lockstep: every loss, and at the end image and state, are those of the host."""
    from functools import partial

    from byteprop.federated import train_client
    from byteprop_host.deployment import connect
    from byteprop_host.firmware.build import build
    from byteprop_host.target import BoardTarget
    from byteprop_host.training.lockstep import LockstepTrainer

    x = waves(40, 1)

    def network() -> Sequential:
        net = Sequential([Dense(6, "relu"), Dense(16)], seed=1)
        net.calibrate(x)
        return net

    here, there = network(), network()
    train_client(here, x, None, seed=3, learning_rate=0.001)
    made: list[LockstepTrainer] = []

    def on_board(device: Any, host: Any) -> LockstepTrainer:
        made.append(LockstepTrainer(device, host))
        return made[-1]

    target = BoardTarget.of()
    with connect(target, build(target.board, None, train=True)) as deployment:
        train_client(
            there, x, None, seed=3, learning_rate=0.001,
            make_trainer=partial(on_board, deployment.device),
        )  # fmt: skip
        ended = made[0].end()
    assert (ended.image, ended.state) == (made[0].image, made[0].state)
    assert there.image == here.image
    assert made[0].config.autoencoder and made[0].config.rate_shift > 0
