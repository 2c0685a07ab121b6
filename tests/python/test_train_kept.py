"""Features that are kept, rehearsed, and classes that come and go: the C trainer against the
reference in NumPy, written from docs/numerics.md. Every byte of state and image is compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import byteprop
from byteprop import image
from byteprop.engine import _raw, _raw_train
from byteprop.engine._raw_train import Config, Trainer
from byteprop.errors import TrainingError
from byteprop.graph import Activation, Graph
from byteprop.ops.add import Add
from byteprop.ops.convolution import Convolution
from byteprop.reference.head import ReferenceHead
from byteprop.training.masters import copies_of, kept_bytes, read_masters
from image_net import ImageNet, image_graph
from training_case import Net, check_same_graph, graph_of

ROOT = Path(__file__).resolve().parents[2]
CNN = ROOT / "examples/fashion_mnist/fashion_cnn.tflite"
RATE = 1 << 17


@pytest.fixture(params=_raw.isa_names(), scope="module", autouse=True)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    before = _raw.isa_name()
    assert _raw.isa_select(request.param)
    yield request.param
    assert _raw.isa_select(before)


class Pair:
    """Both trainers; whatever one does, the other does, and refuses what the other refuses."""

    def __init__(self, net: Net, config: Config, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.graph = graph_of(net, self.rng)
        self.config = config
        self.c = Trainer(image.encode(self.graph), config)
        self.python = ReferenceHead(self.graph, config)
        self.classes = net.sizes[-1]

    def x(self) -> npt.NDArray[Any]:
        tensor = self.graph.tensors[self.graph.inputs[0]]
        limits = np.iinfo(tensor.dtype.numpy)
        drawn = self.rng.integers(limits.min, limits.max + 1, (1, tensor.elems))
        return drawn.astype(tensor.dtype.numpy)

    def remember(self, label: int) -> None:
        x = self.x()
        self.c.remember(x.view(np.uint8).reshape(-1), label)
        self.python.remember(x, label)

    def learn(self, label: int) -> None:
        x = self.x()
        bits, y = x.view(np.uint8).reshape(1, -1), np.array([label], np.uint16)
        got = self.c.run(bits, y, lr_q24=np.array([RATE], np.uint32))[0]
        self.same(got, self.python.sample(x, label, RATE))

    def rehearse(self) -> None:
        if self.refused(lambda: self.python.rehearse(RATE)):
            with pytest.raises(TrainingError, match="E_STATE"):
                self.c.rehearse(np.array([RATE], np.uint32))
        else:
            self.same(self.c.rehearse(np.array([RATE], np.uint32))[0], self.result)

    def hold(self, label: int) -> None:
        x = self.x()
        if self.refused(lambda: self.python.hold(x, label)):
            with pytest.raises(TrainingError, match="E_STATE"):
                self.c.hold(x.view(np.uint8).reshape(-1), label)
        else:
            self.c.hold(x.view(np.uint8).reshape(-1), label)

    def judge(self) -> None:
        if self.refused(self.python.check):
            with pytest.raises(TrainingError, match="E_STATE"):
                self.c.check()
        else:
            assert self.c.check() == self.result

    def edit(self, name: str, label: int) -> None:
        refused = self.refused(lambda: getattr(self.python, name)(label))
        if refused:
            with pytest.raises(TrainingError, match="E_STATE"):
                getattr(self.c, name)(label)
        else:
            getattr(self.c, name)(label)

    def refused(self, call: Any) -> bool:
        try:
            self.result = call()
        except TrainingError:
            return True
        return False

    @staticmethod
    def same(got: Any, wanted: Any) -> None:
        assert int(got["loss"]) == wanted.loss
        assert int(got["predicted"]) == wanted.predicted
        assert bool(got["correct"]) == wanted.correct

    def check(self) -> None:
        check_same_graph(image.decode(self.c.image), self.python.graph)
        assert self.c.counters == self.python.counters
        state, n_in = self.c.state, self.graph.ops[-2].weights.shape[1]
        labels_bytes = -(-2 * self.config.kept // 4) * 4
        at = len(state) - 16 - labels_bytes - -(-self.config.kept * n_in // 4) * 4
        python = self.python
        numbers = [python.remembered, python.rehearsed, python.best, python.waited]
        assert np.frombuffer(state, "<u4", 4, at).tolist() == numbers
        labels = np.frombuffer(state, "<u2", self.config.kept, at + 16)
        rows = np.frombuffer(state, "i1", self.config.kept * n_in, at + 16 + labels_bytes)
        for label, row, entry in zip(
            labels.tolist(), rows.reshape(-1, n_in), self.python.entries, strict=True
        ):
            assert label == (0 if entry is None else entry[0] + 1 + 0x8000 * entry[2])
            if entry is not None:
                np.testing.assert_array_equal(row, entry[1])
        bias = np.frombuffer(state, "<i4", self.classes, _raw_train.HEAD_BYTES)
        np.testing.assert_array_equal(bias, self.python.masters[-1].bias)


nets = st.builds(
    Net,
    sizes=st.tuples(st.integers(1, 13), st.integers(2, 6)),
    activation=st.just(Activation.NONE),
    per_channel=st.booleans(),
    leading_quantize=st.booleans(),
    zero_points=st.booleans(),
    weight_limit=st.sampled_from([0, 3, 40, 128]),
    bias_limit=st.sampled_from([0, 3000, 2**23 - 1]),
    weight_scale=st.sampled_from([0.02, 1.0, 2.0**-20]),
    without_bias=st.integers(0, 1),
)
configs = st.builds(
    Config,
    seed=st.integers(0, 2**32 - 1),
    batch=st.sampled_from([1, 1, 3]),
    nearest=st.booleans(),
    residual=st.booleans(),
    momentum_shift=st.sampled_from([0, 0, 2]),
    kept=st.integers(1, 9),
)
steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["remember"] * 4
            + ["learn", "rehearse", "rehearse", "imprint", "remove", "hold", "judge", "judge"]
        ),
        st.integers(0, 5),
    ),
    min_size=5,
    max_size=24,
)


@settings(max_examples=50, deadline=None)
@given(nets, configs, steps, st.integers(0, 2**32 - 1))
def test_any_order_of_steps_gives_the_same_bits(
    net: Net, config: Config, steps: list[tuple[str, int]], seed: int
) -> None:
    pair = Pair(net, config, seed)
    for name, number in steps:
        label = number % pair.classes
        if name in ("imprint", "remove"):
            pair.edit(name, label)
        elif name in ("rehearse", "judge"):
            getattr(pair, name)()
        else:
            getattr(pair, name)(label)
        pair.check()


def filled(kept: int = 12, **options: Any) -> Pair:
    pair = Pair(Net((8, 4), activation=Activation.NONE), Config(5, kept=kept, **options), 1)
    for i in range(2 * kept):
        pair.remember(i % 3)
    return pair


def test_a_full_store_stays_balanced() -> None:
    pair = filled()
    for _ in range(20):
        pair.remember(3)
    labels = [entry[0] for entry in pair.python.entries if entry is not None]
    assert sorted(labels.count(j) for j in range(4)) == [3, 3, 3, 3]
    pair.check()


def test_rehearsals_take_all_classes_alike() -> None:
    pair = filled()
    for _ in range(3):
        pair.remember(3)
    seen = dict.fromkeys(range(4), 0)
    for number in range(400):
        draw = _raw_train.draw(5, number, 0xFFFF0007, 0)
        seen[draw * 4 >> 32] += 1
    assert min(seen.values()) > 70
    before = pair.c.image
    for _ in range(40):
        pair.rehearse()
    pair.check()
    assert pair.c.counters.samples == 40
    assert pair.c.image != before


def test_what_is_held_out_says_when_to_stop() -> None:
    """At most half of the places; nothing learns from them; a check knows the best before it."""
    pair = Pair(Net((8, 4), activation=Activation.NONE), Config(5, kept=12), 1)
    for i in range(12):
        pair.hold(i % 3)
    assert sum(entry is not None for entry in pair.python.entries) == 6
    pair.judge()
    before = pair.c.check()
    assert (before.held, before.waited) == (6, 1)
    pair.python.check()
    assert pair.refused(lambda: pair.python.rehearse(RATE))
    pair.rehearse()
    for i in range(30):
        pair.remember(i % 3)
    assert sum(entry is not None and entry[2] for entry in pair.python.entries) == 6
    waits = []
    for _ in range(40):
        pair.rehearse()
        pair.judge()
        waits.append(pair.result.waited)
    pair.check()
    assert 0 in waits and max(waits) > 3
    pair.edit("remove", 1)
    assert pair.c.check().held == 4


def test_a_removed_class_never_wins_and_is_not_learnt() -> None:
    pair = filled()
    pair.edit("remove", 1)
    row = image.decode(pair.c.image).ops[0]
    assert not row.weights[1].any()
    assert row.bias[1] == -8388607
    x = np.concatenate([pair.x() for _ in range(200)])
    answers = _raw.Engine(pair.c.image).run(x.view(np.uint8)).view(np.int8)
    assert (answers.argmax(1) != 1).all()
    for _ in range(50):
        pair.rehearse()
        pair.learn(0)
    pair.check()
    assert image.decode(pair.c.image).ops[0].bias[1] == -8388607


def test_what_cannot_be_is_refused() -> None:
    graph = graph_of(Net((8, 4), activation=Activation.NONE), np.random.default_rng(0))
    bits = image.encode(graph)
    x = np.zeros(8, np.uint8)
    without = Trainer(bits, Config(0))
    for call in (
        lambda: without.remember(x, 0),
        lambda: without.rehearse(np.array([1], np.uint32)),
        lambda: without.imprint(0),
        lambda: without.remove(0),
        lambda: without.hold(x, 0),
        without.check,
    ):
        with pytest.raises(TrainingError, match="E_UNSUPPORTED"):
            call()
    trainer = Trainer(bits, Config(0, kept=4))
    for call in (
        lambda: trainer.remember(x, 4),
        lambda: trainer.hold(x, 4),
        lambda: trainer.imprint(4),
    ):
        with pytest.raises(TrainingError, match="E_ARG"):
            call()
    for call in (lambda: trainer.imprint(0), lambda: trainer.rehearse(np.array([1], np.uint32))):
        with pytest.raises(TrainingError, match="E_STATE"):
            call()
    with pytest.raises(TrainingError, match="E_UNSUPPORTED"):
        _raw_train.plan(bits, Config(0, window=5, kept=4))
    squares = graph_of(Net((8, 4), classifier=False), np.random.default_rng(0))
    with pytest.raises(TrainingError, match="E_UNSUPPORTED"):
        _raw_train.plan(image.encode(squares), Config(0, kept=4))
    deep = graph_of(Net((8, 6, 4)), np.random.default_rng(0))
    two_layers = Trainer(image.encode(deep), Config(0, kept=4))
    two_layers.remember(x, 0)
    two_layers.rehearse(np.array([RATE], np.uint32))
    with pytest.raises(TrainingError, match="E_UNSUPPORTED"):
        two_layers.imprint(0)


@pytest.mark.parametrize("in_flash", [False, True])
def test_a_resumed_training_reaches_the_same_bits(in_flash: bool) -> None:
    graph = byteprop.load(CNN).graph
    config = Config(3, kept=6, in_flash=in_flash)
    inputs = np.random.default_rng(0).integers(0, 256, (12, 784)).astype(np.uint8)
    bits = image.encode(graph)
    straight, other = Trainer(bits, config), Trainer(bits, config)

    def half(trainer: Trainer, first: int) -> None:
        for i in range(first, first + 6):
            trainer.remember(inputs[i], i % 4)
        trainer.imprint(2)
        trainer.rehearse(np.full(9, RATE, np.uint32))

    half(straight, 0)
    half(other, 0)
    resumed = Trainer(bits if in_flash else other.image, config, state=other.state)
    half(straight, 6)
    half(resumed, 6)
    assert resumed.state == straight.state
    assert resumed.image == straight.image


THREE, ONE = (3, 1, 1), (1, 1, 0)
KEYWORDS = ImageNet(
    (("conv", THREE, THREE), ("depthwise", THREE, THREE), ("conv", ONE, ONE), ("mean", ONE, ONE)),
    size=(5, 3, 1), channels=(3,), zero_points=True,
)  # fmt: skip
BLOCKS = ImageNet(
    (("conv", THREE, THREE), ("max", (2, 2, 0), ONE), ("conv", THREE, THREE), ("add", ONE, ONE),
     ("conv", ONE, ONE)),
    channels=(4,),
)  # fmt: skip
CROSSED = ImageNet((*[("conv", THREE, THREE)] * 3, ("add", ONE, ONE)), channels=(4,))


def image_samples(net: ImageNet, seed: int, n: int) -> tuple[Graph, Any, list[int]]:
    rng = np.random.default_rng(seed)
    graph = image_graph(net, rng)
    x = rng.integers(-128, 128, (n, 1, graph.tensors[0].elems)).astype(np.int8)
    return graph, x, [int(v) for v in rng.integers(0, 3, n)]


@pytest.mark.parametrize("in_flash", [False, True])
@pytest.mark.parametrize("convs", [1, 2, 3])
@pytest.mark.parametrize(("net", "seed"), [(KEYWORDS, 1), (BLOCKS, 2)])
def test_kept_features_of_convolutions_change_no_bit(
    net: ImageNet, seed: int, convs: int, in_flash: bool
) -> None:
    """With room for one sample, what is learnt again is what was just kept."""
    graph, x, labels = image_samples(net, seed, 6)
    config = Config(7, convs=convs, in_flash=in_flash)
    bits = image.encode(graph)
    plain, keeping = Trainer(bits, config), Trainer(bits, replace(config, kept=1))
    rates = np.full(1, 1 << 19, np.uint32)
    for row, label in zip(x.view(np.uint8), labels, strict=True):
        keeping.remember(row[0], label)
        again = keeping.rehearse(rates)
        assert again == plain.run(row, np.array([label], np.uint16), lr_q24=rates)
    assert keeping.image == plain.image != bits
    assert keeping.counters == plain.counters
    copies = len(copies_of(graph, config)) * in_flash
    learnt = len(plain.state) - copies
    assert keeping.state[:learnt] == plain.state[:learnt]
    assert keeping.state.endswith(plain.state[learnt:])
    first = [op for op in graph.ops if isinstance(op, Convolution)][-convs]
    features = graph.tensors[first.input].elems
    assert len(keeping.state) - len(plain.state) == kept_bytes(1, features)
    masters = [read_masters(graph, t.config, t.state[: len(t.state) - copies])
               for t in (plain, keeping)]  # fmt: skip
    for a, b in zip(*masters, strict=True):
        np.testing.assert_array_equal(a.residual, b.residual)
    with pytest.raises(TrainingError, match="E_UNSUPPORTED"):
        keeping.imprint(0)


@pytest.mark.parametrize(("net", "seed", "convs"), [(KEYWORDS, 1, 2), (BLOCKS, 2, 2)])
def test_features_of_convolutions_are_kept_as_by_the_reference(
    net: ImageNet, seed: int, convs: int
) -> None:
    graph, x, labels = image_samples(net, seed, 12)
    config = Config(3, convs=convs, kept=4)
    c, python = Trainer(image.encode(graph), config), ReferenceHead(graph, config)
    for row, label in zip(x, labels, strict=True):
        c.remember(row[0].view(np.uint8), label)
        python.remember(row, label)
        result, wanted = c.rehearse(np.array([1 << 19], np.uint32))[0], python.rehearse(1 << 19)
        Pair.same(result, wanted)
    check_same_graph(image.decode(c.image), python.graph)
    assert c.counters == python.counters


def test_what_else_is_read_of_the_frozen_part_is_refused_by_name() -> None:
    """The sum reads what is in front of the first convolution that is trained, and more."""
    graph, _, _ = image_samples(CROSSED, 4, 0)
    bits = image.encode(graph)
    config = Config(3, convs=1)
    Trainer(bits, config)
    with pytest.raises(TrainingError) as caught:
        Trainer(bits, replace(config, kept=1))
    assert isinstance(graph.ops[caught.value.op or 0], Add)
    with pytest.raises(TrainingError, match="more of the frozen part"):
        ReferenceHead(graph, replace(config, kept=1))


def test_a_state_with_labels_of_no_class_is_refused() -> None:
    pair = filled()
    state = bytearray(pair.c.state)
    at = len(state) - 8 * pair.config.kept - 2 * pair.config.kept
    state[at : at + 2] = (5).to_bytes(2, "little")
    with pytest.raises(TrainingError, match="E_ARG"):
        Trainer(pair.c.image, pair.config, state=bytes(state))
    state[at : at + 2] = (4).to_bytes(2, "little")
    Trainer(pair.c.image, pair.config, state=bytes(state))


def test_flash_and_ram_give_the_same_image() -> None:
    graph = byteprop.load(CNN).graph
    bits = image.encode(graph)
    config = Config(1, kept=5)
    ram, flash = Trainer(bits, config), Trainer(bits, replace(config, in_flash=True))
    for trainer in (ram, flash):
        for i in range(7):
            trainer.remember(np.full(784, 30 * i, np.uint8), i % 5)
        trainer.remove(4)
        trainer.imprint(3)
        trainer.rehearse(np.full(20, RATE, np.uint32))
    assert ram.image == flash.image
