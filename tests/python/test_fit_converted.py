"""Models as converters write them are trained: layers without bias, uint8 inputs and outputs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tflite

import byteprop
from byteprop.errors import TrainingError
from byteprop.ops import Dense
from byteprop.reference.training import Config, ReferenceTrainer
from byteprop.tflite.file import options_of
from byteprop_host.cli import main
from tflite_builder import INT8, INT32, UINT8, ModelBuilder
from training_case import check_same_graph
from training_data import blobs

SIZES = (12, 8, 3)


def classifier(
    *,
    without_bias: tuple[int, ...] = (),
    uint8: bool = False,
    beta: float = 1.0,
    softmax: bool = True,
) -> bytes:
    """12-8-3 with inputs 0 .. 255/256. uint8: a QUANTIZE first and last."""
    rng = np.random.default_rng(5)
    made = ModelBuilder()
    first = made.tensor(
        (1, 12), UINT8 if uint8 else INT8, scale=1 / 256, name="x", zero_point=0 if uint8 else -128
    )
    last = first
    if uint8:
        last = made.tensor((1, 12), scale=1 / 256, zero_point=-128, name="q")
        made.op(tflite.BuiltinOperator.QUANTIZE, [first], [last], version=2)
    x_scale = 1 / 256
    for number, (n_in, n_out) in enumerate(pairwise(SIZES)):
        is_last = number == len(SIZES) - 2
        weights = made.tensor(
            (n_out, n_in),
            scale=0.02,
            name=f"w{number}",
            data=rng.integers(-40, 41, (n_out, n_in)).astype(np.int8),
        )
        inputs = [last, weights]
        if number not in without_bias:
            inputs.append(
                made.tensor(
                    (n_out,),
                    INT32,
                    scale=np.float32(x_scale) * np.float32(0.02),
                    data=np.arange(n_out, dtype=np.int32),
                )
            )
        x_scale = 0.1 if is_last else 0.02
        last = made.tensor(
            (1, n_out), scale=x_scale, zero_point=0 if is_last else -128, name=f"dense{number}"
        )
        activation = tflite.ActivationFunctionType.NONE if is_last else 1
        made.op(
            tflite.BuiltinOperator.FULLY_CONNECTED,
            inputs,
            [last],
            version=4 if len(inputs) == 3 else 6,
            options=options_of("FullyConnected", FusedActivationFunction=activation),
        )
    if softmax:
        p = made.tensor((1, 3), scale=1 / 256, zero_point=-128, name="softmax")
        made.op(
            tflite.BuiltinOperator.SOFTMAX,
            [last],
            [p],
            version=2,
            options=options_of("Softmax", Beta=beta),
        )
        last = p
    if uint8:
        scale, zero_point = (1 / 256, 0) if softmax else (0.1, 128)
        y = made.tensor((1, 3), UINT8, scale=scale, zero_point=zero_point, name="bytes")
        made.op(tflite.BuiltinOperator.QUANTIZE, [last], [y], version=2)
        last = y
    return made.build([first], [last])


def dense(model: byteprop.Model) -> list[Dense]:
    return [op for op in model.graph.ops if isinstance(op, Dense)]


WITHOUT = [(0,), (1,), (0, 1)]


@pytest.mark.parametrize("without_bias", WITHOUT, ids=str)
@pytest.mark.parametrize("uint8", [False, True])
def test_they_learn_as_the_reference_does(without_bias: tuple[int, ...], uint8: bool) -> None:
    x, y = blobs(60)
    model = byteprop.load(classifier(without_bias=without_bias, uint8=uint8))
    twin = ReferenceTrainer(model.graph, Config(seed=3))
    before = model.evaluate(x / 256, y)["loss"]
    run = model.fit(
        x / 256, y, epochs=2, seed=3, shuffle=False, learning_rate=0.01, schedule="constant"
    )
    rate = round(0.01 * 2**24)
    codes = x if uint8 else (x ^ 0x80).view(np.int8)
    for _ in range(2):
        for row, label in zip(codes, y, strict=True):
            twin.sample(row, int(label), rate)
    check_same_graph(model.graph, twin.graph)
    assert all(op.has_bias and op.bias.any() for op in dense(model))
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert model.evaluate(x / 256, y)["loss"] < before


@pytest.mark.parametrize("without_bias", WITHOUT, ids=str)
@pytest.mark.parametrize("uint8", [False, True])
def test_the_saved_file_has_biases_and_gives_the_same_bytes(
    tmp_path: Path, without_bias: tuple[int, ...], uint8: bool
) -> None:
    x, y = blobs(60)
    model = byteprop.load(classifier(without_bias=without_bias, uint8=uint8))
    model.fit(x / 256, y)
    for suffix in (".tflite", ".bpm"):
        model.save(tmp_path / f"net{suffix}")
        again = byteprop.load(tmp_path / f"net{suffix}")
        check_same_graph(again.graph, model.graph)
        np.testing.assert_array_equal(again.predict(x / 256), model.predict(x / 256))


def test_a_frozen_layer_without_bias_stays_without() -> None:
    model = byteprop.load(classifier(without_bias=(0, 1)))
    weights = dense(model)[0].weights.copy()
    model.fit(*blobs(30), freeze=0)
    first, last = dense(model)
    assert not first.has_bias and not first.bias.any()
    np.testing.assert_array_equal(first.weights, weights)
    assert last.has_bias and last.bias.any()


def test_training_goes_on_from_a_checkpoint(tmp_path: Path) -> None:
    x, y = blobs(60)

    class Keep(byteprop.Callback):
        def on_epoch_end(self, epoch: int, logs: Any) -> None:
            if epoch == 0:
                self.model.save_checkpoint(tmp_path / "c")

    whole, resumed = (byteprop.load(classifier(without_bias=(0,))) for _ in range(2))
    whole.fit(x, y, epochs=3, callbacks=Keep())
    resumed.fit(x, y, epochs=3, resume=tmp_path / "c")
    assert resumed.image == whole.image


@pytest.mark.parametrize("uint8", [False, True])
def test_a_board_learns_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], uint8: bool
) -> None:
    (tmp_path / "net.tflite").write_bytes(classifier(without_bias=(1,), uint8=uint8))
    x, y = blobs(60)
    np.savez(tmp_path / "data.npz", x=x / 256, y=y)
    saved = tmp_path / "out.tflite"
    code = main(
        [
            "train",
            "--model",
            str(tmp_path / "net.tflite"),
            "--data",
            str(tmp_path / "data.npz"),
            "--epochs",
            "2",
            "--no-report",
            "--save",
            str(saved),
            "--quiet",
        ]
    )
    assert code == 0, capsys.readouterr()
    twin = byteprop.load(classifier(without_bias=(1,), uint8=uint8))
    twin.fit(x / 256, y, epochs=2)
    check_same_graph(byteprop.load(saved).graph, twin.graph)


def test_a_regression_with_uint8_outputs_learns() -> None:
    """The loss is taken before the last QUANTIZE, in the steps of the dense layer's output."""
    x, _ = blobs(60)
    target = np.stack([x[:, :4].mean(axis=1), x[:, 4:8].mean(axis=1), x[:, 8:].mean(axis=1)], 1)
    target = target / 256
    model = byteprop.load(classifier(uint8=True, softmax=False))
    before = model.evaluate(x / 256, target)["rmse"]
    history = model.fit(x / 256, target, epochs=30, validation_data=(x / 256, target))
    after = model.evaluate(x / 256, target)["rmse"]
    assert after < before / 3 and after < 2 * 0.1
    assert history.history["val_rmse"][-1] == pytest.approx(after, rel=1e-6)


def test_what_is_in_the_way_is_named() -> None:
    model = byteprop.load(classifier(uint8=True, beta=0.5))
    with pytest.raises(TrainingError, match="layer 3 Softmax 'softmax'") as caught:
        model.fit(*blobs(9))
    assert caught.value.op == 3
