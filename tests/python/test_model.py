"""load, run and predict: real models byte for byte, and every wrong argument."""

from __future__ import annotations

import os
import threading
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byteprop
from byteprop import ArgumentError, Model, ModelError, image, reference
from byteprop.graph import DType, Graph, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.ops import Rescale
from model_vectors import Arrays, answers, vectors, vectors_of
from random_graphs import Builder, graph_of_every_op, small_graph
from random_networks import networks, samples

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/data/models"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
REAL = [
    path
    for folder in (MODELS, MODELS / "conv", PUBLIC)
    for path in sorted(folder.glob("*.tflite"))
    if vectors_of(path).exists()
]


def assert_same(got: Arrays, expected: Arrays) -> None:
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def batch_of(graph: Graph, batch: int) -> Graph:
    """The graph with another fixed batch."""
    tensors = tuple(replace(t, shape=(batch, *t.shape[1:])) for t in graph.tensors)
    return replace(graph, tensors=tensors)


def two_in_two_out() -> Graph:
    b = Builder()
    x0, x1 = b.tensor((1, 2)), b.tensor((1, 3), 0.5, 7, DType.UINT8)
    y0, y1 = b.tensor((1, 3), 0.25, 1), b.tensor((1, 2), 0.1)
    b.add(Rescale(x1, y0))
    b.add(Rescale(x0, y1))
    return b.graph((x0, x1), (y0, y1))


@pytest.fixture
def small() -> Model:
    return Model(small_graph())


# --- real models ---


@pytest.mark.parametrize("path", REAL, ids=lambda p: p.stem)
def test_real_models_agree_with_tensorflow_lite_on_every_byte(path: Path) -> None:
    model = byteprop.load(path)
    xs, ys = vectors(path, model)
    assert_same(answers(model, xs), ys)
    model.reset()
    for i in range(8):
        assert_same(answers(model, [x[i : i + 1] for x in xs]), [y[i : i + 1] for y in ys])


@pytest.mark.parametrize("path", REAL, ids=lambda p: p.stem)
def test_real_models_agree_after_a_way_through_bpm(path: Path, tmp_path: Path) -> None:
    model = byteprop.load(path)
    xs, ys = vectors(path, model)
    model.save(tmp_path / "model.bpm")
    assert_same(answers(byteprop.load(tmp_path / "model.bpm"), xs), ys)


def test_there_are_real_models() -> None:
    assert len(REAL) >= 16


# --- run ---


@given(st.integers(0, 2**32 - 1), st.integers(0, 4), networks())
@settings(max_examples=100, deadline=None)
def test_run_equals_the_reference(seed: int, n: int, graph: Graph) -> None:
    xs = samples(graph, seed, n)
    for answer, y in zip(answers(Model(graph), xs), reference.run(graph, xs), strict=True):
        assert (answer.dtype, answer.shape) == (y.dtype, y.shape)
        np.testing.assert_array_equal(answer, y)


def test_several_inputs_and_outputs() -> None:
    model = Model(two_in_two_out())
    x0, x1 = np.int8([[1, 2], [3, 4]]), np.uint8([[7, 8, 9], [0, 1, 2]])
    y0, y1 = model.run([x0, x1])
    np.testing.assert_array_equal(y0, [[1, 3, 5], [-13, -11, -9]])
    np.testing.assert_array_equal(y1, [[1, 1], [2, 2]])  # 0.5 and 1.5 round away from zero
    again = model.run((x0, x1))
    assert all(np.array_equal(a, b) for a, b in zip(again, (y0, y1), strict=True))


def test_layout_of_the_array_does_not_matter(small: Model) -> None:
    x = np.random.default_rng(3).integers(-128, 128, (6, 5)).astype(np.int8)
    wanted = small.run(x)
    wide = np.zeros((6, 10), np.int8)
    wide[:, ::2] = x
    reverse = np.ascontiguousarray(x[::-1])
    for same in (np.asfortranarray(x), wide[:, ::2], reverse[::-1]):
        assert not same.flags.c_contiguous
        np.testing.assert_array_equal(small.run(same), wanted)
    x.flags.writeable = False
    np.testing.assert_array_equal(small.run(x), wanted)


