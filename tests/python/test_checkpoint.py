"""Going on from a checkpoint gives the bits of a training that was never cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byteprop import Callback, Dense, Sequential, checkpoint
from byteprop.errors import ArgumentError, ModelError
from training_data import blobs, line

EPOCHS, SAMPLES = 3, 100


def net() -> Sequential:
    return Sequential([Dense(8, "relu"), Dense(3, "softmax")], input_shape=(12,))


class CutError(Exception):
    pass


class Cut(Callback):
    """Ends a training as a crash would, after so many samples."""

    def __init__(self, path: Path, after: int) -> None:
        self.path = path
        self.after = after

    def on_progress(self, position: Any, logs: Any) -> None:
        if position.epoch * SAMPLES + position.sample >= self.after:
            raise CutError


def fit(model: Sequential, **arguments: Any) -> Any:
    settings = {"epochs": EPOCHS, "seed": 4, "window": 30, **arguments}
    return model.fit(*blobs(SAMPLES), **settings)


def same(a: Sequential, b: Sequential) -> bool:
    return a.image == b.image and all(
        np.array_equal(x, y)
        for first, second in zip(a.get_weights(), b.get_weights(), strict=True)
        for x, y in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("after", [10, 50, 90, 100, 110, 200, 250])
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"batch_size": 7},
        {"batch_size": 7, "momentum": 0.875},
        {"residual": False},
        {"freeze": [0]},
        {"schedule": "cosine", "shuffle": False},
    ],
    ids=str,
)
def test_resumed_at_any_cut(tmp_path: Path, after: int, arguments: dict[str, Any]) -> None:
    whole = net()
    history = fit(whole, **arguments)
    path = tmp_path / "run.ckpt"
    with pytest.raises(CutError):
        fit(
            net(),
            checkpoint=path,
            checkpoint_every=10,
            callbacks=Cut(path, after + 10),
            **arguments,
        )
    at = checkpoint.load(path)
    assert after - 100 < at.epoch * SAMPLES + at.sample <= after + 10
    resumed = net()
    again = fit(resumed, resume=path, **arguments)
    assert same(resumed, whole)
    assert again.history == history.history
    assert again.counters == history.counters


def test_checkpoints_in_the_middle_of_an_epoch_change_no_bit(tmp_path: Path) -> None:
    whole, stopped = net(), net()
    fit(whole)
    fit(stopped, checkpoint=tmp_path / "c", checkpoint_every=7)
    assert same(whole, stopped)


def test_a_regression_is_resumed(tmp_path: Path) -> None:
    def make() -> Sequential:
        return Sequential([Dense(4, "relu"), Dense(1)], input_shape=(1,), seed=2)

    whole, resumed, path = make(), make(), tmp_path / "c"
    history = whole.fit(*line(), epochs=4)

    class SaveHere(Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            if epoch == 1:
                self.model.save_checkpoint(path)

    make().fit(*line(), epochs=4, callbacks=SaveHere())
    again = resumed.fit(*line(), epochs=4, resume=path)
    assert same(whole, resumed) and again.history == history.history


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    model, path = net(), tmp_path / "c"
    fit(model, checkpoint=path)
    resumed = net()
    fit(resumed, resume=path)
    assert same(model, resumed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epochs": 4}, "epochs"),
        ({"learning_rate": 0.1}, "rate_q24"),
        ({"schedule": "constant"}, "schedule"),
        ({"shuffle": False}, "shuffle"),
        ({"batch_size": 2}, "config"),
        ({"window": 31}, "config"),
    ],
)
def test_another_training_is_not_resumed(
    tmp_path: Path, arguments: dict[str, Any], words: str
) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    with pytest.raises(ArgumentError, match=f"another training: .*{words}"):
        fit(net(), resume=path, **arguments)


def test_other_data_are_not_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    x, y = blobs(SAMPLES)
    with pytest.raises(ArgumentError, match="y_crc32"):
        net().fit(x, (y + 1) % 3, epochs=EPOCHS, seed=4, window=30, resume=path)


def test_damage_anywhere_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    data = path.read_bytes()
    for at in [*range(24), *range(24, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ModelError):
            checkpoint.load(path)
    for size in (0, 3, 23, 24, 500, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(ModelError):
            checkpoint.load(path)
    path.write_bytes(data + b"\0")
    with pytest.raises(ModelError, match="truncated"):
        checkpoint.load(path)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("byteprop.checkpoint.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, checkpoint.load(path))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_an_untrained_model_has_nothing_to_save(tmp_path: Path) -> None:
    model = Sequential([Dense(3, "softmax")], input_shape=(12,), input_range=(0, 1))
    with pytest.raises(ArgumentError, match="has not been trained"):
        model.save_checkpoint(tmp_path / "c")
