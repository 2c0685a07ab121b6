"""Federated averaging in integers, and the same through Flower."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop.errors import ArgumentError
from byteprop.federated import arrays_of, average, set_arrays, train_client


def network() -> byteprop.Sequential:
    layers = [byteprop.Dense(6, "relu"), byteprop.Dense(3, "softmax")]
    return byteprop.Sequential(layers, input_shape=8, input_range=(0, 1), seed=4)


def samples(n: int, seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.uniform(0, 0.5, (n, 8)) + 0.5 * (np.arange(8) % 3 == y[:, None])
    return x.astype(np.float32), y


def clients(n: int) -> list[tuple[list[Any], int]]:
    found = []
    for i in range(n):
        model = network()
        size = train_client(model, *samples(20 + 7 * i, i), seed=i)
        found.append((arrays_of(model), size))
    return found


def test_the_order_of_clients_changes_no_bit() -> None:
    parts = clients(5)
    expected = average(parts)
    for order in itertools.permutations(parts):
        for a, b in zip(average(order), expected, strict=True):
            assert a.dtype == b.dtype and (a == b).all()


def test_the_mean_is_rounded_as_documented() -> None:
    rng = random.Random(3)
    for _ in range(200):
        values = [rng.randint(-32768, 32639) for _ in range(4)]
        sizes = [rng.randint(1, 100000) for _ in range(4)]
        mean = average(
            ([np.full(1, v, np.int16), np.full(1, 65000 * v, np.int32)], n)
            for v, n in zip(values, sizes, strict=True)
        )
        total = sum(sizes)
        exact = sum(v * n for v, n in zip(values, sizes, strict=True))
        assert mean[0][0] == (2 * exact + total) // (2 * total)
        assert mean[1][0] == (2 * 65000 * exact + total) // (2 * total)


def test_a_model_takes_its_own_arrays_back_unchanged() -> None:
    model, other = network(), network()
    train_client(model, *samples(60, 1), epochs=3)
    set_arrays(other, arrays_of(model))
    x = samples(50, 9)[0]
    assert (other.predict(x) == model.predict(x)).all()
    assert all((a == b).all() for a, b in zip(arrays_of(other), arrays_of(model), strict=True))
    model.fit(*samples(30, 2), window=0)  # goes on from the residuals, too
    other.fit(*samples(30, 2), window=0)
    assert all((a == b).all() for a, b in zip(arrays_of(other), arrays_of(model), strict=True))


def test_what_does_not_fit_is_refused() -> None:
    arrays = arrays_of(network())
    with pytest.raises(ArgumentError, match="at least one"):
        average([])
    with pytest.raises(ArgumentError, match="number of samples"):
        average([(arrays, 0)])
    with pytest.raises(ArgumentError, match="the same"):
        average([(arrays, 1), (arrays[:2], 1)])
    with pytest.raises(ArgumentError, match="the same"):
        average([([a.astype(np.float32) for a in arrays], 1)])
    with pytest.raises(ArgumentError, match="expected"):
        set_arrays(network(), arrays[:2])
    wrong = [a.copy() for a in arrays]
    wrong[0][0, 0] = 32700
    with pytest.raises(ArgumentError, match="32639"):
        set_arrays(network(), wrong)


def test_rounds_learn_together() -> None:
    model, held = network(), samples(200, 99)
    before = model.evaluate(*held)["loss"]
    for turn in range(4):
        parts = []
        for i in range(3):
            client = network()
            set_arrays(client, arrays_of(model))
            n = train_client(client, *samples(80, i), seed=turn, learning_rate=0.02, epochs=4)
            parts.append((arrays_of(client), n))
        set_arrays(model, average(parts))
    assert model.evaluate(*held)["loss"] < 0.6 * before


def test_a_board_as_client_gives_the_same_bits() -> None:
    from functools import partial

    from byteprop_host.deployment import connect
    from byteprop_host.firmware.build import build
    from byteprop_host.target import BoardTarget
    from byteprop_host.training.lockstep import LockstepTrainer

    here, there = network(), network()
    train_client(here, *samples(40, 1), seed=3)
    target = BoardTarget.of()
    firmware = build(target.board, None, train=True)
    with connect(target, firmware) as deployment:
        make = partial(LockstepTrainer, deployment.device)
        train_client(there, *samples(40, 1), seed=3, make_trainer=make)
    assert there.image == here.image


def test_flower_s_simulation_gives_the_mean_of_the_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flower = pytest.importorskip("byteprop.flower", reason="not installed: flwr (extra fleet)")
    pytest.importorskip("ray", reason="not installed: ray (flwr[simulation])")
    from flwr.app import Context
    from flwr.serverapp import Grid, ServerApp
    from flwr.simulation import run_simulation

    folder = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", folder)
    monkeypatch.syspath_prepend(folder)
    results: list[Any] = []

    def client(context: Context) -> tuple[byteprop.Model, Any, Any]:
        number = int(context.node_config["partition-id"])
        return network(), *samples(20 + 7 * number, number)

    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        strategy = flower.IntegerAveraging(
            fraction_evaluate=0.0, min_train_nodes=3, min_available_nodes=3
        )
        results.append(strategy.start(grid, flower.record_of(network()), num_rounds=2))

    run_simulation(server, flower.client_app(client), num_supernodes=3)
    model = network()
    for turn in (1, 2):
        parts = []
        for number in range(3):
            part = network()
            set_arrays(part, arrays_of(model))
            n = train_client(part, *samples(20 + 7 * number, number), seed=turn)
            parts.append((arrays_of(part), n))
        set_arrays(model, average(parts))
    found = results[0].arrays.to_numpy_ndarrays()
    assert all((a == b).all() for a, b in zip(found, arrays_of(model), strict=True))