def test_no_samples_give_no_answers(small: Model) -> None:
    for answer in (small.run(np.empty((0, 5), np.int8)), small.predict(np.empty((0, 5)))):
        assert answer.shape == (0, 4)
    assert Model(graph_of_every_op()).run(np.empty((0, 2, 3), np.float32)).shape == (0, 4)


def test_a_fixed_batch_takes_multiples_of_it() -> None:
    model = Model(batch_of(small_graph(), 3))
    x = np.random.default_rng(4).integers(-128, 128, (6, 5)).astype(np.int8)
    np.testing.assert_array_equal(model.run(x), Model(small_graph()).run(x))
    with pytest.raises(ArgumentError, match=r"expected shape \(N \* 3, 5\), got shape \(4, 5\)"):
        model.run(x[:4])


def test_the_answer_is_the_callers(small: Model) -> None:
    x = np.zeros((1, 5), np.int8)
    first = small.run(x)
    kept = first.copy()
    small.run(x + np.int8(100))
    np.testing.assert_array_equal(first, kept)
    first[:] = 0
    np.testing.assert_array_equal(small.run(x), kept)


def test_threads_may_share_a_model(small: Model) -> None:
    rng = np.random.default_rng(5)
    xs = [rng.integers(-128, 128, (400, 5)).astype(np.int8) for _ in range(4)]
    wanted = [small.run(x) for x in xs]
    differences: list[int] = []

    def work(i: int) -> None:
        differences.extend(int((small.run(xs[i]) != wanted[i]).sum()) for _ in range(50))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differences == [0] * 200


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([[0] * 5], r"x: expected an array of int8, shape \(N, 5\), got list"),
        (np.zeros((1, 5)), r"x: expected .*int8.*got dtype float64; Model.predict"),
        (np.zeros((1, 5), np.uint8), r"x: expected .*int8.*got dtype uint8"),
        (np.zeros((1, 4), np.int8), r"x: expected shape \(N, 5\), got shape \(1, 4\)"),
        (
            np.zeros(5, np.int8),
            r"got shape \(5,\); one sample needs a batch axis: x\[np.newaxis\]",
        ),
        (np.zeros((1, 1, 5), np.int8), r"got shape \(1, 1, 5\)"),
        (np.int8(1), "got int8"),
        (None, "got NoneType"),
    ],
)
def test_run_names_what_is_wrong(small: Model, x: object, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        small.run(x)  # type: ignore[arg-type]


def test_wrong_lists_of_inputs() -> None:
    model = Model(two_in_two_out())
    x0, x1 = np.zeros((1, 2), np.int8), np.zeros((2, 3), np.uint8)
    with pytest.raises(ArgumentError, match=r"list or tuple of 2 arrays \(t0, t1\), got ndarray"):
        model.run(x0)
    with pytest.raises(ArgumentError, match="got 1 items"):
        model.run([x0])
    with pytest.raises(ArgumentError, match=r"x\[1\]: expected .*uint8.*got dtype int8"):
        model.run([x0, x1.astype(np.int8)])
    with pytest.raises(ArgumentError, match=r"as many samples in every input, got \[1, 2\]"):
        model.run([x0, x1])


# --- predict, and float borders ---


def test_predict_takes_and_gives_real_values(small: Model) -> None:
    real = np.array([[0.0, 0.26, -0.25, 1000.0, -1000.0]])
    q = np.int8([[3, 6, 0, 127, -128]])  # -2.5 rounds away from zero, to -3
    answer = small.predict(real)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, (small.run(q).astype(np.float32) + 128) / 256)


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.float64, np.int64, np.uint8, np.bool_]
)
def test_predict_takes_any_real_dtype(small: Model, dtype: type) -> None:
    x = np.array([[0, 1, 1, 0, 1]])
    np.testing.assert_array_equal(small.predict(x.astype(dtype)), small.predict(x.tolist()))


