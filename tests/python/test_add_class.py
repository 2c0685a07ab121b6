"""A class more, a class less, weights set: what users see of kept features and imprinted rows."""

from __future__ import annotations

import copy
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop.errors import ArgumentError, TrainingError
from byteprop.training.head import KEPT_PER_CLASS, UNUSED_BIAS, linear_rates, with_capacity

ROOT = Path(__file__).resolve().parents[2]
FASHION = ROOT / "examples/fashion_mnist"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))


@pytest.fixture(scope="module")
def data() -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    with np.load(FASHION / "t10k-1000.npz") as file:
        return file["x"][:, :, :, None] / np.float32(255), file["y"]


@pytest.fixture
def model() -> byteprop.Model:
    return byteprop.load(FASHION / "fashion_cnn.tflite")


def recall(model: byteprop.Model, x: Any, y: Any, label: int) -> float:
    return float((model.predict(x[y == label]).argmax(1) == label).mean())


def test_rows_in_reserve_change_no_answer(model: byteprop.Model, data: Any) -> None:
    grown = model.with_capacity(14)
    assert grown.classes == model.classes == list(range(10))
    answers = grown.run(net_input(data[0], grown))
    np.testing.assert_array_equal(answers[:, :10], model.run(net_input(data[0], model)))
    assert (answers[:, 10:] == -128).all()
    assert (grown.predict(data[0]) >= 0).all()
    assert grown.with_capacity(14).image == grown.image
    with pytest.raises(ArgumentError, match="classes"):
        grown.with_capacity(13)


def test_a_class_is_taken_away_and_comes_back_from_five_samples(
    model: byteprop.Model, data: Any
) -> None:
    x, y = data
    train, test = slice(0, 500), slice(500, 1000)
    model.remove_class(8)
    assert model.classes == [0, 1, 2, 3, 4, 5, 6, 7, 9]
    assert (model.predict(x).argmax(1) != 8).all()
    others = y[train] != 8
    known = (x[train][others], y[train][others])
    bags = x[train][y[train] == 8][:5]
    label = model.add_class(bags, "bag", known=known, rehearsals=0)
    assert label == 8
    assert recall(model, x[test], y[test], 8) > 0.4
    assert model.evaluate(x[test], y[test])["accuracy"] > 0.7
    model.remove_class("bag")
    assert 8 not in model.classes
    assert model.class_names == {}


def test_rehearsals_are_steps_of_training(model: byteprop.Model, data: Any) -> None:
    x, y = data
    model.remove_class(8)
    known = (x[:300][y[:300] != 8], y[:300][y[:300] != 8])
    imprinted, trained = copy.deepcopy(model), copy.deepcopy(model)
    bags = x[:300][y[:300] == 8][:10]
    imprinted.add_class(bags, known=known, rehearsals=0)
    trained.add_class(bags, known=known)
    assert trained.image != imprinted.image
    again = copy.deepcopy(model)
    again.add_class(bags, known=known)
    assert again.image == trained.image
    assert all(
        (a.residual == b.residual).all() and (a.bias == b.bias).all()
        for a, b in zip(again.masters or (), trained.masters or (), strict=True)
    )
    other = copy.deepcopy(model)
    other.add_class(bags, known=known, seed=1)
    assert other.image != trained.image


def test_without_room_there_is_one_row_more(model: byteprop.Model, data: Any) -> None:
    x, y = data
    label = model.add_class(x[y == 3][:5], "coat too")
    assert label == 10
    assert model.outputs[0].shape[-1] == 11
    assert model.class_names == {10: "coat too"}
    with pytest.raises(ArgumentError, match="coat too"):
        model.add_class(x[:3], "coat too")
    assert pickle.loads(pickle.dumps(model)).class_names == model.class_names
    assert model.predict(x[:2]).shape == (2, 11)


def test_what_is_saved_has_the_same_classes(
    model: byteprop.Model, data: Any, tmp_path: Path
) -> None:
    x, y = data
    grown = model.with_capacity(12)
    grown.add_class(x[y == 3][:5])
    for name in ("head.bpm", "head.tflite"):
        grown.save(tmp_path / name)
        loaded = byteprop.load(tmp_path / name)
        np.testing.assert_array_equal(loaded.predict(x[:50]), grown.predict(x[:50]))
        assert loaded.classes == grown.classes == list(range(11))


def test_classes_that_are_not_there_are_refused(model: byteprop.Model, data: Any) -> None:
    x, _y = data
    grown = model.with_capacity(12)
    before = grown.image
    for call, words in (
        (lambda: grown.remove_class(11), "label: expected one of"),
        (lambda: grown.remove_class("bird"), "no class 'bird'"),
        (lambda: grown.fit(x[:2], [3, 11]), "class 11 is not in use; add_class begins it"),
        (lambda: grown.add_class(x[:0]), "samples: expected at least one"),
        (lambda: grown.add_class(x[:2], known=(x[:2], [3, 11])), "class 11 is not in use"),
        (lambda: grown.add_class(x[:2], known=x[:2]), "known: expected"),
        (lambda: grown.add_class(x[:2], learning_rate=-1.0), "learning_rate"),
    ):
        with pytest.raises(ArgumentError, match=words):
            call()
    assert grown.image == before
    plain = byteprop.Sequential([byteprop.Dense(2)], input_shape=3)
    plain.fit(np.eye(3, dtype=np.float32), np.eye(3)[:, :2], epochs=1)
    with pytest.raises(TrainingError, match="softmax"):
        plain.add_class(np.eye(3))


