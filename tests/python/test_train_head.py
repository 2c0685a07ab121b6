"""The dense layers at the end of a model learn; what is before them, of whatever ops, runs as in
inference and stays as it is."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import byteprop
from byteprop import image
from byteprop.engine import _raw, _raw_train
from byteprop.engine._raw_train import Config, Trainer
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Activation, Graph
from byteprop.ops import Dense
from byteprop.ops.pool import Pool, PoolKind
from byteprop.ops.window import Axis, Window
from byteprop.training.masters import copies_of, fresh_masters
from training_case import Net, Pair, graph_of

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests/data/models/conv"
PUBLIC = Path(os.environ.get("BYTEPROP_PUBLIC_MODELS", ROOT.parent / "shared/models/public"))
CNN = ROOT / "examples/fashion_mnist/fashion_cnn.tflite"
RATE = round(0.01 * 2**24)


def inputs_of(graph: Graph, n: int) -> npt.NDArray[Any]:
    tensor = graph.tensors[graph.inputs[0]]
    limits = np.iinfo(tensor.dtype.numpy)
    draws = np.random.default_rng(7).integers(limits.min, limits.max + 1, (n, *tensor.shape[1:]))
    return draws.astype(tensor.dtype.numpy)


def frozen_parts(graph: Graph, first: int) -> list[Any]:
    return [repr(op) for op in graph.ops[:first]]


def first_dense(graph: Graph) -> int:
    return next(i for i, op in enumerate(graph.ops) if isinstance(op, Dense))


@pytest.mark.parametrize("path", [CNN, MODELS / "net_fashion_cnn.tflite"], ids=lambda p: p.stem)
@pytest.mark.parametrize(
    "options", [{}, {"batch": 3}, {"momentum_shift": 2, "nearest": True}, {"residual": False}]
)
def test_the_head_of_a_cnn_learns_as_the_reference(path: Path, options: dict[str, Any]) -> None:
    graph = byteprop.load(path).graph
    pair = Pair(graph, Config(seed=3, **options))
    x = inputs_of(graph, 7)
    for i, row in enumerate(x):
        pair.sample(row, i % 10, RATE)
    pair.flush()
    pair.check_inference(x)
    first = first_dense(graph)
    trained = image.decode(pair.c.image)
    assert first > 0
    assert frozen_parts(trained, first) == frozen_parts(graph, first)
    assert (trained.ops[first].weights != graph.ops[first].weights).any()


def test_nothing_but_the_head_changes_in_the_image() -> None:
    graph = byteprop.load(CNN).graph
    before = image.encode(graph)
    trainer = Trainer(before, Config(seed=1))
    x = inputs_of(graph, 20)
    trainer.run(
        x.view(np.uint8).reshape(20, -1),
        np.arange(20, dtype=np.uint16) % 10,
        lr_q24=np.full(20, RATE, np.uint32),
    )
    changed = np.flatnonzero(
        np.frombuffer(before, np.uint8) != np.frombuffer(trainer.image, np.uint8)
    )
    head = graph.ops[first_dense(graph)]
    weights = before.index(np.ascontiguousarray(head.weights).tobytes())
    crc_at = _raw.const("BP_HEADER_CRC32")
    records = set(changed[changed < weights].tolist()) - set(range(crc_at, crc_at + 4))
    # The head's claim to be FAST is taken back, as its weights change.
    assert [before[at] ^ trainer.image[at] for at in records] == [_raw.const("BP_OP_FAST")]
    assert changed.max() < weights + head.weights.size + 4 * len(head.bias) + 4
    assert (changed >= weights).any()


def test_a_frozen_dense_layer_is_part_of_what_runs_before() -> None:
    rng = np.random.default_rng(5)
    graph = graph_of(
        Net((12, 9, 8, 4), per_channel=True, leading_quantize=True, zero_points=True), rng
    )
    pair = Pair(graph, Config(seed=5, frozen=0b001))
    x = inputs_of(graph, 9)
    for i, row in enumerate(x):
        pair.sample(row, i % 4, RATE)
    pair.check_inference(x)
    assert image.decode(pair.c.image).ops[1].weights.tolist() == graph.ops[1].weights.tolist()


def test_frozen_layers_take_no_memory() -> None:
    graph = graph_of(Net((640, 128, 640), classifier=False), np.random.default_rng(1))
    last, everything = (
        _raw_train.plan(image.encode(graph), Config(seed=0, frozen=mask)) for mask in (1, 0)
    )
    n = 640 * 128
    assert n < last.state_bytes < n + 4 * 640 + 100
    assert last.memory_bytes - last.state_bytes < 4 * 640 + 200
    assert everything.state_bytes > 2 * n
    same = graph_of(Net((3, 128, 640), classifier=False), np.random.default_rng(1))
    assert _raw_train.plan(image.encode(same), Config(seed=0, frozen=1)) == last


def test_weights_that_an_earlier_op_reads_are_not_trained() -> None:
    """Two layers whose records name the same weights: the second may not be trained alone."""
    graph = graph_of(Net((8, 8, 8), classifier=False), np.random.default_rng(2))
    data = bytearray(image.encode(graph))
    ops = _raw.const("BP_HEADER_OPS_OFFSET")
    table = int.from_bytes(data[ops : ops + 4], "little")
    records = [int.from_bytes(data[table + 4 * i : table + 4 * i + 4], "little") for i in (0, 1)]
    weights_at = 4 + 4 + 8  # head, operands, activation and range
    first, second = (r + weights_at for r in records)
    data[first : first + 4] = data[second : second + 4]
    data[12:16] = _raw.crc32(bytes(data[16:])).to_bytes(4, "little")
    shared = bytes(data)
    _raw.Engine(shared)  # inference may
    with pytest.raises(TrainingError, match="E_BOUNDS"):
        _raw_train.plan(shared, Config(seed=0, frozen=1))


def pooled_dense(graph: Graph) -> Graph:
    """A pool behind the only dense layer."""
    dense = graph.ops[0]
    n = len(dense.bias)
    y = graph.tensors[dense.output]
    square = replace(y, shape=(1, 1, 1, n), name="square")
    return Graph(
        (graph.tensors[0], square, replace(square, name="pooled")),
        (
            replace(dense, output=1, activation=Activation.NONE),
            Pool(1, 2, PoolKind.MAX, Window(Axis(1), Axis(1))),
        ),
        (0,),
        (2,),
    )


# --- the image stays in flash ---


@pytest.mark.parametrize(
    ("frozen", "options"),
    [
        (0b001, {}),
        (0b000, {"batch": 3, "momentum_shift": 1}),
        (0b010, {"nearest": True}),
        (0b011, {"residual": False}),
        (0b111, {}),
    ],
)
def test_where_the_image_is_changes_no_bit(frozen: int, options: dict[str, Any]) -> None:
    net = Net((13, 9, 8, 4), per_channel=True, zero_points=True, without_bias=0b100)
    graph = graph_of(net, np.random.default_rng(frozen))
    data = image.encode(graph)
    config = Config(seed=4, frozen=frozen, **options)
    here, there = Trainer(data, config), Trainer(data, replace(config, in_flash=True))
    x = inputs_of(graph, 20).view(np.uint8)
    y, rates = np.arange(20, dtype=np.uint16) % 4, np.full(20, RATE, np.uint32)
    results = [t.run(x, y, lr_q24=rates).tolist() for t in (here, there)]
    assert results[0] == results[1]
    assert here.image == there.image
    assert here.counters == there.counters
    n = here.plan.state_bytes
    copies = copies_of(image.decode(here.image), config)
    assert there.state == here.state + copies
    assert there.plan.memory_bytes == here.plan.memory_bytes + len(copies)
    again = Trainer(data, there.config, state=here.state + copies)
    assert again.image == here.image
    assert again.state[:n] == here.state


def test_a_window_needs_the_image_in_ram() -> None:
    graph = graph_of(Net((6, 4)), np.random.default_rng(1))
    with pytest.raises(TrainingError, match="E_UNSUPPORTED"):
        _raw_train.plan(image.encode(graph), Config(seed=0, window=4, in_flash=True))


def test_copies_with_filled_up_rows_are_refused() -> None:
    graph = graph_of(Net((6, 4)), np.random.default_rng(1))
    data, config = image.encode(graph), Config(seed=0, in_flash=True)
    state = bytearray(Trainer(data, config).state)
    first_row = len(state) - 4 * 8 - 4 * 4
    state[first_row + 6] = 1
    with pytest.raises(TrainingError, match="E_ARG"):
        Trainer(data, config, state=bytes(state))


@pytest.mark.parametrize(
    ("name", "most"),
    [("kws_dscnn", 2_500), ("ad01_int8", 173_000)],
)
def test_ram_of_the_last_layer_of_public_models(name: str, most: int) -> None:
    path = PUBLIC / f"{name}.tflite"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    graph = byteprop.load(path).graph
    layers = sum(isinstance(op, Dense) for op in graph.ops)
    config = Config(seed=0, frozen=(1 << (layers - 1)) - 1, in_flash=True)
    assert _raw_train.plan(image.encode(graph), config).memory_bytes <= most


# --- Model.fit ---


def small_images(n: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    with np.load(ROOT / "examples/fashion_mnist/t10k-1000.npz") as data:
        return (data["x"][:n] / 255).astype(np.float32), data["y"][:n].astype(np.int64)


@pytest.mark.filterwarnings("ignore::byteprop.TrainingWarning")
def test_fit_learns_the_head() -> None:
    model = byteprop.load(CNN)
    before = model.graph
    x, y = small_images(300)
    wrong = (y + 1) % 10  # what the model does not know
    shape = (-1, *model.inputs[0].shape[1:])
    history = model.fit(x.reshape(shape), wrong, epochs=4)
    assert history.history["accuracy"][-1] > history.history["accuracy"][0] + 0.3
    first = first_dense(before)
    assert frozen_parts(model.graph, first) == frozen_parts(before, first)
    assert model.masters is not None
    assert model.masters[-1].residual.any()


def dense_model() -> byteprop.Model:
    return byteprop.Model(graph_of(Net((6, 5, 4, 3)), np.random.default_rng(3)))


def trained_layers(**options: Any) -> list[bool]:
    model = dense_model()
    before = model.graph
    x = np.random.default_rng(1).random((40, 6))
    model.fit(x, np.arange(40) % 3, learning_rate=0.05, **options)
    return [
        bool((a.weights != b.weights).any())
        for a, b in zip(before.ops, model.graph.ops, strict=True)
        if isinstance(a, Dense)
    ]


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        (None, [True, True, True]),
        ("last", [False, False, True]),
        ("last:2", [False, True, True]),
        (["last:3"], [True, True, True]),
        (1, [False, True, False]),
        ([0, "last"], [True, False, True]),
    ],
)
def test_train_names_what_learns(train: Any, expected: list[bool]) -> None:
    assert trained_layers(train=train) == expected


def test_train_is_what_freeze_leaves() -> None:
    one, other = dense_model(), dense_model()
    x, y = np.random.default_rng(1).random((40, 6)), np.arange(40) % 3
    one.fit(x, y, train=["last:2"])
    other.fit(x, y, freeze=[0])
    assert one.image == other.image


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"train": "last", "freeze": [0]}, "expected one of the two, got both"),
        ({"train": []}, "expected at least one layer, got none"),
        ({"train": "last:4"}, "expected last:1 .. last:3, got last:4"),
        ({"train": "last:0"}, "expected last:1 .. last:3, got last:0"),
        ({"train": "y"}, "train: expected layers with weights"),
        ({"freeze": "last"}, "freeze: expected layers with weights"),
    ],
)
def test_what_train_refuses(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        trained_layers(**options)


def test_an_op_behind_a_trained_layer_is_named() -> None:
    graph = graph_of(Net((6, 4), classifier=False), np.random.default_rng(3))
    model = byteprop.Model(pooled_dense(graph))
    with pytest.raises(
        TrainingError, match=r"layer 1 Pool .*not a dense layer, as the last one has to be"
    ):
        model.fit(np.zeros((3, 6)), np.zeros((3, 4)))


def test_masters_of_frozen_layers_are_kept() -> None:
    model = dense_model()
    x, y = np.random.default_rng(1).random((40, 6)), np.arange(40) % 3
    model.fit(x, y, learning_rate=0.05)
    first = model.masters
    assert first is not None
    model.fit(x, y, train="last", learning_rate=0.05)
    second = model.masters
    assert second is not None
    for a, b in zip(first[:2], second[:2], strict=True):
        assert (a.residual == b.residual).all()
        assert (a.bias == b.bias).all()
    assert (first[2].residual != second[2].residual).any()
    assert len(fresh_masters(model.graph)) == 3


def test_info_lists_what_may_learn_with_memory_and_instructions() -> None:
    from byteprop_host.info import info

    choices = info(byteprop.load(ROOT / "examples/fashion_mnist/fashion_mlp.tflite")).choices
    assert [choice.train for choice in choices] == ["last", "last:2"]
    measured = 264_631  # benchmarks/results/training-instructions.csv, 784-20-10
    assert abs(choices[1].m4_instructions / measured - 1) < 0.25
    assert choices[0].m4_instructions < choices[1].m4_instructions
    assert choices[0].bytes_in_flash < choices[1].bytes_in_flash
    shown = info(byteprop.load(CNN))
    assert "M4 instructions per sample, about" in shown.text()
    assert shown.to_json()["training"]["choices"][0]["m4_instructions"] > 0