def test_predict_refuses_what_is_no_real_number(small: Model) -> None:
    for x in (np.zeros((1, 5), complex), np.full((1, 5), "1"), np.full((1, 5), None)):
        with pytest.raises(ArgumentError, match="x: expected real numbers, got dtype"):
            small.predict(x)
    with pytest.raises(ArgumentError, match=r"x: expected shape \(N, 5\), got shape \(2, 3\)"):
        small.predict(np.zeros((2, 3)))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_position_that_is_not_finite_is_named(bad: float) -> None:
    model = Model(graph_of_every_op())
    x = np.zeros((3, 2, 3), np.float32)
    x[1, 1, 2] = x[2, 0, 0] = bad
    for call in (model.run, model.predict):
        with pytest.raises(ArgumentError, match=r"x: expected finite .* at position \(1, 1, 2\)"):
            call(x)
    with pytest.raises(ArgumentError, match=r"got 1e\+300"):
        model.predict(np.full((1, 2, 3), 1e300))


def test_float_borders_are_float32_and_nothing_else() -> None:
    model = Model(graph_of_every_op())
    assert model.inputs[0].dtype == model.outputs[0].dtype == np.float32
    assert (model.inputs[0].scale, model.inputs[0].zero_point) == (0.5, 100)
    x = np.random.default_rng(6).normal(0, 30, (5, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(model.run(x), model.predict(x))
    with pytest.raises(ArgumentError, match=r"x: expected an array of float32.*got dtype float64$"):
        model.run(x.astype(np.float64))


borders = st.builds(
    lambda dtype, scale, zero_point: Tensor(
        "t", (1,), dtype, np.float32(scale), zero_point + (128 if dtype is DType.UINT8 else 0)
    ),
    st.sampled_from([DType.INT8, DType.UINT8]),
    st.floats(2.0**-140, 2.0**120, width=32),
    st.integers(-128, 127),
)


@given(borders, st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
@settings(max_examples=300, deadline=None)
def test_quantising_equals_the_reference(t: Tensor, values: list[float]) -> None:
    x = np.array(values, np.float32)
    wanted = reference.quantize(x, t.scale, t.zero_point, t.dtype)
    np.testing.assert_array_equal(Boundary(t).quantize(x, "x").integers, wanted)


@given(borders)
@settings(max_examples=200, deadline=None)
def test_quantising_around_the_halves_equals_the_reference(t: Tensor) -> None:
    halves = np.arange(-300, 300, dtype=np.float32) / 2 * t.scale
    x = np.concatenate([halves, np.nextafter(halves, -np.inf), np.nextafter(halves, np.inf)])
    x = x[np.isfinite(x)].astype(np.float32)
    wanted = reference.quantize(x, t.scale, t.zero_point, t.dtype)
    np.testing.assert_array_equal(Boundary(t).quantize(x, "x").integers, wanted)


@given(borders)
@settings(max_examples=200, deadline=None)
def test_dequantising_equals_the_reference(t: Tensor) -> None:
    q = np.arange(256, dtype=np.uint8).view(t.dtype.numpy)
    with np.errstate(over="ignore"):
        wanted = reference.dequantize(q, t.scale, t.zero_point)
    np.testing.assert_array_equal(Boundary(t).dequantize(q), wanted)


# --- what a model tells ---


def test_inputs_and_outputs_are_told(small: Model) -> None:
    (x,), (y,) = small.inputs, small.outputs
    assert (x.name, x.shape, x.dtype, x.zero_point) == ("t0", (1, 5), np.dtype(np.int8), 3)
    assert x.scale == float(np.float32(0.1))
    assert (y.name, y.shape, y.scale, y.zero_point) == ("t3", (1, 4), 1 / 256, -128)
    with pytest.raises(FrozenInstanceError):
        x.name = "other"  # type: ignore[misc]


def test_sizes_and_layers(small: Model) -> None:
    assert small.arena_bytes == 12
    assert small.macs == 5 * 3 + 3 * 4
    assert [layer.op for layer in small.layers] == ["Dense", "Dense", "Softmax"]
    assert [layer.activation for layer in small.layers] == ["relu", "none", "none"]
    assert [layer.weight_bytes for layer in small.layers] == [15 + 12, 12 + 16, 0]
    assert Model(batch_of(small_graph(), 3)).macs == 3 * small.macs


def test_summary_is_a_table(small: Model) -> None:
    lines = small.summary().splitlines()
    assert lines[0].split()[:3] == ["input", "t0", "int8[1,"]
    rows = [line.split() for line in lines]
    assert ["0", "t1", "Dense", "1x3", "relu", "0.08", "-128", "15", "27"] in rows
    assert ["2", "t3", "Softmax", "1x4", "none", "0.00390625", "-128", "0", "0"] in rows
    assert ["total", "3", "ops", "27", "55"] in rows
    size = len(image.without_names(small.image))
    assert lines[-1] == f"arena 12 bytes, model image {size:,} bytes without names"
    assert repr(small) == "<byteprop.Model int8[1, 5] -> int8[1, 4], 3 ops, 27 MACs>"


# --- load and save ---


def test_load_takes_paths_and_bytes(tmp_path: Path) -> None:
    encoded = image.encode(small_graph())
    path = tmp_path / "no-suffix"
    path.write_bytes(encoded)
    for source in (path, str(path), encoded, bytearray(encoded), memoryview(encoded)):
        assert byteprop.load(source).image == encoded


def test_load_tells_by_content_not_by_name(tmp_path: Path) -> None:
    path = tmp_path / "wrong.tflite"
    path.write_bytes(image.encode(small_graph()))
    assert byteprop.load(path).macs == 27


def test_loading_takes_a_copy() -> None:
    encoded = bytearray(image.encode(small_graph()))
    model = byteprop.load(encoded)
    wanted = model.run(np.ones((1, 5), np.int8))
    encoded[:] = bytes(len(encoded))
    np.testing.assert_array_equal(model.run(np.ones((1, 5), np.int8)), wanted)


def test_what_is_no_model_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are notes.")
    expected = "notes.txt: expected a .tflite or .bpm model, got 16 bytes .*b'These ar'"
    with pytest.raises(ModelError, match=expected):
        byteprop.load(path)
    for data in (b"", b"BPM", b"\0" * 64):
        with pytest.raises(ModelError, match="given bytes: expected a .tflite or .bpm model"):
            byteprop.load(data)
    with pytest.raises(ModelError, match=r"model.bpm: .*\(E_CRC\)"):
        path = tmp_path / "model.bpm"
        path.write_bytes(image.encode(small_graph())[:-1] + b"\1")
        byteprop.load(path)
    with pytest.raises(ArgumentError, match="source: expected a path or bytes, got int"):
        byteprop.load(3)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        byteprop.load(tmp_path / "missing.tflite")


def test_save_by_suffix(small: Model, tmp_path: Path) -> None:
    small.save(tmp_path / "m.bpm")
    assert byteprop.load(tmp_path / "m.bpm").image == small.image
    small.save(str(tmp_path / "m.h"))
    assert "bp_model_image[" in (tmp_path / "m.h").read_text()
    small.save(tmp_path / "m.tflite")
    assert byteprop.load(tmp_path / "m.tflite").image == small.image
    with pytest.raises(ArgumentError, match=r"ends in .tflite or .bpm or .h, got '.*m.onnx'"):
        small.save(tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()
