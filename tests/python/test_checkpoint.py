"""Going on from a checkpoint gives the bits of a training that was never cut."""

from __future__ import annotations

import contextlib
import json
import struct
import sys
import tracemalloc
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from byteprop import Callback, Dense, Sequential
from byteprop.errors import ArgumentError, ModelError
from byteprop.graph import Normalization
from byteprop.training import checkpoint
from byteprop.training.network import difference
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
    defaults = {"epochs": EPOCHS, "seed": 4, "window": 30}
    return model.fit(*blobs(SAMPLES), **(defaults | arguments))


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


def test_a_checkpoint_of_another_version_says_so(tmp_path: Path) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    path.write_bytes(b"BPC1" + path.read_bytes()[4:])
    with pytest.raises(ModelError, match="c: expected a checkpoint of version 2, got b'BPC1'"):
        checkpoint.load(path)
    path.write_bytes(b"TFL3" * 20)
    with pytest.raises(ModelError, match="expected a checkpoint of a training, got"):
        checkpoint.load(path)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("byteprop.support.files.os.fsync", full)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(path, checkpoint.load(path))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["c"]


def test_an_untrained_model_has_nothing_to_save(tmp_path: Path) -> None:
    model = Sequential([Dense(3, "softmax")], input_shape=(12,), input_range=(0, 1))
    with pytest.raises(ArgumentError, match="has not been trained"):
        model.save_checkpoint(tmp_path / "c")


# --- another network ---


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ([Dense(7, "relu"), Dense(3, "softmax")], r"layer 0 is Dense \[1, 12\] -> \[1, 8\] relu"),
        ([Dense(8, "relu"), Dense(4, "softmax")], "layer 1"),
        ([Dense(8, "relu"), Dense(8, "relu"), Dense(3, "softmax")], "layer 1"),
    ],
)
def test_another_network_is_not_resumed(tmp_path: Path, other: list[Dense], words: str) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    model = Sequential(other, input_shape=(12,), input_range=(0, 1))
    before = model.image
    with pytest.raises(ArgumentError, match=f"of another network: {words}"):
        fit(model, resume=path)
    assert model.image == before


@pytest.mark.parametrize("window", [0, 30])
def test_other_scales_are_not_resumed(tmp_path: Path, window: int) -> None:
    path = tmp_path / "c"
    x, y = blobs(SAMPLES)
    # Reals of the same codes in another unit.
    net().fit(x, y, window=window, checkpoint=path)
    model = Sequential([Dense(8, "relu"), Dense(3, "softmax")], (12,), input_range=(0, 3))
    with pytest.raises(ArgumentError, match="of another network: scale of input 0 is"):
        model.fit(x / 86, y, window=window, resume=path)


def test_a_classifier_is_not_resumed_as_a_regression(tmp_path: Path) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    x, y = blobs(SAMPLES)
    model = Sequential([Dense(8, "relu"), Dense(3)], 12, input_range=(0, 1), output_range=(0, 1))
    with pytest.raises(ArgumentError, match="layer 2 is Softmax .* nothing here"):
        model.fit(x, np.eye(3)[y], epochs=EPOCHS, seed=4, window=30, resume=path)


def test_scales_that_training_moved_are_no_other_network(tmp_path: Path) -> None:
    """The network of the checkpoint has doubled and halved scales."""
    path, whole, resumed = tmp_path / "c", net(), net()
    history = fit(whole, learning_rate=0.1, checkpoint=path)
    assert history.counters["rescales"] > 0
    fit(resumed, learning_rate=0.1, resume=path)
    assert same(whole, resumed)


def test_another_normalization_is_another_network() -> None:
    """Also where it differs in one of many features."""
    made = [np.zeros(5000, np.float32) for _ in range(2)]
    made[1][2500] = 1
    graphs = [
        replace(net.graph, tensors=(replace(net.graph.tensors[0], normalization=n),))
        for n in (Normalization(sub, np.ones(5000, np.float32)) for sub in made)
        for net in [Sequential([Dense(3, "softmax")], 5000, input_range=(0, 1))]
    ]
    graphs = [replace(g, ops=()) for g in graphs]
    assert difference(graphs[0], graphs[0], scales_move=True) == ""
    assert difference(*graphs, scales_move=True).startswith("normalization of input 0")


def test_other_figures_are_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "c"
    fit(net(), checkpoint=path)
    with pytest.raises(ArgumentError, match="val_accuracy"):
        fit(net(), resume=path, validation_data=blobs(10))


# --- files that are not trusted ---

FIELDS: list[tuple[str, Any, str]] = [
    ("epoch", -1, "epoch"),
    ("epoch", -(2**63), "epoch"),
    ("epoch", 1.0, "epoch"),
    ("epoch", 2**30, "epoch"),
    ("epoch", 3, "history"),
    ("sample", -(2**63), "sample"),
    ("sample", SAMPLES + 1, "sample"),
    ("sample", "1", "sample"),
    ("loss", [[]], "loss"),
    ("loss", None, "loss"),
    ("loss", -1, "loss"),
    ("loss", 10**4000, "loss"),
    ("correct", True, "correct"),
    ("correct", 2**31, "correct"),
    ("seconds", -1, "seconds"),
    ("seconds", {}, "seconds"),
    ("settings", [], "settings"),
    ("settings", {"config": []}, "settings.config"),
    ("figures", -5, "figures"),
    ("figures", ["loss"] * 2, "figures"),
    ("figures", ["loss"] * 1000, "figures"),
    ("figures", ["loss", 3], "figures"),
    ("figures", ["a b"], "figures"),
    ("more", 1, "fields"),
]


