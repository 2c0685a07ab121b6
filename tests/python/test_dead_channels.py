"""Dead channels are left out of a file's graph, and no byte of its outputs changes."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
import random_networks
from byteprop import reference
from byteprop.engine._raw import const
from byteprop.exporter import write_tflite
from byteprop.graph import Activation, Graph, Kind
from byteprop.importer import load_tflite
from byteprop.importer.passes.channels import without_dead_channels
from byteprop.importer.passes.unread import without_unread_ops
from byteprop.ops import (
    Concatenate,
    Conv,
    Depthwise,
    Pad,
    Rescale,
    Reshape,
    Slice,
    Softmax,
    place,
    spec_of,
    specs,
)
from byteprop.ops.add import Add
from byteprop.ops.convolution import Convolution
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window
from byteprop_host.cli import main
from model_vectors import answers, vectors
from random_graphs import Builder

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
Weights = npt.NDArray[np.int8]

ONE = Window(Axis(1), Axis(1))
THREE = Window(Axis(3, pad=1), Axis(3, pad=1))


def conv(
    b: Builder,
    x: int,
    n_out: int,
    dead: tuple[int, ...] = (),
    *,
    window: Window = ONE,
    bias: int = 0,
    zero_point: int = -5,
    unread: tuple[int, ...] = (),
    activation: Activation = Activation.NONE,
) -> int:
    """A convolution with rows without weights, and inputs without weights."""
    *rest, n_in = b.tensors[x].shape
    rng = np.random.default_rng(len(b.tensors))
    weights = rng.integers(-127, 128, (n_out, *(a.kernel for a in window.axes), n_in))
    weights[list(dead)] = 0
    weights[..., list(unread)] = 0
    biases = rng.integers(-500, 500, n_out)
    biases[list(dead)] = bias
    y = b.tensor((*rest, n_out), 0.2, zero_point)
    scales = np.full(n_out, 0.01, np.float32)
    made = (weights.astype(np.int8), biases.astype(np.int32), scales)
    return b.add(Conv(x, y, *made, window, activation))


def image(b: Builder, channels: int = 3) -> int:
    return b.tensor((1, 5, 4, channels), 0.1, 3)


def shrunk(graph: Graph, seed: int = 1) -> Graph:
    """Without its dead channels; the C library and the reference answer as before."""
    smaller = without_dead_channels(without_unread_ops(graph))
    xs = random_networks.samples(graph, seed, 6)
    expected = [y.tobytes() for y in reference.run(graph, xs)]
    assert [y.tobytes() for y in reference.run(smaller, xs)] == expected
    assert random_networks.answers(smaller, xs) == expected
    return smaller


def widths(graph: Graph) -> list[int]:
    """Channels of the output of each op."""
    return [graph.tensors[op.output].shape[-1] for op in graph.ops]


# --- what is left out, one by one ---


def test_a_constant_becomes_part_of_the_biases_of_its_readers() -> None:
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 6, dead=(1, 4), bias=777)
    graph = b.graph((x,), (conv(b, hidden, 3), conv(b, hidden, 2)))
    smaller = shrunk(graph)
    assert widths(smaller) == [4, 3, 2]
    assert smaller.tensors[hidden].channels == (0, 2, 3, 5)
    left_out = smaller.left_out
    assert left_out is not None
    assert (left_out.channels, left_out.of, left_out.constant) == (2, 11, 0)
    assert left_out.macs == 20 * (2 * 3 + 2 * 5)
    assert left_out.weight_bytes == 2 * 3 + 2 * 5 + 2 * 4


@pytest.mark.parametrize(("bias", "kept"), [(0, 4), (777, 6)])
def test_a_padded_reader_loses_constants_that_are_its_zero_point_alone(
    bias: int, kept: int
) -> None:
    """Where the window leaves the image, another value would be missing."""
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 6, dead=(1, 4), bias=bias)
    smaller = shrunk(b.graph((x,), (conv(b, hidden, 3, window=THREE),)))
    assert widths(smaller) == [kept, 3]


def test_a_window_that_leaves_the_image_at_the_end_alone_is_padded_too() -> None:
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 4, dead=(1,), bias=900)
    beyond = Window(Axis(2), Axis(1))
    smaller = shrunk(b.graph((x,), (conv(b, hidden, 3, window=beyond),)))
    assert widths(smaller) == [4, 3]


def test_a_row_that_always_saturates_is_constant() -> None:
    """Its weights do not matter: the clamp leaves one value."""
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 4, activation=Activation.RELU)
    op = b.ops[-1]
    assert isinstance(op, Conv)
    bias = op.bias.copy()
    bias[2] = -(2**20)
    b.ops[-1] = replace(op, bias=bias)
    assert widths(shrunk(b.graph((x,), (conv(b, hidden, 3),)))) == [3, 3]


def test_one_step_less_and_the_row_varies() -> None:
    """Of three inputs with weights of 1 the sum is 372 at most. With a multiplier of 1/4, sums up
    to -510 give the lowest output."""
    for bias, kept in ((-882, 2), (-881, 3)):
        b = Builder()
        x = image(b)
        hidden = b.tensor((1, 5, 4, 3), 0.4, 0)
        weights = np.ones((3, 1, 1, 3), np.int8) * np.int8([[[[100]]], [[[1]]], [[[100]]]])
        scales = np.ones(3, np.float32)
        b.add(Conv(x, hidden, weights, np.int32([0, bias, 0]), scales, ONE))
        assert widths(shrunk(b.graph((x,), (conv(b, hidden, 3),)))) == [kept, 3], bias


def test_channels_that_no_op_reads() -> None:
    b = Builder()
    x = image(b)
    hidden = conv(b, conv(b, x, 6), 5)
    graph = b.graph((x,), (conv(b, hidden, 3, unread=(0, 3)),))
    smaller = shrunk(graph)
    assert widths(smaller) == [6, 3, 3]
    assert smaller.tensors[hidden].channels == (1, 2, 4)


def test_ops_that_no_op_reads() -> None:
    b = Builder()
    x = image(b)
    y = conv(b, x, 4)
    conv(b, conv(b, y, 5), 2)
    smaller = shrunk(b.graph((x,), (y,)))
    assert len(smaller.ops) == 1 and len(smaller.tensors) == 2


def test_state_is_read_by_the_next_inference() -> None:
    """Its writer stays, and a constant that is written is not there before."""
    b = Builder()
    x = image(b)
    state = b.tensor((1, 5, 4, 3), 0.2, -5)
    b.tensors[state] = replace(b.tensors[state], kind=Kind.STATE)
    y = conv(b, state, 2)
    hidden = conv(b, x, 3, dead=(0, 1, 2), bias=600)
    b.add(Rescale(hidden, state))
    graph = b.graph((x,), (y,))
    smaller = shrunk(graph)
    assert widths(smaller) == [2, 3, 3]


def test_a_sum_needs_the_channels_that_one_side_computes() -> None:
    """Channel 1 is constant on both sides, channel 2 on one; that keeps its place without
    weights."""
    b = Builder()
    x = image(b)
    first, second = (conv(b, x, 4, dead=dead, bias=300) for dead in ((1, 2), (1, 3)))
    total = b.tensor((1, 5, 4, 4), 0.3, 7)
    b.add(Add(first, total, second))
    smaller = shrunk(b.graph((x,), (conv(b, total, 3),)))
    assert widths(smaller) == [3, 3, 3, 3]
    assert smaller.tensors[total].channels == (0, 2, 3)


def test_an_output_of_the_model_keeps_all_its_channels() -> None:
    b = Builder()
    x = image(b)
    y = conv(b, x, 4, dead=(0, 2), bias=123)
    graph = b.graph((x,), (y,))
    assert shrunk(graph) is graph, "the rows are as they should be"


@pytest.mark.parametrize("scale", [1e-23, 1e-8, 30.0])
@pytest.mark.parametrize("bias", [5, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("kind", [Conv, Depthwise])
def test_rows_that_must_stay_meet_the_conditions_of_fast_kernels(
    kind: type[Convolution], scale: float, bias: int
) -> None:
    b = Builder()
    x = image(b, 4)
    y = b.tensor((1, 5, 4, 4), 0.2, -9)
    shape = (4, 1, 1, 4) if kind is Conv else (1, 1, 1, 4)
    weights = np.full(shape, 3, np.int8)
    dead = (1,) if kind is Conv else (..., 1)
    weights[dead] = 0
    scales = np.float32([0.01, scale, 0.01, 0.01])
    b.add(kind(x, y, weights, np.int32([0, bias, 0, 0]), scales, ONE))
    smaller = shrunk(b.graph((x,), (y,)))
    (op,) = smaller.ops
    assert isinstance(op, Convolution)
    value = reference.run(smaller, random_networks.samples(smaller, 1))[0][0, 0, 0, 1]
    assert op.bias[1] == 4 * (int(value) + 9)
    assert op.weight_scales[1] == np.float32(0.2 / 0.1 / 4)
    assert not op.weights[dead].any()
    assert smaller.left_out is not None and smaller.left_out.constant == 1
    assert byteprop.Model(smaller).macs == byteprop.Model(b.graph((x,), (y,))).macs


def test_a_tensor_keeps_one_channel_at_least() -> None:
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 4, dead=(0, 1, 2, 3), bias=50)
    smaller = shrunk(b.graph((x,), (conv(b, hidden, 3),)))
    assert widths(smaller) == [1, 3]


def test_channels_are_followed_through_ops_that_keep_them_apart() -> None:
    """Depthwise with a multiplier, pooling, a concatenation, a slice of it, and flattening before a
    dense layer, whose columns of constants go."""
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 3, dead=(1,))
    deep = b.tensor((1, 5, 4, 6), 0.1, 2)
    weights = np.arange(1, 55, dtype=np.int8).reshape(1, 3, 3, 6)
    rest = (np.arange(6, dtype=np.int32), np.full(6, 0.01, np.float32))
    b.add(Depthwise(hidden, deep, weights, *rest, THREE))
    pooled, both, part = (b.tensor((1, 2, 2, n), 0.1, 2) for n in (6, 12, 7))
    half = Window(Axis(2, 2), Axis(2, 2))
    b.add(Pool(deep, pooled, PoolKind.AVERAGE, half))
    b.add(Concatenate(pooled, both, (pooled,), 3))
    b.add(Slice(both, part, (0, 0, 0, 4), (1, 1, 1, 1)))
    flat, y = b.tensor((1, 28), 0.1, 2), b.tensor((1, 2), 0.4)
    b.add(Reshape(part, flat))
    b.dense(flat, np.arange(-28, 28, dtype=np.int8).reshape(2, 28), y)
    smaller = shrunk(b.graph((x,), (y,)))
    assert widths(smaller) == [2, 4, 4, 8, 5, 20, 2]
    assert smaller.tensors[flat].channels is not None
    assert [c % 7 for c in smaller.tensors[flat].channels] == 4 * [0, 1, 2, 3, 6]
    sliced = smaller.ops[4]
    assert isinstance(sliced, Slice) and sliced.begin == (0, 0, 0, 2)


def test_dense_layers_keep_their_rows_and_the_columns_of_what_varies() -> None:
    """They may be trained: a row without weights may get some, and so may a column."""
    b = Builder()
    x = b.tensor((1, 6), 0.1, 3)
    hidden, y = b.tensor((1, 5), 0.2), b.tensor((1, 3), 0.3)
    weights = np.arange(30, dtype=np.int8).reshape(5, 6)
    weights[[1, 3]] = 0
    b.dense(x, weights, hidden)
    last = np.arange(15, dtype=np.int8).reshape(3, 5)
    last[:, 2] = 0
    b.dense(hidden, last, y)
    graph = b.graph((x,), (y,))
    assert shrunk(graph) is graph


def test_ops_that_mix_channels_keep_them() -> None:
    for mix in (
        lambda b, x: b.add(Softmax(x, b.tensor((1, 5, 4, 4), 1 / 256, -128))),
        lambda b, x: b.add(Pad(x, b.tensor((1, 5, 4, 5), 0.2, -5), (0, 0, 0, 1), 9)),
        lambda b, x: b.add(Reshape(x, b.tensor((1, 10, 4, 2), 0.2, -5))),
        lambda b, x: b.add(Slice(x, b.tensor((1, 5, 4, 2), 0.2, -5), (0,) * 4, (1, 1, 1, 2))),
    ):
        b = Builder()
        x = image(b)
        mixed = mix(b, conv(b, x, 4, dead=(1,)))  # type: ignore[no-untyped-call]
        assert widths(shrunk(b.graph((x,), (conv(b, mixed, 3),))))[0] == 4


def test_padding_with_another_value_ends_a_constant() -> None:
    for value, kept in ((-5, 3), (6, 4)):
        b = Builder()
        x = image(b)
        hidden = conv(b, x, 4, dead=(1,))
        padded = b.tensor((1, 7, 4, 4), 0.2, -5)
        b.add(Pad(hidden, padded, (0, 1, 0, 0), value))
        assert widths(shrunk(b.graph((x,), (conv(b, padded, 3),)))) == [kept, kept, 3]


def test_a_constant_operand_loses_channels_too() -> None:
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 4, dead=(1,))
    constant = b.tensor((4,), 0.1)
    b.tensors[constant] = replace(b.tensors[constant], kind=Kind.CONSTANT, data=bytes([9, 8, 7, 6]))
    total = b.tensor((1, 5, 4, 4), 0.3, 7)
    b.add(Add(constant, total, hidden))
    smaller = shrunk(b.graph((x,), (conv(b, total, 3),)))
    assert smaller.tensors[constant].data == bytes([9, 7, 6])


def test_a_graph_with_more_channels_than_the_pass_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder()
    x = image(b)
    graph = b.graph((x,), (conv(b, conv(b, x, 6, dead=(1, 4)), 3),))
    assert without_dead_channels(graph) is not graph
    monkeypatch.setattr("byteprop.importer.passes.channels._MOST_CHANNELS", 11)
    assert without_dead_channels(graph) is graph


def test_constants_that_cost_too_much_to_follow_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    b = Builder()
    x = image(b)
    active = b.tensor((1, 5, 4, 4), 0.2, -5)
    b.add(Rescale(conv(b, x, 4, dead=(1,)), active, Activation.RELU6))
    graph = b.graph((x,), (conv(b, active, 3),))
    assert widths(shrunk(graph)) == [3, 3, 3]
    monkeypatch.setattr("byteprop.importer.passes.constants._MOST_ELEMS", 1000)
    assert widths(shrunk(graph)) == [4, 4, 3]


@pytest.mark.filterwarnings("ignore::byteprop.TrainingWarning")
@pytest.mark.parametrize("keep", [False, True])
def test_a_dense_head_is_trained_with_or_without_its_constant_inputs(keep: bool) -> None:
    b = Builder()
    x = image(b)
    hidden = conv(b, x, 4, dead=(1,), bias=500)
    flat, y = b.tensor((1, 80), 0.2, -5), b.tensor((1, 3), 0.4)
    scores = b.tensor((1, 3), 1 / 256, -128)
    b.add(Reshape(hidden, flat))
    rng = np.random.default_rng(1)
    b.dense(flat, rng.integers(-127, 128, (3, 80)).astype(np.int8), y)
    b.add(Softmax(y, scores))
    file = write_tflite(b.graph((x,), (scores,)))
    model = byteprop.load(file, keep_dead_channels=keep)
    *_, (weights, _) = model.get_weights()
    assert len(weights) == (80 if keep else 60)
    samples = rng.normal(0, 2, (20, 5, 4, 3))
    model.fit(samples, rng.integers(0, 3, 20), epochs=1, learning_rate=0.0001)
    *_, (trained, _) = model.get_weights()
    assert trained.shape == weights.shape and (trained != weights).any()


# --- what is said of it ---


def written(tmp_path: Path) -> Path:
    """A file whose tensor between two convolutions has the dead channels 0 and 3 of 5."""
    b = Builder()
    x = image(b)
    graph = b.graph((x,), (conv(b, conv(b, x, 5, dead=(0, 3), bias=99), 3),))
    path = tmp_path / "model.tflite"
    path.write_bytes(write_tflite(graph))
    return path


SAID = "2 of 8 channels are constant or never read, and left out: 240 MACs and 20 bytes of weights"


def test_summary_and_info_say_what_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    assert byteprop.load(path).summary().endswith(f"{SAID} less")
    assert "left out" not in byteprop.load(path, keep_dead_channels=True).summary()
    assert main(["info", str(path)]) == 0
    assert f"dead   {SAID} less\n" in capsys.readouterr().out
    for options, expected in (([], 2), (["--keep-dead-channels"], None)):
        assert main(["info", str(path), "--json", *options]) == 0
        left_out = json.loads(capsys.readouterr().out)["left_out"]
        assert (left_out and left_out["channels"]) == expected


def test_info_counts_constant_channels_that_stay(tmp_path: Path) -> None:
    b = Builder()
    x = image(b)
    y = conv(b, x, 4)
    op = b.ops[-1]
    assert isinstance(op, Conv)
    weights = op.weights.copy()
    weights[2] = 0
    scales = op.weight_scales * np.float32([1, 1, 1e-20, 1])
    b.ops[-1] = replace(op, weights=weights, weight_scales=scales)
    model = byteprop.load(write_tflite(b.graph((x,), (y,))))
    assert model.summary().endswith("1 of 4 channels are constant and need no weights")


@pytest.mark.parametrize("options", [[], ["--keep-dead-channels"], ["--reference", "numpy"]])
def test_verbs_take_such_a_file(
    options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    assert main(["verify", str(path), "--no-report", "--json", *options]) == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    whole = 20 * (5 * 3 + 3 * 5)
    assert figures["macs"] == (whole if "--keep-dead-channels" in options else whole - 240)


@pytest.mark.parametrize("verb", ["bench", "convert", "run"])
def test_other_verbs_can_keep_dead_channels(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path), tmp_path / "out"
    np.save(tmp_path / "x.npy", np.zeros((2, 5, 4, 3), np.int8))
    more = {
        "bench": [],
        "convert": ["-o", str(out.with_suffix(".bpm"))],
        "run": ["-d", str(tmp_path / "x.npy"), "-o", str(out.with_suffix(".npy"))],
    }[verb]
    results = []
    for options in ([], ["--keep-dead-channels"]):
        assert main([verb, str(path), "--json", *more, *options]) == 0
        results.append(json.loads(capsys.readouterr().out))
    if verb == "bench":
        assert [r["macs"] for r in results] == [360, 600]
    if verb == "convert":
        assert results[0]["image_bytes"] < results[1]["image_bytes"]


def test_a_difference_is_named_by_the_channel_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row is altered that is the second of those left, and the third of the file's."""
    path, altered = written(tmp_path), tmp_path / "altered.bpm"
    graph = byteprop.load(path).graph
    first = graph.ops[0]
    assert isinstance(first, Conv)
    bias = first.bias.copy()
    bias[1] += 5000
    byteprop.Model(replace(graph, ops=(replace(first, bias=bias), *graph.ops[1:]))).save(altered)
    arguments = [str(altered), "--against", str(path), "--no-report", "--json"]
    assert main(["verify", *arguments]) == 1
    layer = json.loads(capsys.readouterr().out)["first_different_layer"]
    assert layer["op_index"] == 0 and layer["tensor"] == graph.tensors[first.output].name
    assert layer["position"] == [0, 0, 0, 2]