def test_scales_that_are_too_fine_are_refused() -> None:
    from training_case import Net, graph_of

    graph = graph_of(Net((8, 4), weight_scale=2.0**-20), np.random.default_rng(0))
    with pytest.raises(TrainingError, match="too fine"):
        with_capacity(graph, 5)


def test_weights_that_are_set_are_those_that_are_got(data: Any) -> None:
    x, y = data
    net = byteprop.load(FASHION / "fashion_mlp.tflite")
    net.fit(x[:200, :, :, 0], y[:200], epochs=1)
    weights, before, masters = net.get_weights(), net.image, net.masters
    changed = copy.deepcopy(net)
    changed.set_weights([(w * 0.5, b * 0.5) for w, b in weights])
    assert changed.image != before
    changed.set_weights(weights)
    assert changed.masters is not None and masters is not None
    for a, b in zip(changed.masters, masters, strict=True):
        np.testing.assert_array_equal(a.residual, b.residual)
        np.testing.assert_array_equal(a.bias, b.bias)
    np.testing.assert_array_equal(changed.run(net_input(x, changed)), net.run(net_input(x, net)))


def net_input(x: Any, net: byteprop.Model) -> Any:
    return np.rint(x[:100].reshape(100, *net.inputs[0].shape[1:]) * 255 - 128).astype(np.int8)


def test_weights_of_normalised_inputs_are_in_the_users_units() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([1000 + 200 * rng.normal(size=300), rng.normal(size=300)], 1)
    y = (x[:, 0] > 1000).astype(int)
    net = byteprop.Sequential([byteprop.Dense(2, "softmax")], input_shape=2)
    net.fit(x, y, epochs=2)
    before = net.predict(x)
    net.set_weights(net.get_weights())
    np.testing.assert_array_equal(net.predict(x), before)


def test_weights_that_do_not_fit_are_refused_or_counted(model: byteprop.Model) -> None:
    *others, (w, b) = model.get_weights()
    with pytest.raises(ArgumentError, match="expected 3 pairs"):
        model.set_weights([])
    with pytest.raises(ArgumentError, match="expected shapes"):
        model.set_weights([*others, (w.T, b)])
    with pytest.raises(ArgumentError, match="NaN"):
        model.set_weights([*others, (w * np.nan, b)])
    with pytest.warns(UserWarning, match="saturate"):
        model.set_weights([*others, (w * 1000, b)])


def test_the_rates_fall_to_nothing() -> None:
    rates = linear_rates(1000, 4)
    assert rates.tolist() == [1000, 750, 500, 250]
    assert linear_rates(1000, 0).tolist() == []
    assert UNUSED_BIAS == -(2**23) + 1
    assert KEPT_PER_CLASS == 20


@pytest.mark.parametrize("name", ["kws_dscnn"])
def test_keyword_spotting_grows_from_12_to_14_words(name: str) -> None:
    """The words are made up here: two patterns with noise, against noise alone."""
    path = PUBLIC / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    old = byteprop.load(path)
    rng = np.random.default_rng(1)
    shape, dtype = old.inputs[0].shape[1:], old.inputs[0].dtype
    limits = np.iinfo(dtype)
    words = np.kron(rng.integers(-30, 31, (2, 7, 5, 1)), np.ones((1, 7, 2, 1)))
    scale, zero = float(old.graph.tensors[0].scale), old.graph.tensors[0].zero_point

    def said(word: int, n: int) -> npt.NDArray[np.float64]:
        noisy = words[word] + rng.normal(0, 6, (n, *shape))
        return np.rint(noisy - zero) * scale

    noise = rng.normal(0, 25, (300, *shape)).clip(limits.min, limits.max).astype(dtype)
    net = old.with_capacity(14)
    np.testing.assert_array_equal(net.run(noise)[:, :12], old.run(noise))
    answers = old.run(noise).argmax(1)
    real = (noise.astype(np.float64) - zero) * scale
    labels = []
    for word in range(2):
        samples = said(word, 5)
        labels.append(net.add_class(samples, known=(real, answers), rehearsals=0))
        real, answers = np.concatenate([real, samples]), np.append(answers, 5 * [labels[-1]])
    assert labels == [12, 13]
    for word, label in enumerate(labels):
        assert (net.predict(said(word, 40)).argmax(1) == label).mean() > 0.5
    assert (net.run(noise).argmax(1) == answers[:300]).mean() > 0.5