def parts_of(data: bytes) -> list[bytes]:
    sizes = struct.unpack_from("<4I", data, 4)
    starts = np.cumsum([24, *sizes])
    return [data[a : a + n] for a, n in zip(starts, sizes, strict=False)]


def sealed(parts: list[bytes]) -> bytes:
    """A file of these parts whose sizes and checksum are right."""
    sizes, body = struct.pack("<4I", *map(len, parts)), b"".join(parts)
    return b"BPC2" + sizes + struct.pack("<I", zlib.crc32(body, zlib.crc32(sizes))) + body


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A checkpoint in the middle of the second epoch."""
    path = tmp_path_factory.mktemp("real") / "c"
    with pytest.raises(CutError):
        fit(net(), checkpoint=path, checkpoint_every=10, callbacks=Cut(path, 155))
    return path.read_bytes()


@pytest.mark.parametrize(("name", "value", "words"), FIELDS, ids=lambda v: str(v)[:20])
def test_every_field_is_checked(
    tmp_path: Path, real: bytes, name: str, value: Any, words: str
) -> None:
    parts = parts_of(real)
    description = json.loads(parts[0]) | {name: value}
    path = tmp_path / "c"
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        path.write_bytes(sealed([json.dumps(description).encode(), *parts[1:]]))
    finally:
        sys.set_int_max_str_digits(limit)
    with pytest.raises(ModelError, match=words) as caught:
        fit(net(), resume=path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("part", "data", "words"),
    [
        (0, b"[" * 60_000, "description"),
        (0, b"[" * 200_000, "description: 200000 bytes"),
        (0, b'{"epoch": ' + b"9" * 5000 + b"}", "description"),
        (0, b"\xff\xfe", "description"),
        (0, b"[]", "description"),
        (1, b"", "history"),
        (1, b"\xff" * 24, "history"),
        (2, b"", "image"),
        (2, b"BPM1" + bytes(100), "image"),
        (3, b"", "state"),
        (3, b"\xff" * 132, "state"),
    ],
    ids=lambda v: str(v)[:12],
)
def test_every_part_is_checked(
    tmp_path: Path, real: bytes, part: int, data: bytes, words: str
) -> None:
    parts = parts_of(real)
    if part == 3 and data:
        data = b"\xff" * len(parts[3])
    parts[part] = data
    path = tmp_path / "c"
    path.write_bytes(sealed(parts))
    with pytest.raises(ModelError, match=words) as caught:
        fit(net(), resume=path)
    assert str(path) in str(caught.value)


@settings(max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck))
@given(
    part=st.integers(0, 3),
    places=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.one_of(st.none(), st.integers(0, 4000)),
)
def test_mutations_raise_documented_errors_or_train(
    tmp_path: Path, real: bytes, part: int, places: list[tuple[int, int]], cut: int | None
) -> None:
    parts = [bytearray(p) for p in parts_of(real)]
    for at, value in places:
        parts[part][at % len(parts[part])] = value
    if part == 2:  # so that the image's own checksum does not refuse everything
        parts[2][12:16] = struct.pack("<I", zlib.crc32(parts[2][16:]))
    if cut is not None:
        del parts[part][cut:]
    path = tmp_path / "c"
    path.write_bytes(sealed([bytes(p) for p in parts]))
    model = net()
    try:
        fit(model, resume=path)
    except (ModelError, ArgumentError) as error:
        assert str(path) in str(error)


HUGE = [
    b"[" + b"[]," * 20_000 + b"[]]",
    b"[" + b"{}," * 20_000 + b"{}]",
    b'{"settings": {' + b",".join(b'"%d":0' % i for i in range(6000)) + b"}}",
    b"[" + b"1e9," * 16_000 + b"0]",
]


@pytest.mark.parametrize("description", HUGE, ids=lambda d: d[:14].decode())
def test_reading_takes_little_memory(tmp_path: Path, description: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(sealed([description, b"", bytes(1 << 20), b""]))
    assert peak_of(path) < 4 * path.stat().st_size + (16 << 20)


def test_a_long_history_takes_little_memory(tmp_path: Path, real: bytes) -> None:
    parts = parts_of(real)
    epochs, names = 1 << 18, json.loads(parts[0])["figures"]
    description = json.loads(parts[0]) | {"epoch": epochs}
    path = tmp_path / "c"
    history = np.ones((len(names), epochs)).tobytes()
    path.write_bytes(sealed([json.dumps(description).encode(), history, *parts[2:]]))
    assert peak_of(path) < 4 * path.stat().st_size + (16 << 20)
    assert len(checkpoint.load(path).history["loss"]) == epochs


def peak_of(path: Path) -> int:
    """Most bytes that reading takes at once."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ModelError):
            checkpoint.load(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