# --- against the references ---


@pytest.mark.parametrize("first", range(0, 160, 20))
def test_random_networks_with_dead_channels(first: int) -> None:
    """The graph that comes back from its file has none, and answers as tflite-runtime does."""
    for seed in range(first, first + 20):
        random_networks.check(random_networks.dead_channel_network(seed), seed)


def test_the_random_networks_have_dead_channels_around_all_ops() -> None:
    around: set[type] = set()
    constant = 0
    for seed in range(160):
        graph = load_tflite(write_tflite(random_networks.dead_channel_network(seed)))
        if graph.left_out is not None:
            constant += graph.left_out.constant > 0
            narrow = (op for op in graph.ops if graph.tensors[op.input].channels)
            around.update(type(op) for op in narrow)
    assert constant > 20
    names = {spec.name for spec in specs() if spec.kind in around}
    assert names >= {"add", "conv", "dense", "depthwise", "extremum", "pool", "rescale", "slice",
                     "table", "transpose_conv", "resize_nearest"}  # fmt: skip


# --- real models ---


def public(name: str) -> Path:
    path = PUBLIC / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path.name} is not in {PUBLIC}; BYTEPROP_PUBLIC_MODELS names the folder")
    return path


def convolution_weights(model: byteprop.Model) -> int:
    return sum(op.weights.size for op in model.graph.ops if isinstance(op, Convolution))


