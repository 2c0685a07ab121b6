"""What converters write besides plain chains of ops: equal to TensorFlow Lite on every byte."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop import UnsupportedOpError, reference
from op_check import check_file, check_round_trips

CODE = tflite.BuiltinOperator
SHAPE = (1, 4, 6, 2)
FLAT = (1, 48)


def image(batch: int = 1, seed: int = 1) -> npt.NDArray[np.int8]:
    rng = np.random.default_rng(seed)
    return rng.integers(-128, 128, (batch, *SHAPE[1:])).astype(np.int8)


def reshape(model: tb.ModelBuilder, x: int, shape: tuple[int, ...], target: int) -> None:
    stated = model.tensor((len(shape),), tb.INT32, data=np.array(shape, np.int32))
    model.op(CODE.RESHAPE, [x, stated], [target])


def dense(model: tb.ModelBuilder, x: int, weights: int, y: int) -> None:
    model.op(CODE.FULLY_CONNECTED, [x, weights], [y], version=6)


def test_one_tensor_with_many_readers_and_outputs_that_are_read_inside() -> None:
    """Two RELUs, a RESHAPE and a MAX over one tensor, which is an output too."""
    model = tb.ModelBuilder()
    x, trunk, a, b = (model.tensor(SHAPE, scale=0.1, zero_point=-5) for _ in range(4))
    flat = model.tensor(FLAT, scale=0.1, zero_point=-5)
    peak = model.tensor((1, 2), scale=0.1, zero_point=-5)
    axes = model.tensor((2,), tb.INT32, data=np.array([1, 2], np.int32))
    model.op(CODE.RELU6, [x], [trunk], version=2)
    model.op(CODE.RELU, [trunk], [a], version=2)
    model.op(CODE.RELU_N1_TO_1, [trunk], [b])
    reshape(model, trunk, FLAT, flat)
    model.op(CODE.REDUCE_MAX, [trunk, axes], [peak], version=2)
    graph = check_file(model.build([x], [peak, trunk, b, flat, a]), [image(3)])
    assert len(graph.outputs) == 5
    check_round_trips(graph)


def test_several_inputs_and_outputs_in_another_order_than_they_are_used() -> None:
    model = tb.ModelBuilder()
    xs = [model.tensor((1, n), scale=0.1 * n, zero_point=n) for n in (3, 5, 7)]
    ys = [model.tensor((1, n), scale=0.05, zero_point=-n) for n in (3, 5, 7)]
    for i in (2, 0, 1):
        model.op(CODE.QUANTIZE, [xs[i]], [ys[i]], version=2)
    rng = np.random.default_rng(2)
    inputs = [rng.integers(-128, 128, (4, n)).astype(np.int8) for n in (7, 3, 5)]
    file = model.build([xs[2], xs[0], xs[1]], [ys[1], ys[2], ys[0]])
    check_round_trips(check_file(file, inputs))


def test_a_batch_above_one() -> None:
    model = tb.ModelBuilder()
    x, y = (model.tensor((3, *SHAPE[1:]), scale=0.1) for _ in range(2))
    model.op(CODE.RELU, [x], [y], version=2)
    file = model.build([x], [y])
    check_file(file, [image(6)])
    with pytest.raises(byteprop.ArgumentError, match=r"shape \(N \* 3, 4, 6, 2\)"):
        byteprop.load(file).run(image(4))


def test_constants_and_activations_that_share_buffers() -> None:
    """Two dense layers with one buffer of weights, and activations with one empty buffer that is
    not the first."""
    rng = np.random.default_rng(3)
    weights = rng.integers(-127, 128, (5, 5)).astype(np.int8)
    model = tb.ModelBuilder()
    w0 = model.tensor((5, 5), scale=0.01, data=weights)
    w1 = model.tensor((5, 5), scale=0.03, buffer=1)
    model.tensor((1,), data=b"")
    empty = 2
    x, h, y = (model.tensor((1, 5), scale=s, buffer=empty) for s in (0.1, 0.2, 0.4))
    dense(model, x, w0, h)
    dense(model, h, w1, y)
    graph = check_file(model.build([x], [y]), [rng.integers(-128, 128, (6, 5)).astype(np.int8)])
    first, second = (byteprop.load(model.build([x], [y])).graph.ops[i] for i in range(2))
    np.testing.assert_array_equal(first.weights, second.weights)  # type: ignore[attr-defined]
    assert len(graph.ops) == 2


def test_weights_that_two_ops_share() -> None:
    rng = np.random.default_rng(4)
    model = tb.ModelBuilder()
    w = model.tensor((5, 5), scale=0.02, data=rng.integers(-127, 128, (5, 5)).astype(np.int8))
    x, h, y = (model.tensor((1, 5), scale=s) for s in (0.1, 0.2, 0.4))
    dense(model, x, w, h)
    dense(model, h, w, y)
    check_file(model.build([x], [y]), [rng.integers(-128, 128, (6, 5)).astype(np.int8)])


def test_op_codes_that_are_listed_twice() -> None:
    """The builder lists a code for each op."""
    model = tb.ModelBuilder()
    x, h, y = (model.tensor(SHAPE, scale=s, zero_point=3) for s in (0.1, 0.07, 0.05))
    model.op(CODE.QUANTIZE, [x], [h], version=2)
    model.op(CODE.QUANTIZE, [h], [y], version=2)
    file = model.build([x], [y])
    assert tflite.Model.GetRootAs(file, 0).OperatorCodesLength() == 2
    check_file(file, [image(2)])


def test_metadata_that_nobody_knows() -> None:
    model = tb.ModelBuilder(metadata=[("min_runtime_version", 1), ("a name of one's own", 2)])
    model.tensor((16,), tb.UINT8, data=b"2.5.0".ljust(16, b"\0"))
    model.tensor((300,), tb.UINT8, data=bytes(range(256)) + bytes(44))
    x, y = (model.tensor(SHAPE, scale=0.1) for _ in range(2))
    model.op(CODE.RELU, [x], [y], version=2)
    check_file(model.build([x], [y]), [image()])


@pytest.mark.parametrize("rank", [5, 6, 8])
def test_ranks_above_four_are_refused_by_name(rank: int) -> None:
    shape = (*(1,) * (rank - 4), *SHAPE)
    model = tb.ModelBuilder()
    x = model.tensor(SHAPE, scale=0.1, name="x")
    wide = model.tensor(shape, scale=0.1, name="wide")
    y = model.tensor(shape, scale=0.1, name="y")
    reshape(model, x, shape, wide)
    model.op(CODE.RELU, [wide], [y], version=2)
    with pytest.raises(
        UnsupportedOpError, match=f"'wide' is of {rank} dimensions; byteprop takes up to 4"
    ):
        byteprop.load(model.build([x], [y]))


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_softmax_of_any_rank(rank: int) -> None:
    rng = np.random.default_rng(rank)
    shape = (2, 3, 4, 7)[-rank:]
    file = tb.softmax_model(shape=shape, x_scale=0.07)
    check_round_trips(check_file(file, [rng.integers(-128, 128, shape).astype(np.int8)]))


def test_softmax_above_rank_four_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedOpError, match="5 dimensions; byteprop takes up to 4"):
        byteprop.load(tb.softmax_model(shape=(1, 1, 2, 3, 4)))


def test_a_dense_layer_with_a_scale_per_row_and_three_dimensions() -> None:
    """tflite-runtime 2.14 leaves a part of the output unwritten; each row is as of two
    dimensions."""
    rng = np.random.default_rng(5)
    same = {
        "weights": rng.integers(-127, 128, (4, 6)),
        "bias": rng.integers(-3000, 3000, 4),
        "weight_scale": rng.uniform(0.01, 0.05, 4),
        "x_scale": 0.1, "x_zero_point": -7, "y_zero_point": 9,
    }  # fmt: skip
    x = rng.integers(-128, 128, (5, 3, 6)).astype(np.int8)
    loaded = byteprop.load(tb.dense_model(**same, x_shape=(1, 3, 6), keep_num_dims=True))
    expected = builtin_ref.run(tb.dense_model(**same), [x.reshape(-1, 6)])[0].reshape(5, 3, 4)
    np.testing.assert_array_equal(loaded.run(x), expected)
    np.testing.assert_array_equal(reference.run(loaded.graph, [x])[0], expected)
