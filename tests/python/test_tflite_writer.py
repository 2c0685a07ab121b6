"""Saved .tflite files: read back to the same graph, run by TensorFlow Lite to the same bytes."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import builtin_ref
import byteprop
from byteprop import Dense, Sequential, ops
from byteprop.errors import ModelError
from byteprop.exporter import write_tflite
from byteprop.graph import Activation, DType, Graph
from byteprop.importer import graph_of_file, load_tflite
from byteprop.model import Model
from byteprop.ops.push import Push
from random_graphs import (
    graph_of_elementwise_ops,
    graph_of_every_op,
    small_graph,
)
from random_networks import networks, random_network, samples
from training_data import MODELS, blobs, fashion_test_images, line

Array = npt.NDArray[Any]


def assert_same(a: Graph, b: Graph) -> None:
    assert (a.tensors, a.inputs, a.outputs) == (b.tensors, b.inputs, b.outputs)
    assert [type(op) for op in a.ops] == [type(op) for op in b.ops]
    for x, y in zip(a.ops, b.ops, strict=True):
        for field in fields(x):
            left, right = getattr(x, field.name), getattr(y, field.name)
            assert np.array_equal(left, right) and np.asarray(left).dtype == np.asarray(right).dtype


def fusable(made: Graph) -> bool:
    """Whether no op has the one activation that the file format cannot fuse."""
    fused = (op for op in made.ops if not isinstance(op, ops.Rescale))
    return not any(getattr(op, "activation", None) is Activation.RELU_0_TO_1 for op in fused)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.tflite")), ids=lambda p: p.stem)
def test_models_of_converters(path: Path) -> None:
    made = load_tflite(path.read_bytes())
    written = write_tflite(made)
    assert_same(load_tflite(written), made)
    vectors = np.load(path.with_suffix(".vectors.npz"))
    assert np.array_equal(builtin_ref.run(written, [vectors["x"]])[0], vectors["y"])


@pytest.mark.parametrize("make", [small_graph, graph_of_every_op, graph_of_elementwise_ops])
def test_small_graphs(make: Any) -> None:
    assert_same(load_tflite(write_tflite(make())), make())


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_a_file_that_was_read_is_written_as_it_was(seed: int) -> None:
    """What a file makes of moves that move nothing, it does once. Not of variables: their values
    are copied."""
    drawn = random_network(seed)
    assume(not any(isinstance(op, Push) for op in drawn.ops))
    made = graph_of_file(write_tflite(drawn))
    assert_same(graph_of_file(write_tflite(made)), made)


@given(made=networks(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_networks_come_back_with_the_same_answers(made: Graph, seed: int) -> None:
    assume(fusable(made))
    inputs = samples(made, seed, 2)
    for again in (load_tflite(write_tflite(made)), graph_of_file(write_tflite(made))):
        for a, b in zip(_run(made, inputs), _run(again, inputs), strict=True):
            assert a.dtype == b.dtype and np.array_equal(a, b)


def _run(made: Graph, inputs: list[Any]) -> tuple[Array, ...]:
    answer = Model(made).run(inputs if len(inputs) > 1 else inputs[0], steps=True)
    return answer if isinstance(answer, tuple) else (answer,)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("border", [False, True], ids=["integers", "float32"])
@pytest.mark.parametrize("input_type", [DType.INT8, DType.UINT8], ids=lambda t: t.name.lower())
def test_tensorflow_lite_answers_the_same_bytes(seed: int, border: bool, input_type: DType) -> None:
    """Dense layers per tensor and per channel, with and without bias, of every activation."""
    rng = np.random.default_rng(seed)
    made = _network(rng, border, input_type)
    written = write_tflite(made)
    x: Array = samples(made, seed, 40)[0]
    if border:
        x = (rng.normal(size=x.shape) * 20).astype(np.float32)
    wanted = builtin_ref.run(written, [x])[0]
    answer = byteprop.load(written).run(x)
    assert answer.dtype == wanted.dtype
    assert answer.tobytes() == wanted.tobytes() == Model(made).run(x).tobytes()


def _network(rng: np.random.Generator, border: bool, input_type: DType) -> Graph:
    from random_graphs import Builder

    b = Builder()
    low = 0 if input_type is DType.UINT8 else -128
    x = b.tensor((1, 3, 4), 0.3, low + int(rng.integers(256)), input_type, float_border=border)
    inner = b.tensor((1, 3, 4), 0.25, int(rng.integers(-128, 128)))
    b.add(ops.Rescale(x, inner))
    flat = b.tensor((1, 12), 0.25, b.tensors[inner].zero_point)
    b.add(ops.Reshape(inner, flat))
    last = flat
    for n_out in (7, 5):
        y = b.tensor((1, n_out), float(rng.uniform(0.1, 2)), int(rng.integers(-128, 128)))
        n_in = b.tensors[last].elems
        has_bias = bool(rng.integers(2))
        n_scales = (1, n_out)[int(rng.integers(2))]
        b.add(
            ops.Dense(
                last, y,
                weights=rng.integers(-127, 128, (n_out, n_in)).astype(np.int8),
                bias=(rng.integers(-9000, 9000, n_out) * has_bias).astype(np.int32),
                weight_scales=rng.uniform(0.001, 0.02, n_scales).astype(np.float32),
                activation=Activation(int(rng.integers(4))),
                has_bias=has_bias,
            )
        )  # fmt: skip
        last = y
    p = b.tensor((1, 5), 1 / 256, -128, float_border=border)
    b.add(ops.Softmax(last, p))
    return b.graph((x,), (p,))


def test_trained_networks_run_in_tensorflow_lite(tmp_path: Path) -> None:
    x, y = blobs()
    net = Sequential([Dense(8, "relu"), Dense(3, "softmax")], input_shape=(12,))
    net.fit(x, y, epochs=3)
    path = tmp_path / "net.tflite"
    net.save(path)
    q = (x ^ np.uint8(128)).view(np.int8)
    assert np.array_equal(builtin_ref.run(path.read_bytes(), [q])[0], net.run(q))
    again = byteprop.load(path)
    assert_same(again.graph, net.graph)
    assert again.evaluate(x, y) == net.evaluate(x, y)


def test_a_trained_line_runs_in_tensorflow_lite(tmp_path: Path) -> None:
    net = Sequential([Dense(1)], input_shape=(1,), input_range=(-10, 10), output_range=(-20, 20))
    net.fit(*line(), epochs=100)
    net.save(tmp_path / "line.tflite")
    q = np.arange(-128, 128, dtype=np.int16).astype(np.int8)[:, np.newaxis]
    answers = builtin_ref.run((tmp_path / "line.tflite").read_bytes(), [q])[0]
    assert np.array_equal(answers, net.run(q))


def test_fine_tuned_files_keep_their_borders(tmp_path: Path) -> None:
    x, y = fashion_test_images()
    reals = (x.reshape(-1, 28, 28) / 255).astype(np.float32)
    model = byteprop.load(MODELS / "fashion_mlp_floatio.tflite")
    model.fit(reals, y)
    model.save(tmp_path / "tuned.tflite")
    again = byteprop.load(tmp_path / "tuned.tflite")
    assert_same(again.graph, model.graph)
    assert again.inputs == model.inputs and again.outputs == model.outputs
    written = (tmp_path / "tuned.tflite").read_bytes()
    assert np.array_equal(builtin_ref.run(written, [reals[:100]])[0], model.run(reals[:100]))


def test_litert_is_off_by_one_step_in_dense_layers_at_most(tmp_path: Path) -> None:
    """LiteRT requantises in float; without a softmax behind it, that shows as single steps."""
    interpreter = pytest.importorskip(
        "ai_edge_litert.interpreter", reason="ai-edge-litert is not installed"
    )
    x, y = fashion_test_images()
    net = Sequential([Dense(20, "relu"), Dense(10, "softmax")], input_shape=(784,))
    net.fit(x, y, epochs=2)
    logits = replace(
        net.graph, ops=net.graph.ops[:-1], tensors=net.graph.tensors[:-1], outputs=(2,)
    )
    q = (x ^ np.uint8(128)).view(np.int8)
    worst, different, total = 0, 0, 0
    for made in (_first_layer(logits), logits):
        runner = interpreter.Interpreter(model_content=write_tflite(made))
        runner.resize_tensor_input(0, [len(q), 784])
        runner.allocate_tensors()
        runner.set_tensor(runner.get_input_details()[0]["index"], q)
        runner.invoke()
        theirs = runner.get_tensor(runner.get_output_details()[0]["index"]).astype(int)
        steps = np.abs(theirs - Model(made).run(q))
        worst, different = max(worst, int(steps.max())), different + int((steps > 0).sum())
        total += steps.size
    assert worst <= 1
    assert different < total / 20


def _first_layer(made: Graph) -> Graph:
    return replace(made, ops=made.ops[:1], tensors=made.tensors[:2], outputs=(1,))


def test_what_the_format_cannot_state() -> None:
    made = small_graph()
    odd = replace(made.ops[0], activation=Activation.RELU_0_TO_1)
    with pytest.raises(ModelError, match="op 0 Dense: .* cannot end in RELU_0_TO_1"):
        write_tflite(replace(made, ops=(odd, *made.ops[1:])))