@pytest.mark.parametrize(
    ("name", "macs", "weights"),
    [("vww_mobilenet_96", 3_733_029, 29_242), ("har_conv1d", 190_000, 950)],
)
def test_models_that_shrink(name: str, macs: int, weights: int) -> None:
    path = public(name)
    model, whole = byteprop.load(path), byteprop.load(path, keep_dead_channels=True)
    assert model.macs <= macs and convolution_weights(model) <= weights
    left_out = model.graph.left_out
    assert left_out is not None and whole.graph.left_out is None
    assert whole.macs - model.macs == left_out.macs
    xs, ys = vectors(path, model)
    for loaded in (model, whole):
        assert [y.tobytes() for y in answers(loaded, xs)] == [y.tobytes() for y in ys]


def test_rows_without_weights_no_longer_keep_layers_from_fast_kernels() -> None:
    """The file's dead rows have scales that flush to 0 and biases of up to 31 bits."""

    def fast_layers(model: byteprop.Model) -> list[bool]:
        layers = [op for op in model.graph.ops if isinstance(op, Convolution)]
        flags = [spec_of(op).params(place(model.graph.tensors, op))[0] for op in layers]
        return [isinstance(word, bytes) and bool(word[2] & const("BP_OP_FAST")) for word in flags]

    path = public("vww_mobilenet_96")
    assert sum(fast_layers(byteprop.load(path))) == 27
    assert sum(fast_layers(byteprop.load(path, keep_dead_channels=True))) == 18


@pytest.mark.parametrize("name", ["kws_dscnn", "ic01_resnet8", "sww_streaming"])
def test_models_that_have_no_dead_channels(name: str) -> None:
    assert byteprop.load(public(name)).graph.left_out is None
