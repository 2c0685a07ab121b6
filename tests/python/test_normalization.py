"""Inputs of any range are learnt with the defaults: what is measured, when, and to what end."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop import Dense, Sequential, image, reference
from byteprop.errors import ArgumentError, TrainingWarning
from byteprop.graph import Normalization
from byteprop.graph.normalization import describe
from byteprop.training.normalization import inputs_declared, inputs_of_samples
from training_data import adc, blobs, fashion_test_images, line, noise, weather

Array = npt.NDArray[Any]


def classifier(*units: int, **arguments: Any) -> Sequential:
    n_in, *hidden, classes = units
    layers = [*(Dense(n, "relu") for n in hidden), Dense(classes, "softmax")]
    return Sequential(layers, input_shape=n_in, **arguments)


def learnt(x: Array, y: Array, *units: int, epochs: int = 5, **arguments: Any) -> float:
    """Accuracy on the last fifth after training on the rest with all defaults."""
    cut = len(x) * 4 // 5
    net = classifier(*units, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.fit(x[:cut], y[:cut], epochs=epochs)
    return net.evaluate(x[cut:], y[cut:])["accuracy"]


# --- what it is for ---


@pytest.mark.parametrize("factor", [1e-30, 1e-6, 1 / 1023, 1, 4, 1e6, 1e30])
@pytest.mark.parametrize("offset", [0, -3000])
def test_a_converters_counts_are_learnt_in_any_unit(factor: float, offset: float) -> None:
    x, y = adc()
    assert learnt((x.astype(np.float64) + offset) * factor, y, 8, 12, 4) == 1.0


def test_the_same_counts_as_integers_give_the_same_bits() -> None:
    x, y = adc()
    nets = []
    for same in (x, x.astype(np.int16), x.astype(np.int64), x.astype(np.float64), x.tolist()):
        net = classifier(8, 12, 4)
        net.fit(same, y, epochs=1)
        nets.append(net.image)
    assert len(set(nets)) == 1


def test_mixed_units_are_learnt() -> None:
    x, y = weather()
    assert learnt(x, y, 3, 8, 2) > 0.97


def test_a_regression_on_mixed_units() -> None:
    x, _ = weather()
    target = (x[:, 0] - 20) / 15 + (x[:, 1] - 101325) / 1500 - (x[:, 2] - 0.5) / 0.4
    net = Sequential([Dense(16, "relu"), Dense(1)], input_shape=3)
    net.fit(x[:500], target[:500], epochs=20)
    assert net.evaluate(x[500:], target[500:])["rmse"] < 0.1 * float(np.std(target))


def test_what_the_board_sees_are_the_codes_of_the_reference() -> None:
    x, y = weather()
    net = classifier(3, 8, 2)
    net.fit(x, y)
    t = net.graph.tensors[0]
    assert t.float_border and t.normalization is not None
    codes = reference.quantize(
        reference.normalize(x, t.normalization), t.scale, t.zero_point, t.dtype
    )
    board = byteprop.Model(image.decode(net.image))
    np.testing.assert_array_equal(net.input_bytes_of(x, "x")[0].view(np.int8), codes)
    answers = reference.run(net.graph, [codes])[0]
    y_tensor = net.graph.tensors[net.graph.outputs[0]]
    expected = reference.dequantize(answers, y_tensor.scale, y_tensor.zero_point)
    np.testing.assert_array_equal(net.predict(x), expected)
    np.testing.assert_array_equal(board.predict(x), expected)
    np.testing.assert_array_equal(board.run(x.astype(np.float32)), answers)


def test_a_saved_network_takes_the_same_units(tmp_path: Path) -> None:
    x, y = adc()
    net = classifier(8, 12, 4)
    net.fit(x, y)
    net.save(tmp_path / "net.bpm")
    loaded = byteprop.load(tmp_path / "net.bpm")
    np.testing.assert_array_equal(loaded.predict(x), net.predict(x))
    assert loaded.inputs[0].normalization == net.inputs[0].normalization
    before = loaded.inputs[0].normalization
    loaded.fit(x / 2, y, epochs=1)  # what the file says stays
    assert loaded.inputs[0].normalization == before


# --- what is measured ---


def constants(x: Array, shape: tuple[int, ...] | None = None, **arguments: Any) -> Normalization:
    found = inputs_of_samples(x, x.shape[1:] if shape is None else shape, **arguments)
    assert found.normalization is not None
    return found.normalization


def test_constants_are_round() -> None:
    x, _ = adc()
    found = constants(x)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    unit = 1 / found.mul
    assert np.all(np.frexp(unit)[0] == 0.5)
    assert np.all((unit >= deviation) & (unit / 2 < deviation))
    assert np.all(np.abs(found.sub - mean) <= unit / 128 + 1e-3)
    assert np.all(np.mod(found.sub, unit / 64) == 0)


def test_measuring_does_not_depend_on_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = weather()
    whole = constants(x)
    monkeypatch.setattr("byteprop.training.normalization._VALUES_AT_ONCE", 21)
    assert constants(x) == whole
    assert constants(np.asfortranarray(x)) == whole


def test_a_feature_that_never_changes_has_no_influence() -> None:
    x, y = adc()
    x[:, 3] = 7
    net = classifier(8, 12, 4)
    net.fit(x, y)
    found = net.inputs[0].normalization
    assert found is not None and (found.sub[3], found.mul[3]) == (7, 0)
    moved = x.copy()
    moved[:, 3] = np.linspace(-1e30, 1e30, len(x))
    np.testing.assert_array_equal(net.predict(moved), net.predict(x))


def test_an_outlier_saturates_alone() -> None:
    x, y = weather()
    whole = constants(x)
    x[0, 1] = 1e9  # broken readings
    x[1, 0] = 1e4
    x[2, 0] = 1e12
    np.testing.assert_array_equal(constants(x).mul, whole.mul)
    assert learnt(x, y, 3, 8, 2) > 0.95


def test_rare_values_are_no_outliers() -> None:
    x = np.zeros((1000, 2))
    x[::200, 0] = 1  # all that this feature says
    x[:, 1] = np.exp(noise(1000, 1)[:, 0] / 64.0)
    found = constants(x)
    assert 1 / found.mul[0] >= x[:, 0].std()
    assert 1 / found.mul[1] >= x[:, 1].std()


def test_zeros_stay_zeros_where_the_mean_is_near() -> None:
    x = np.array([[-100.0, 0], [100, 0], [30, 1], [0, 9], [0, -10]])
    assert constants(x).sub.tolist() == [0, 0]


def test_what_is_standard_already_needs_nothing() -> None:
    x = np.array([[-1.0, 1], [1, -1], [0.5, 0.5], [-0.5, -0.5]])
    found = inputs_of_samples(x, (2,))
    assert (found.normalization, found.scale, found.zero_point) == (None, 2**-7, 0)


def test_equal_constants_are_one() -> None:
    x = np.array([[-100.0, 100], [100, -100]])
    assert constants(x) == Normalization(np.float32([0]), np.float32([1 / 128]))


def test_without_variation_a_range_is_all_there_is() -> None:
    for x in (np.array([[3.0, 5.0]]), np.full((4, 2), 3.0)):
        found = inputs_of_samples(x, (2,))
        assert found.normalization is None and "no feature varies" in found.reason
    classifier(2, 2).calibrate(np.full((4, 2), 3.0), [0, 1, 0, 1])


def test_a_line_stays_exact() -> None:
    x, y = line()
    net = Sequential([Dense(1)], input_shape=1)
    net.fit(x, y, epochs=200, schedule="constant")
    assert net.evaluate(x, y)["rmse"] == 0


# --- images stay as they are ---


def test_images_are_not_normalised() -> None:
    x, y = fashion_test_images()
    bytes_of = {}
    for name, images in {
        "uint8": x, "/256": x / 256, "0..255": x.astype(np.float32), "int64": x.astype(np.int64),
        "shape": x.reshape(-1, 28, 28).astype(np.float64),
    }.items():  # fmt: skip
        net = Sequential([Dense(10, "softmax")], input_shape=images.shape[1:])
        net.fit(images[:200], y[:200])
        bytes_of[name] = net.graph.ops[-2].weights.tobytes()  # type: ignore[union-attr]
        found = net.inputs[0].normalization
        assert found in (None, Normalization(np.float32([0]), np.float32([1 / 256])))
        assert (found is None) == (name in ("uint8", "/256"))
        assert "image" in net.inputs_reason or "pixels" in net.inputs_reason
    assert len(set(bytes_of.values())) == 1


def test_few_values_are_no_image() -> None:
    x, y = adc(bits=8)
    assert x.max() <= 255
    assert learnt(x, y, 8, 12, 4) == 1.0
    assert learnt(x / 255, y, 8, 12, 4) == 1.0


def test_bytes_are_pixels_in_any_number() -> None:
    net = classifier(12, 3)
    net.calibrate(*blobs())
    assert net.inputs[0].normalization is None and net.inputs[0].scale == 2**-8


def test_images_are_normalised_on_request() -> None:
    x, _ = fashion_test_images()
    assert inputs_of_samples(x, (784,)).normalization is None
    found = constants(x, normalize=True)
    assert len(found.sub) == 784


# --- declared ---


@pytest.mark.parametrize(
    ("declared", "sub", "mul"),
    [
        ((512, 256), [512], [1 / 256]),
        (([20, 101325, 0.3], [10, 1000, 0]), [20, 101325, 0.3], [0.1, 0.001, 0]),
        (([20, 101325, 0.3], 10), [20, 101325, 0.3], [0.1] * 3),
        (Normalization(np.float32([1]), np.float32([3])), [1], [3]),
    ],
)
def test_declared(declared: Any, sub: list[float], mul: list[float]) -> None:
    net = classifier(3, 4, 2, normalization=declared)
    assert net.built
    assert net.inputs[0].normalization == Normalization(np.float32(sub), np.float32(mul))
    assert (net.inputs[0].scale, net.inputs[0].zero_point) == (2**-5, 0)


@pytest.mark.parametrize("factor", [1 / 1023, 1e-6, 1, 4, 1e6])
def test_a_declared_range_is_learnt(factor: float) -> None:
    x, y = adc()
    assert learnt(x * factor, y, 8, 12, 4, epochs=10, input_range=(0, 1023 * factor)) > 0.97


@pytest.mark.parametrize(
    ("limits", "sub", "mul", "scale"),
    [
        ((0, 1023), 512, 1 / 256, 2**-6),
        ((-100, 100), 0, 1 / 64, 2**-6),
        ((900, 1100), 1000, 1 / 64, 2**-6),
        ((0, 2**-6), 2**-7, 256, 2**-6),
    ],
)
def test_a_range_far_from_1_is_normalised(
    limits: tuple[float, float], sub: float, mul: float, scale: float
) -> None:
    net = classifier(3, 2, input_range=limits)
    assert net.inputs[0].normalization == Normalization(np.float32([sub]), np.float32([mul]))
    assert (net.inputs[0].scale, net.inputs[0].zero_point) == (scale, 0)
    assert "is normalised" in net.inputs_reason
    ends = net.input_bytes_of(np.repeat(np.float32(limits)[:, None], 3, axis=1), "x")[0]
    assert ends.view(np.int8).min() <= -99 and ends.view(np.int8).max() >= 99
    plain = classifier(3, 2, input_range=limits, normalization=False)
    assert plain.inputs[0].normalization is None


def test_ranges_of_images_stay() -> None:
    x, _ = fashion_test_images()
    by_bytes = classifier(784, 10, input_range=(0, 1), seed=1)
    by_reals = classifier(784, 10, input_range=(0, 255), seed=1)
    np.testing.assert_array_equal(by_bytes.predict(x), by_reals.predict(x.astype(np.float64)))
    for limits in ((-10, 10), (0, 1), (-1, 16)):
        assert classifier(784, 10, input_range=limits).inputs[0].normalization is None


def test_declared_for_an_image_has_its_shape() -> None:
    mean = np.arange(4).reshape(2, 2)
    found = inputs_declared((mean, 2), (2, 2)).normalization
    assert found == Normalization(np.float32([0, 1, 2, 3]), np.float32([0.5] * 4))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"normalization": (1, -1)}, "deviations not negative, got \\(1, -1\\)"),
        ({"normalization": ([1, 2], 1)}, "one per feature"),
        ({"normalization": 3}, r"expected \(mean, deviation\)"),
        ({"normalization": (1, 2, 3)}, r"expected \(mean, deviation\)"),
        ({"normalization": ("a", 1)}, r"expected \(mean, deviation\)"),
        ({"normalization": (np.nan, 1)}, "expected finite float32 numbers"),
        ({"normalization": (1e300, 1)}, "expected finite float32 numbers"),
        ({"normalization": (1, 2), "input_range": (0, 1)}, "input_range: expected alone"),
        ({"normalization": True, "input_range": (0, 1)}, "input_range: expected alone"),
    ],
)
def test_declarations_that_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        classifier(3, 2, **arguments)


# --- said, and refused without a trace ---


def test_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = adc()
    net = classifier(8, 12, 4)
    net.fit(x, y, verbose=True)
    assert "inputs: each feature is normalised" in capsys.readouterr().err
    assert f"values are in {x.min():g} .. {x.max():g}" in net.inputs_reason
    found = net.inputs[0].normalization
    assert found is not None
    assert f"normalized: {describe(found)}" in net.summary()
    assert "each of 8 features, (x - sub) * mul" in net.summary()
    assert describe(Normalization(np.float32([2]), np.float32([0.5]))) == "(x - 2) * 0.5"


def test_few_outliers_are_no_warning_but_many_are() -> None:
    x, y = adc()
    net = classifier(8, 12, 4)
    net.fit(x, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.predict(np.concatenate([x, np.full((1, 8), 1e6, np.float32)]))
    with pytest.warns(TrainingWarning, match="x: 80 of 80 values are outside .* after normal"):
        net.predict(np.full((10, 8), 1e6))


@pytest.mark.parametrize(
    "wrong",
    [
        {"y": [0, 1, 9, 0]},
        {"y": [0, 1]},
        {"validation_data": (np.zeros((1, 5)), [0])},
        {"validation_split": 2},
        {"freeze": [77]},
        {"learning_rate": -1},
        {"epochs": 0},
        {"callbacks": [3]},
        {"checkpoint": "/no/such/folder/here/c.ckpt"},
        {"resume": __file__},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_refused_fit_changes_nothing(wrong: dict[str, Any]) -> None:
    x, y = adc()
    net, other = classifier(8, 12, 4, seed=3), classifier(8, 12, 4, seed=3)
    bad = {"x": x[:4], "y": [0, 1, 2, 3], **wrong}
    before = dict(vars(net))
    with pytest.raises((ArgumentError, byteprop.ModelError)):
        net.fit(**bad)
    assert vars(net) == before and not net.built
    net.fit(x, y)
    other.fit(x, y)
    assert net.image == other.image
    kept = net.image
    with pytest.raises((ArgumentError, byteprop.ModelError)):
        net.fit(**bad)
    assert net.image == kept


def test_a_refused_calibration_changes_nothing() -> None:
    net = Sequential([Dense(1)], input_shape=1)
    before = dict(vars(net))
    for x, y in (([[1.0], [2.0]], [1e300, 0]), ([[np.inf]], [1.0])):
        with pytest.raises(ArgumentError):
            net.calibrate(np.array(x), y)
        assert vars(net) == before


def test_weights_are_those_for_the_users_units() -> None:
    x = np.linspace(900, 1100, 41)
    net = Sequential([Dense(1)], input_shape=1)
    net.fit(x, 0.02 * x - 19, epochs=50)
    ((weights, bias),) = net.get_weights()
    assert weights[0, 0] == pytest.approx(0.02, rel=0.01)
    assert 1000 * weights[0, 0] + bias[0] == pytest.approx(1, abs=0.02)
    x, y = weather()
    net = classifier(3, 8, 2)
    net.fit(x, y)
    (w0, b0), (w1, b1) = net.get_weights()
    logits = np.maximum(x @ w0 + b0, 0) @ w1 + b1
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert np.abs(probabilities - net.predict(x)).mean() < 0.02


def test_a_training_is_resumed_with_its_normalization(tmp_path: Path) -> None:
    path = tmp_path / "c"
    x, y = adc()
    whole, first, second = (classifier(8, 12, 4, seed=1) for _ in range(3))
    whole.fit(x, y, epochs=4, schedule="constant")

    class Stop(byteprop.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            self.model.stop_training = epoch == 1

    first.fit(x, y, epochs=4, schedule="constant", checkpoint=path, callbacks=Stop())
    second.fit(x, y, epochs=4, schedule="constant", resume=path)
    assert second.image == whole.image
    with pytest.raises(ArgumentError, match="of another network: .*normalization of input 0"):
        classifier(8, 12, 4, seed=1).fit(x * 2, y, epochs=4, schedule="constant", resume=path)
