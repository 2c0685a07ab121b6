"""Model.fit: what it learns, what it repeats to the bit, what it refuses."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop import Callback, Dense, EarlyStopping, Sequential
from byteprop.engine import _raw_train
from byteprop.errors import ArgumentError, TrainingError, TrainingWarning
from byteprop.model import Model
from byteprop.training.draws import permutation
from byteprop.training.masters import read_masters
from byteprop.training.schedules import Linear, Progress, schedule_of
from training_data import MODELS, Array, blobs, fashion_test_images, line, noise

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def small_net(**arguments: Any) -> Sequential:
    return Sequential([Dense(8, "relu"), Dense(3, "softmax")], input_shape=(12,), **arguments)


def trained(seed: int = 0, **arguments: Any) -> Sequential:
    net = small_net()
    net.fit(*blobs(), seed=seed, **{"epochs": 3, **arguments})
    return net


# Bars.


@pytest.mark.parametrize("seed", range(5))
def test_a_first_neuron_learns_the_line(seed: int) -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-20, 20))
    history = net.fit(*line(2, -1), epochs=500, seed=seed)
    ((weights, bias),) = net.get_weights()
    assert abs(weights[0, 0] - 2) <= 0.0025
    assert abs(bias[0] + 1) <= 0.0077
    assert abs(net.predict(np.array([[10.0]]))[0, 0] - 19) <= 0.0172
    assert history.history["loss"][-1] <= 3.47e-5
    assert history.n_train == 6 and len(history.epoch) == 500


@pytest.mark.parametrize("seed", range(5))
def test_a_line_that_no_power_of_two_holds(seed: int) -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-20, 20))
    net.fit(*line(1.7, -0.3), epochs=500, seed=seed)
    ((weights, bias),) = net.get_weights()
    assert abs(weights[0, 0] - 1.7) <= 0.01
    assert abs(bias[0] + 0.3) <= 0.01
    assert abs(net.predict(np.array([[10.0]]))[0, 0] - 16.7) <= net.outputs[0].scale


def test_classes_are_learned() -> None:
    x, y = blobs()
    net = small_net()
    history = net.fit(x, y, epochs=10)
    assert net.evaluate(x, y)["accuracy"] > 0.95
    assert history.history["loss"][-1] < 0.5 * history.history["loss"][0]
    assert list(history.history) == ["loss", "accuracy", "learning_rate"]
    assert history.counters["samples"] == history.counters["steps"] == 10 * len(x)


def test_a_hidden_layer_learns_what_a_line_cannot() -> None:
    x = np.linspace(-1, 1, 64)[:, np.newaxis]
    y = np.abs(x[:, 0])
    net = Sequential([Dense(16, "relu"), Dense(1)], input_shape=(1,), output_range=(0, 1))
    net.fit(x, y, epochs=200, learning_rate=0.05)
    assert net.evaluate(x, y)["rmse"] < 0.05


# The same bits.


def test_the_same_seed_gives_the_same_image_and_another_does_not() -> None:
    assert trained(3).image == trained(3).image
    assert trained(3).image != trained(4).image


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"shuffle": False},
        {"batch_size": 7},
        {"momentum": 0.75},
        {"rounding": "nearest"},
        {"residual": False},
        {"schedule": "cosine"},
        {"freeze": [0]},
        {"window": 0},
    ],
    ids=" ".join,
)
def test_fit_is_the_trainer_fed_as_documented(arguments: dict[str, Any]) -> None:
    x, y = blobs(100)
    net = small_net()
    net.calibrate(x, y, seed=5)
    config = _raw_train.Config(
        seed=5,
        frozen=1 if "freeze" in arguments else 0,
        batch=arguments.get("batch_size", 1),
        window=arguments.get("window", net.default_window),
        nearest="rounding" in arguments,
        residual=arguments.get("residual", True),
        momentum_shift=2 if "momentum" in arguments else 0,
    )
    schedule = schedule_of(arguments.get("schedule", "linear"))
    # Pixels are bytes moved by the zero point.
    trainer = _raw_train.Trainer(net.image, config)
    for epoch in range(2):
        order = permutation(100, 5, epoch)
        if "shuffle" in arguments:
            order = np.arange(100, dtype=np.uint32)
        rates = schedule.rates(83886, Progress(100 * epoch, 100, 200, 100))
        trainer.run(x ^ np.uint8(128), y.astype(np.uint16), order=order, lr_q24=rates)
        trainer.flush()
    net.fit(x, y, epochs=2, seed=5, learning_rate=0.005, **arguments)
    assert net.image == trainer.image


def test_the_masters_are_those_of_the_state() -> None:
    x, y = blobs(60)
    net = small_net(input_range=(0, 1))
    trainer = _raw_train.Trainer(net.image, _raw_train.Config(seed=0, window=net.default_window))
    rates = Linear().rates(83886, Progress(0, 60, 60, 60))
    trainer.run(x ^ np.uint8(128), y.astype(np.uint16), lr_q24=rates)
    net.fit(x, y, learning_rate=0.005, shuffle=False)
    masters = read_masters(net.graph, trainer.config, trainer.state)
    assert net.image == trainer.image
    for (weights, bias), layer, op in zip(net.get_weights(), masters, net.graph.ops, strict=False):
        s_w = float(op.weight_scales[0])  # type: ignore[union-attr]
        s_x = float(net.graph.tensors[op.input].scale)
        wide = 256 * op.weights.astype(int) + layer.residual  # type: ignore[union-attr]
        assert np.array_equal(weights, wide.T * s_w / 256)
        assert np.array_equal(bias, layer.bias * (s_x * s_w / 256))


def test_a_second_fit_goes_on_with_the_residuals() -> None:
    net = trained()
    before = net.get_weights()
    x, y = blobs()
    # A rate of 2^-24 changes next to nothing: what was learned beyond int8 must still be there.
    net.fit(x[:1], y[:1], learning_rate=2**-24, rounding="nearest")
    for (w0, b0), (w1, b1) in zip(before, net.get_weights(), strict=True):
        assert np.abs(w0 - w1).max() < 1e-6
        assert np.abs(b0 - b1).max() < 1e-3
        assert (np.abs(w0) > 0).any()


def test_learning_rates_told_are_those_of_the_last_samples() -> None:
    history = small_net().fit(*blobs(50), epochs=2, learning_rate=0.01)
    rates = Linear().rates(167772, Progress(0, 100, 100, 50)) / 2**24
    assert history.history["learning_rate"] == [rates[49], rates[99]]


@pytest.mark.parametrize(
    ("arguments", "rate"),
    [
        ({}, 0.005),
        ({"batch_size": 4}, 0.02),
        ({"batch_size": 50}, 0.16),
        ({"batch_size": 4, "momentum": 0.75}, 0.005),
    ],
)
def test_default_rates_of_classes(arguments: dict[str, Any], rate: float) -> None:
    history = small_net().fit(*blobs(60), schedule="constant", **arguments)
    assert history.history["learning_rate"] == [round(rate * 2**24) / 2**24]


@pytest.mark.parametrize(("size", "rate"), [(1.0, 0.01), (100.0, 0.5 / 10001)])
def test_default_rates_of_a_regression_fall_where_inputs_are_large(
    size: float, rate: float
) -> None:
    net = Sequential(
        [Dense(1)], 1, input_range=(-size, 0), output_range=(-1, 1), normalization=False
    )
    history = net.fit(np.array([[0.0], [-size]]), np.array([0.0, 1.0]), schedule="constant")
    assert history.history["learning_rate"] == [pytest.approx(rate, rel=2**-17)]


# Models from files.


def default_rate(model: Model, x: Any, y: Any, **arguments: Any) -> float:
    history = model.fit(x, y, epochs=1, schedule="constant", **arguments)
    return float(history.history["learning_rate"][0])


def test_several_layers_of_a_file_begin_at_the_rate_of_its_last_one() -> None:
    """Whatever the first of them reads, unless that is large."""
    x, y = fashion_test_images()
    cnn, mlp = (EXAMPLES / f"fashion_mnist/fashion_{kind}.tflite" for kind in ("cnn", "mlp"))
    for path, choices in ((cnn, ("last", "last:2", "last:3")), (mlp, ("last", "last:2"))):
        models = [byteprop.load(path) for _ in choices]
        pixels = x[:40].reshape(40, *models[0].inputs[0].shape[1:])
        rates = [
            default_rate(model, pixels, y[:40], train=train)
            for model, train in zip(models, choices, strict=True)
        ]
        assert 0.01 < rates[0] < 0.02 and rates == [rates[0]] * len(rates)
    layers = [Dense(4, "relu"), Dense(3, "softmax")]
    large = Model(Sequential(layers, 12, input_range=(0, 64), normalization=False).graph)
    assert default_rate(large, np.full((9, 12), 50.0), np.arange(9) % 3) == pytest.approx(
        3 / (12 * 50**2), rel=0.01
    )


def test_a_head_of_a_file_begins_at_002_at_most_as_its_weights_may_not_grow() -> None:
    net = small_net(input_range=(-1, 1))
    x, y = blobs(60)
    for model, rate in ((net, 0.1), (Model(net.graph), 0.02)):
        assert default_rate(model, x / 100, y, train="last") == pytest.approx(rate, rel=1e-4)


@pytest.mark.parametrize(("hidden", "rate"), [(0, 0.01), (1, 0.003), (2, 0.0015)])
def test_real_targets_of_a_file_are_learned_slowly_by_hidden_layers(
    hidden: int, rate: float
) -> None:
    layers = [Dense(4, "relu")] * hidden + [Dense(1)]
    ranges: dict[str, Any] = {"input_range": (-1, 1), "output_range": (-1, 1)}
    net = Sequential(layers, 1, **ranges)
    x, y = np.array([[-0.5], [0.5]]), np.array([0.0, 1.0])
    assert default_rate(Model(net.graph), x, y) == pytest.approx(rate, rel=1e-4)
    assert default_rate(net, x, y) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize(
    "name", ["fashion_mlp_perchannel", "fashion_mlp_pertensor", "fashion_mlp_floatio"]
)
def test_fine_tuning_with_the_scales_of_the_file(name: str) -> None:
    x, y = fashion_test_images()
    model = byteprop.load(MODELS / f"{name}.tflite")
    x = x.reshape(-1, *model.inputs[0].shape[1:])
    scales = [t.scale for t in model.graph.tensors]
    before = model.evaluate(x, y)
    history = model.fit(x, y, epochs=3)
    after = model.evaluate(x, y)
    assert after["accuracy"] > before["accuracy"] + 0.02
    assert after["loss"] < before["loss"]
    assert [t.scale for t in model.graph.tensors] == scales
    assert history.counters["rescales"] == 0


@pytest.mark.parametrize("freeze", [[0], ["dense"], 0, "dense"])
def test_frozen_layers_stay(freeze: Any) -> None:
    x, y = blobs()
    net = small_net(input_range=(0, 1))
    before = [op.weights.copy() for op in net.graph.ops[:2]]  # type: ignore[union-attr]
    net.fit(x, y, epochs=2, freeze=freeze, window=0)
    assert np.array_equal(net.graph.ops[0].weights, before[0])  # type: ignore[union-attr]
    assert not np.array_equal(net.graph.ops[1].weights, before[1])  # type: ignore[union-attr]


# Validation, callbacks, early stopping.


def test_validation_data_and_split() -> None:
    x, y = blobs(100)
    history = small_net().fit(x, y, epochs=2, validation_data=(x, y))
    assert len(history.history["val_accuracy"]) == 2
    assert (history.n_train, history.n_validation) == (100, 100)
    split = small_net().fit(x, y, epochs=2, validation_split=0.25)
    assert (split.n_train, split.n_validation) == (75, 25)
    with pytest.raises(ArgumentError, match="no validation_data"):
        small_net().fit(x, y, validation_data=(x, y), validation_split=0.5)
    for wrong in (1.0, -0.1, 0.001):
        with pytest.raises(ArgumentError, match="validation_split"):
            small_net().fit(x, y, validation_split=wrong)


def test_validation_figures_are_those_of_the_model() -> None:
    x, y = blobs(100)
    net = small_net()
    history = net.fit(x, y, epochs=2, validation_data=(x, y))
    figures = net.evaluate(x, y)
    assert history.history["val_accuracy"][-1] == figures["accuracy"]
    assert math.isclose(history.history["val_loss"][-1], figures["loss"], rel_tol=1e-12)


def test_validation_changes_no_bit() -> None:
    x, y = blobs()
    watched = small_net()
    watched.fit(x, y, epochs=3, validation_data=(x, y), callbacks=Callback())
    assert watched.image == trained().image


class Recorder(Callback):
    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.images: list[bytes] = []

    def on_train_begin(self) -> None:
        self.calls.append("begin")

    def on_epoch_begin(self, epoch: int) -> None:
        self.calls.append(("epoch", epoch))

    def on_progress(self, position: Any, logs: Any) -> None:
        self.last = position, dict(logs)

    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        self.calls.append(("end", epoch, sorted(logs)))
        self.images.append(self.model.image)

    def on_train_end(self) -> None:
        self.calls.append("finished")


def test_callbacks_are_called_in_order_and_see_the_model() -> None:
    recorder = Recorder()
    net = trained(callbacks=[recorder], epochs=2)
    figures = ["accuracy", "learning_rate", "loss"]
    assert recorder.calls == [
        "begin", ("epoch", 0), ("end", 0, figures), ("epoch", 1), ("end", 1, figures), "finished",
    ]  # fmt: skip
    position, logs = recorder.last
    assert (position.epoch, position.sample, position.samples) == (1, 300, 300)
    assert set(logs) == {"loss", "accuracy"}
    assert recorder.images[1] == net.image != recorder.images[0]


class StopAfterOne(Callback):
    def on_epoch_end(self, epoch: int, logs: Any) -> None:
        self.model.stop_training = True


def test_a_callback_ends_training() -> None:
    net = small_net()
    history = net.fit(*blobs(), epochs=5, callbacks=[StopAfterOne()])
    assert len(history.epoch) == 1 and history.stopped_early
    assert len(net.fit(*blobs(), epochs=2).epoch) == 2


def test_early_stopping_brings_back_the_best_epoch() -> None:
    x, y = blobs()
    held = noise(60, 12, seed=9), np.arange(60) % 3  # nothing to be learned of these
    stopping = EarlyStopping("val_loss", patience=2)
    recorder = Recorder()
    net = small_net()
    history = net.fit(
        x, y, epochs=30, validation_data=held, callbacks=[recorder], early_stopping=stopping
    )
    losses = history.history["val_loss"]
    assert history.stopped_early and len(losses) < 30
    assert stopping.best_epoch == losses.index(min(losses)) == len(losses) - 3
    assert net.image == recorder.images[stopping.best_epoch]
    patient = small_net().fit(x, y, epochs=30, validation_data=held, early_stopping=2)
    assert patient.history["val_loss"] == losses


def test_early_stopping_on_what_is_not_measured() -> None:
    with pytest.raises(ArgumentError, match="'val_loss' is not measured; there is loss"):
        small_net().fit(*blobs(), epochs=2, early_stopping=EarlyStopping("val_loss"))


class Interrupt(Callback):
    def on_progress(self, position: Any, logs: Any) -> None:
        if position.epoch == 1:
            raise KeyboardInterrupt


def test_an_interrupt_leaves_what_was_learned_so_far() -> None:
    x, y = blobs()
    net = small_net()
    with pytest.raises(KeyboardInterrupt):
        net.fit(x, y, epochs=5, callbacks=[Interrupt()])
    assert byteprop.load(net.image).image == net.image
    assert net.evaluate(x, y)["accuracy"] > 0.5
    net.fit(x, y)


def test_runs_from_another_thread_see_whole_models() -> None:
    x, y = blobs()
    q = (x[:1] ^ np.uint8(128)).view(np.int8)
    recorder = Recorder()
    net = small_net(input_range=(0, 1))
    seen, done = set(), threading.Event()

    def watch() -> None:
        while not done.is_set():
            seen.add(net.run(q).tobytes())

    before = net.image
    thread = threading.Thread(target=watch)
    thread.start()
    net.fit(x, y, epochs=30, callbacks=recorder)
    done.set()
    thread.join()
    allowed = {byteprop.load(m).run(q).tobytes() for m in (before, *recorder.images)}
    assert seen <= allowed and seen


# What is refused.


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.zeros((0, 12)), np.zeros(0), "at least 1|at least one"),
        (np.zeros((4, 11)), np.zeros(4), r"expected shape \(N, 12\)"),
        (np.full((4, 12), np.nan), np.zeros(4), "finite numbers, got nan at position"),
        (np.array([[0.0] * 11 + [np.inf]]), np.zeros(1), r"inf at position \(0, 11\)"),
        (np.array([["a"] * 12]), np.zeros(1), "real numbers"),
        (np.zeros((4, 12)), np.zeros(3), "one per sample, 4, got 3"),
        (np.zeros((4, 12)), np.array([0, 1, 2, 3]), r"0\.\.2, got 3 at position 3"),
        (np.zeros((4, 12)), np.array([0, -1, 2, 0]), r"0\.\.2, got -1 at position 1"),
        (np.zeros((4, 12)), np.array([0, 0.5, 2, 0]), "expected integers as labels, got 0.5"),
        (np.zeros((4, 12)), np.array([0, np.nan, 2, 0]), "expected integers as labels, got nan"),
        (np.zeros((4, 12)), np.eye(4)[:, :3], r"with \[0.0, 0.0, 0.0\] at position 3"),
        (np.zeros((4, 12)), np.eye(4), r"rows \(N, 3\) with one 1 and else 0, got \(4, 4\)$"),
        (np.zeros((4, 12)), np.array(["a"] * 4), "expected 3 different labels, .*, got 1: a=0"),
    ],
)
def test_data_that_does_not_fit(x: Array, y: Array, words: str) -> None:
    net = small_net()
    with pytest.raises(ArgumentError, match=words):
        net.fit(x, y)
    declared = small_net(input_range=(0, 1))
    image = declared.image
    with pytest.raises(ArgumentError, match=words):
        declared.fit(x, y)
    assert declared.image == image


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"epochs": 0}, r"epochs: expected 1\.\."),
        ({"epochs": 1.5}, "epochs: expected an integer"),
        ({"batch_size": 0}, r"batch_size: expected 1\.\.65535"),
        ({"batch_size": 65536}, r"batch_size: expected 1\.\.65535"),
        ({"learning_rate": 1e-20}, "rounded to 0"),
        ({"learning_rate": 200}, "below 128"),
        ({"schedule": "sine"}, "schedule"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**32}, "seed"),
        ({"rounding": "down"}, "stochastic or nearest"),
        ({"momentum": 0.9}, "0.875"),
        ({"momentum": 1.0}, "0.875"),
        ({"freeze": [2]}, r"0 'dense', 1 'dense_1'\), got 2"),
        ({"freeze": ["conv"]}, "got 'conv'"),
        ({"freeze": [0, 1]}, "all layers are frozen"),
        ({"callbacks": [3]}, "callbacks"),
        ({"momentum": "a"}, "0.875"),
        ({"validation_split": "a"}, "validation_split: expected 0 <="),
        ({"early_stopping": True}, "expected a number of epochs"),
        ({"early_stopping": "val_loss"}, "expected a number of epochs"),
        ({"checkpoint": "no/such/folder/a.bpc"}, "checkpoint: .*a.bpc.* there is no folder"),
        ({"validation_data": 3}, "validation_data"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
    ],
)
def test_arguments_that_do_not_fit(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        small_net().fit(*blobs(30), **arguments)


class Sine:
    """A schedule that gives no rates."""

    def rates(self, rate_q24: int, progress: Progress) -> Any:
        return np.zeros(progress.n)


class Refuses(Callback):
    def on_train_begin(self) -> None:
        raise ArgumentError("on_train_begin: not today")


@pytest.mark.parametrize(
    "arguments",
    [
        {"epochs": 0},
        {"freeze": [9]},
        {"schedule": Sine()},
        {"checkpoint": "no/such/folder/c"},
        {"checkpoint": "."},
        {"resume": "no/such/checkpoint"},
        {"early_stopping": EarlyStopping("val_loss")},
        {"callbacks": Refuses()},
        {"callbacks": 3},
        {"validation_data": (np.zeros((2, 3)), np.zeros(2))},
        {"window": 9},
        {"y": np.full(30, 10)},
        {"x": np.zeros((30, 5))},
        {"x": np.full((30, 12), np.nan)},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("was_trained", [False, True])
def test_a_refused_fit_changes_nothing(arguments: dict[str, Any], was_trained: bool) -> None:
    net = byteprop.load(MODELS / "digits_mlp.tflite")
    draw = np.random.default_rng(1)
    x = draw.random((30, 64))
    data = {"x": x, "y": net.predict(x).argmax(axis=1), "learning_rate": 1e-4}
    if was_trained:
        net.fit(**data)
    net.stop_training = True
    image, masters, run = net.image, net.masters, net.run_in_progress
    history = None if run is None else dict(run.history.history)
    with pytest.raises((ArgumentError, TrainingError, OSError)):
        net.fit(**(data | arguments))
    assert net.image is image and net.masters is masters
    assert net.run_in_progress is run or isinstance(arguments.get("callbacks"), Refuses)
    assert history is None or run is None or run.history.history == history
    again = byteprop.load(MODELS / "digits_mlp.tflite")
    if was_trained:
        again.fit(**data)
    assert net.fit(**data).history == again.fit(**data).history
    assert net.image == again.image


@pytest.mark.parametrize("arguments", [{"epochs": 0}, {"y": np.full(30, 3)}, {"freeze": [9]}])
def test_a_refused_fit_leaves_a_network_without_scales(arguments: dict[str, Any]) -> None:
    """Its range is that of the data that are trained on, not of those that were refused."""
    x, y = blobs(30)
    net, other = small_net(), small_net()
    with pytest.raises(ArgumentError):
        net.fit(**{"x": 9 * x.astype(float), "y": y, **arguments})
    assert not net.built
    net.fit(x, y)
    other.fit(x, y)
    assert net.image == other.image


def test_none_stands_for_no_callbacks_and_no_frozen_layers() -> None:
    nets = [small_net() for _ in range(2)]
    nets[0].fit(*blobs(30))
    nets[1].fit(*blobs(30), callbacks=None, freeze=None)
    assert nets[0].image == nets[1].image


def test_targets_that_do_not_fit() -> None:
    net = Sequential([Dense(2)], input_shape=(1,), input_range=(-1, 1), output_range=(-1, 1))
    x = np.zeros((3, 1))
    with pytest.raises(ArgumentError, match=r"expected shape \(N, 2\), got \(3,\)"):
        net.fit(x, np.zeros(3))
    with pytest.raises(ArgumentError, match=r"got nan at position \(1, 0\)"):
        net.fit(x, np.array([[0, 0], [np.nan, 0], [0, 0]]))


def test_values_outside_the_range_are_told_once_with_their_number() -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-1, 1), output_range=(-1, 1))
    x, y = line()
    with pytest.warns(TrainingWarning) as told:
        net.fit(x, y, learning_rate=0.001)
    words = [str(w.message) for w in told if "Diverged" not in str(w.message)]
    assert len(words) == 2
    assert words[0].startswith("x: 3 of 6 values are outside -1 .. 0.992188")
    assert words[1].startswith("y: 4 of 6 values are outside")


def one_op_model(make: Callable[[Any], Any]) -> Model:
    from random_graphs import Builder

    b = Builder()
    x, y = b.tensor((1, 4)), b.tensor((1, 4))
    b.add(make((x, y)))
    return Model(b.graph((x,), (y,)))


def test_networks_that_cannot_be_trained_name_the_layer() -> None:
    from byteprop import graph, ops

    weights = np.ones((4, 4), np.int8)
    bias, scales = np.zeros(4, np.int32), np.ones(1, np.float32)
    active = one_op_model(lambda t: ops.Dense(*t, weights, bias, scales, graph.Activation.RELU))
    with pytest.raises(TrainingError, match="layer 0 Dense 't1': the last dense layer has the act"):
        active.fit(np.zeros((2, 4)), np.zeros((2, 4)))
    bare = one_op_model(lambda t: ops.Rescale(*t))
    with pytest.raises(TrainingError, match="no dense layer"):
        bare.fit(np.zeros((2, 4)), np.zeros((2, 4)))


def test_a_window_wants_scales_that_can_move() -> None:
    model = byteprop.load(MODELS / "fashion_mlp_perchannel.tflite")
    x, y = fashion_test_images()
    with pytest.raises(TrainingError, match="window"):
        model.fit(x.reshape(-1, 28, 28), y, window=10)


def test_diverging_training_is_told() -> None:
    x, y = blobs()
    net = small_net()
    with pytest.warns(TrainingWarning, match="Diverged"):
        history = net.fit(x, y, epochs=3, learning_rate=30.0, schedule="constant")
    assert history.diverged
    assert "lower learning rate" in history.verdict


def test_a_regression_that_ran_into_its_limits_is_told_in_the_callers_line() -> None:
    x = noise(200, 8) / 25.6
    net = Sequential([Dense(1)], input_shape=8, input_range=(0, 10))
    with pytest.warns(TrainingWarning, match="Diverged") as warned:
        history = net.fit(x, x[:, 0] / 10, epochs=5, learning_rate=1.0)
    # It fell from still higher: no reason to call it learning.
    assert history.history["loss"][-1] < history.history["loss"][0] / 2
    assert history.diverged and history.counters["saturated_weights"] > 0
    assert {w.filename for w in warned} == {__file__}


def test_a_diverging_regression_is_told() -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-20, 20))
    with pytest.warns(TrainingWarning, match="Diverged"):
        history = net.fit(*line(), epochs=10, learning_rate=1.0, schedule="constant")
    assert history.diverged


def test_sound_training_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trained()


def waves(n: int) -> npt.NDArray[np.float32]:
    rng = np.random.default_rng(3)
    at = rng.uniform(0, 6, (n, 1)) + np.arange(8) / 2
    return (40 * np.sin(at) + rng.normal(0, 1, (n, 8))).astype(np.float32)


def autoencoder() -> Sequential:
    return Sequential([Dense(6, "relu"), Dense(8)], input_shape=8, seed=1)


def test_an_autoencoder_learns_its_inputs() -> None:
    x = waves(300)
    net = autoencoder()
    history = net.fit(x, epochs=8, validation_split=0.2, seed=2)
    assert history.history["val_loss"][-1] < 0.3 * history.history["val_loss"][0]
    assert float(net.graph.tensors[net.graph.outputs[0]].scale) == float(net.inputs[0].scale)


def test_an_autoencoder_is_trained_as_on_its_own_input() -> None:
    """The targets of equal scales are whole steps, so both ways give the same bits."""
    x = waves(120)
    alone, given = autoencoder(), autoencoder()
    alone.calibrate(x)
    given.calibrate(x)
    source, target = given.inputs[0], given.graph.tensors[given.graph.outputs[0]]
    assert source.scale == target.scale and source.zero_point == target.zero_point == 0
    alone.fit(x, epochs=2, learning_rate=0.003)
    given.fit(x, given.input_bytes_of(x, "x")[0].view(np.int8) * float(source.scale), epochs=2,
              learning_rate=0.003)  # fmt: skip
    assert alone.image == given.image


def test_only_autoencoders_have_no_y() -> None:
    x, _ = blobs(30)
    with pytest.raises(ArgumentError, match="as many outputs as inputs"):
        small_net().fit(x)
    with pytest.raises(ArgumentError, match="target values"):
        Sequential([Dense(3)], input_shape=8).fit(waves(20))
