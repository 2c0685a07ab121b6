"""The C trainer against the reference in NumPy where images are trained: convolutions, depthwise
convolutions, pools, means, branches; after every sample every weight, residual, bias, counter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import Model, image
from byteprop.engine._raw_train import Config, Trainer, plan
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Activation, Graph
from byteprop.ops import Dense, Softmax
from byteprop.ops.add import Add
from byteprop.ops.conv import Conv
from byteprop.ops.pool import Pool
from byteprop.ops.window import Axis, Window
from byteprop.reference.training import ReferenceTrainer
from byteprop.training.masters import copies_of
from image_net import ImageNet, image_graph
from training_case import RANGE_BYTES, Pair

ALL = 16
ONE, THREE = (1, 1, 0), (3, 1, 1)
windows = st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))
kinds = st.sampled_from(["conv", "depthwise", "max", "average", "mean"])
first_kinds = st.sampled_from(["conv", "depthwise"])
nets = st.builds(
    ImageNet,
    layers=st.tuples(
        st.tuples(first_kinds, windows, windows),
        st.tuples(kinds, windows, windows),
        st.tuples(kinds, windows, windows),
        st.tuples(kinds, windows, windows),
    ),
    activation=st.sampled_from([a for a in Activation if a is not Activation.RELU_0_TO_1]),
    pool_activation=st.sampled_from([Activation.NONE, Activation.NONE, Activation.RELU6]),
    per_channel=st.booleans(),
    zero_points=st.booleans(),
    classifier=st.booleans(),
    hidden=st.sampled_from([0, 0, 4]),
    weight_limit=st.sampled_from([3, 60, 128]),
)
branches = st.sampled_from(
    ["conv", "depthwise", "max", "average", "add", "add", "sub", "pad", "concat", "back", "back"]
)
branched = st.builds(
    ImageNet,
    layers=st.lists(st.tuples(branches, windows, windows), min_size=4, max_size=9).map(
        lambda layers: (("conv", THREE, THREE), *layers)
    ),
    size=st.just((5, 4, 2)),
    channels=st.sampled_from([(4, 3, 5), (2,)]),
    activation=st.sampled_from([Activation.RELU, Activation.NONE, Activation.RELU6]),
    per_channel=st.booleans(),
    zero_points=st.sampled_from([False, False, True]),
    classifier=st.booleans(),
)
configs = st.builds(
    Config,
    seed=st.integers(0, 2**32 - 1),
    convs=st.one_of(st.just(ALL), st.integers(1, 4)),
    frozen=st.sampled_from([0, 0, 1, 2, 3]),
    batch=st.sampled_from([1, 1, 3]),
    nearest=st.booleans(),
    residual=st.booleans(),
    momentum_shift=st.sampled_from([0, 0, 2]),
)
seeds = st.integers(0, 2**32 - 1)


def train(graph: Graph, config: Config, *, samples: int, seed: int) -> Pair:
    """Compares after every sample."""
    rng = np.random.default_rng(seed)
    pair = Pair(graph, config)
    n_out = graph.tensors[graph.outputs[0]].elems
    shape = graph.tensors[0].shape
    for _ in range(samples):
        x = rng.integers(-128, 128, shape).astype(np.int8)
        x[rng.random(shape) < 0.3] = -128
        y = rng.integers(-(1 << 20), 1 << 20, n_out)
        is_classifier = isinstance(graph.ops[-1], Softmax)
        pair.sample(
            x, int(rng.integers(n_out)) if is_classifier else y, int(2 ** rng.uniform(8, 22))
        )
    pair.flush()
    return pair


@settings(max_examples=120, deadline=None)
@given(nets, configs, seeds)
def test_every_option_gives_the_same_bits(net: ImageNet, config: Config, seed: int) -> None:
    train(image_graph(net, np.random.default_rng(seed)), config, samples=4, seed=seed)


scratch = {
    "activation": st.just(Activation.RELU),
    "pool_activation": st.sampled_from([Activation.NONE, Activation.NONE, Activation.RELU]),
    "per_channel": st.just(False),
    "zero_points": st.just(False),
}
chains = st.builds(replace, nets, odd_scales=st.booleans(), **scratch)
residual_kinds = st.sampled_from(["conv", "depthwise", "max", "average", "add", "sub", "back"])
residual = st.builds(
    replace,
    nets,
    layers=st.tuples(
        st.just(("conv", ONE, ONE)),
        *(st.tuples(residual_kinds, windows, windows) for _ in range(4)),
        st.sampled_from([("conv", ONE, ONE), ("mean", ONE, ONE), ("add", ONE, ONE)]),
    ),
    even=st.just(True),
    **scratch,
)


@settings(max_examples=35, deadline=None)
@given(st.one_of(chains, residual), configs, st.integers(1, 3), seeds)
def test_scales_follow_with_the_same_bits(
    net: ImageNet, config: Config, window: int, seed: int
) -> None:
    graph = image_graph(net, np.random.default_rng(seed))
    pair = train(graph, replace(config, window=window), samples=6, seed=seed)
    rng = np.random.default_rng(seed)
    pair.check_inference(rng.integers(-128, 128, (2, *graph.tensors[0].shape[1:])).astype(np.int8))


def test_every_kind_of_layer_has_a_scale_that_follows() -> None:
    """Pools pass the scale of what they read on; means and sums have their own."""
    kinds = ("conv", "max", "depthwise", "average", "conv", "conv", "add", "mean")
    net = net_of(*kinds, size=(8, 8, 2), channels=(4,), hidden=4, weight_limit=30, even=True)
    graph = image_graph(net, np.random.default_rng(1))
    for window, expected in ((0, set()), (1, set(range(1, len(graph.tensors) - 1)))):
        pair = train(graph, Config(seed=1, convs=ALL, window=window), samples=6, seed=2)
        before, after = graph.tensors, pair.python.graph.tensors
        moved = {i for i, t in enumerate(before) if after[i].scale != t.scale}
        assert moved == expected
        assert (pair.c.counters.rescales > 0) == bool(window)
    memory = [
        plan(image.encode(graph), Config(seed=1, convs=ALL, window=window)).memory_bytes
        for window in (0, 1)
    ]
    assert memory[1] - memory[0] == 2 * RANGE_BYTES  # for the mean and the sum


@settings(max_examples=100, deadline=None)
@given(branched, configs, seeds)
def test_branches_give_the_same_bits(net: ImageNet, config: Config, seed: int) -> None:
    train(image_graph(net, np.random.default_rng(seed)), config, samples=3, seed=seed)


def net_of(*kinds: str, window: tuple[int, int, int] = THREE, **more: object) -> ImageNet:
    return ImageNet(tuple((kind, window, window) for kind in kinds), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["conv", "depthwise"])
def test_gradients_of_many_positions_are_shifted_and_fit(kind: str) -> None:
    """Above 257 positions the sum over them would leave 32 bits; the reference asserts that it does
    not."""
    net = net_of(kind, size=(20, 26, 1), activation=Activation.NONE, weight_limit=127)
    train(image_graph(net, np.random.default_rng(5)), Config(seed=2, convs=ALL), samples=6, seed=3)


def test_errors_of_many_channels_are_shifted_and_fit() -> None:
    net = net_of("conv", "conv", size=(4, 4, 2), channels=(3, 90), activation=Activation.NONE)
    graph = image_graph(replace(net, weight_limit=128), np.random.default_rng(6))
    train(graph, Config(seed=2, convs=ALL), samples=4, seed=4)


@pytest.mark.parametrize("window", [(3, 1, 1), (3, 2, 0), (3, 2, 2)])
def test_gradients_of_depthwise_convolutions_are_summed_band_by_band(
    window: tuple[int, int, int],
) -> None:
    """A channel of the larger image is not in memory as a whole."""
    for size in ((23, 31, 3), (7, 6, 3)):
        net = net_of("conv", "depthwise", "depthwise", window=window, size=size, zero_points=True)
        graph = image_graph(net, np.random.default_rng(8))
        train(graph, Config(seed=4, convs=ALL), samples=3, seed=6)


@pytest.mark.parametrize("channels", [(9, 70, 5), (9, 5, 70)], ids=["stored", "of a mean"])
def test_pointwise_errors_and_gradients_of_many_channels_and_positions(
    channels: tuple[int, ...],
) -> None:
    """More channels than go down at once, and more positions than are summed up at once."""
    layers = tuple((kind, ONE, ONE) for kind in ("conv", "conv", "conv", "mean"))
    net = ImageNet(layers, size=(17, 16, 3), channels=channels, per_channel=True, zero_points=True)
    graph = image_graph(net, np.random.default_rng(7))
    train(graph, Config(seed=3, convs=ALL), samples=4, seed=5)


def test_pools_behind_convolutions_keep_no_errors_of_their_inputs() -> None:
    """The output of a convolution that only a maximum reads is kept nowhere, and has no errors;
    what a mean reads is kept as bytes."""
    net = ImageNet((("conv", ONE, ONE),), size=(16, 16, 4), channels=(8,))
    elements = 16 * 16 * 8
    window = (2, 2, 0)

    def memory(*more: str) -> int:
        """Beyond what the last dense layer takes."""
        layers = (*net.layers, *((kind, window, window) for kind in more))
        graph = image_graph(replace(net, layers=layers), np.random.default_rng(1))
        dense = next(op for op in graph.ops if isinstance(op, Dense))
        return plan(image.encode(graph), Config(seed=1, convs=1)).memory_bytes - dense.weights.size

    # Errors of 32 bits, which become 16 in their place, and a byte of output, for each value that
    # has them.
    assert 5 * elements < memory() < 5 * elements + 1000
    assert elements < memory("mean") < elements + 1000
    pooled = elements // 4
    assert 6 * pooled <= memory("max") < 6 * pooled + 1000


def test_a_resumed_training_of_images_has_the_same_bits() -> None:
    graph = image_graph(net_of("conv", "max", "depthwise", "conv"), np.random.default_rng(9))
    config = Config(seed=4, convs=ALL, batch=2, momentum_shift=1)
    rng = np.random.default_rng(10)
    x = rng.integers(0, 256, (9, graph.tensors[0].elems)).astype(np.uint8)
    labels = rng.integers(0, 3, 9).astype(np.uint16)
    rates = np.full(9, 200_000, np.uint32)
    whole, half = Trainer(image.encode(graph), config), Trainer(image.encode(graph), config)
    whole.run(x, labels, lr_q24=rates)
    half.run(x[:5], labels[:5], lr_q24=rates[:5])
    resumed = Trainer(half.image, config, state=half.state)
    resumed.run(x[5:], labels[5:], lr_q24=rates[5:])
    assert (resumed.image, resumed.state) == (whole.image, whole.state)


def test_an_image_that_stays_in_flash_gives_the_same_bits() -> None:
    graph = image_graph(net_of("conv", "depthwise", "max", "conv"), np.random.default_rng(9))
    rng = np.random.default_rng(10)
    x = rng.integers(0, 256, (6, graph.tensors[0].elems)).astype(np.uint8)
    labels = rng.integers(0, 3, 6).astype(np.uint16)
    for convs in (ALL, 2, 1):
        config = Config(seed=4, convs=convs)
        in_ram = Trainer(image.encode(graph), config)
        in_flash = Trainer(image.encode(graph), replace(config, in_flash=True))
        for trainer in (in_ram, in_flash):
            trainer.run(x, labels, lr_q24=np.full(6, 200_000, np.uint32))
        assert in_flash.image == in_ram.image
        assert in_flash.state.startswith(in_ram.state)
        copies = copies_of(image.decode(in_flash.image), config)
        assert in_flash.state == in_ram.state + copies


def residual_graph(*, swapped: bool = False, seed: int = 9) -> Graph:
    """Two convolutions of one image, added up, and that image once more."""
    kinds = ("conv", "conv", "conv", "depthwise", "conv", "mean")
    net = net_of(*kinds, channels=(4,), size=(6, 5, 4))
    graph = image_graph(net, np.random.default_rng(seed))
    stem, left, right, behind, last, mean, *rest = graph.ops
    tensors = list(graph.tensors)
    for name in ("sum", "all"):
        tensors.append(replace(tensors[stem.output], name=name, scale=np.float32(1 / 12)))
    total, whole = len(tensors) - 2, len(tensors) - 1
    right = replace(right, input=stem.output)
    pair = (right, left) if swapped else (left, right)
    add = Add(left.output, total, right.output, activation=Activation.RELU)
    ops = (
        stem, *pair, add, replace(behind, input=total), last,
        Add(total, whole, last.output), replace(mean, input=whole), *rest,
    )  # fmt: skip
    return replace(graph, tensors=tuple(tensors), ops=ops)


def test_the_order_of_branches_changes_no_bit() -> None:
    """But for the numbers of layers, from which dithering comes."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (6, 120)).astype(np.uint8)
    trained = []
    for swapped in (False, True):
        graph = residual_graph(swapped=swapped)
        trainer = Trainer(image.encode(graph), Config(seed=4, convs=ALL, nearest=True))
        trainer.run(x, np.arange(6, dtype=np.uint16) % 3, lr_q24=np.full(6, 900_000, np.uint32))
        after = image.decode(trainer.image)
        weights = {op.output: op.weights for op in after.ops if hasattr(op, "weights")}
        assert all((weights[op.output] != op.weights).any() for op in graph.ops[:3])
        trained.append(weights)
    for output, weights in trained[0].items():
        np.testing.assert_array_equal(weights, trained[1][output])


@pytest.mark.parametrize("convs", [ALL, 4, 3, 2, 1])
def test_what_joins_the_frozen_part_reads_it_where_inference_has_it(convs: int) -> None:
    graph = residual_graph()
    config = Config(seed=4, convs=convs)
    train(graph, config, samples=3, seed=convs)
    rng = np.random.default_rng(10)
    x = rng.integers(0, 256, (6, 120)).astype(np.uint8)
    labels = rng.integers(0, 3, 6).astype(np.uint16)
    in_ram = Trainer(image.encode(graph), config)
    in_flash = Trainer(image.encode(graph), replace(config, in_flash=True))
    for trainer in (in_ram, in_flash):
        trainer.run(x, labels, lr_q24=np.full(6, 200_000, np.uint32))
    assert in_flash.image == in_ram.image
    resumed = Trainer(in_ram.image, config, state=in_ram.state)
    for trainer in (in_ram, resumed):
        trainer.run(x, labels, lr_q24=np.full(6, 200_000, np.uint32))
    assert (resumed.image, resumed.state) == (in_ram.image, in_ram.state)


def test_errors_that_cannot_wait_together_share_memory() -> None:
    """A block more of a residual network takes its outputs, and no place for errors to wait."""
    size = 8 * 8 * 16

    def memory(blocks: int) -> int:
        layers = [("conv", ONE, ONE), *[("conv", ONE, ONE), ("add", ONE, ONE)] * blocks]
        net = ImageNet(tuple(layers), size=(8, 8, 16), channels=(16,))
        make = image_graph(net, np.random.default_rng(1))
        sums = [i for i, op in enumerate(make.ops) if isinstance(op, Add)]
        ops = list(make.ops)
        for i in sums:
            ops[i] = Add(ops[i - 1].input, ops[i].output, ops[i - 1].output)
        trained = image.encode(replace(make, ops=tuple(ops)))
        return plan(trained, Config(seed=1, convs=ALL, residual=False)).memory_bytes

    for blocks in (1, 2):
        assert 2 * size < memory(blocks + 1) - memory(blocks) < 2 * size + 600


def test_an_output_that_nothing_reads_is_refused() -> None:
    graph = residual_graph()
    unread = changed(graph, 3, second=graph.ops[1].output)
    assert refused(unread) == "Conv"
    with pytest.raises(TrainingError) as caught:
        plan(image.encode(unread), Config(seed=0, convs=ALL))
    assert caught.value.op == 2
    Trainer(image.encode(unread), Config(seed=0, convs=2))


def test_fit_trains_a_residual_network() -> None:
    graph = residual_graph()
    model = Model(graph)
    x = np.random.default_rng(1).random((12, *graph.tensors[0].shape[1:]))
    model.fit(x, np.arange(12) % 3, train="last:4", learning_rate=0.02, validation_split=0)
    changed = [
        (now.weights != op.weights).any() if hasattr(op, "weights") else False
        for now, op in zip(model.graph.ops, graph.ops, strict=True)
    ]
    assert [i for i, is_changed in enumerate(changed) if is_changed] == [2, 4, 5, 8]


def refused(graph: Graph, convs: int = ALL) -> str:
    config = Config(seed=0, convs=convs)
    with pytest.raises(TrainingError) as in_c:
        plan(image.encode(graph), config)
    with pytest.raises(TrainingError):
        ReferenceTrainer(graph, config)
    return type(graph.ops[in_c.value.op]).__name__ if in_c.value.op is not None else ""


def changed(graph: Graph, index: int, **more: object) -> Graph:
    ops = list(graph.ops)
    ops[index] = replace(ops[index], **more)
    return replace(graph, ops=tuple(ops))


def test_what_errors_cannot_go_through_is_refused_unless_it_is_frozen() -> None:
    graph = image_graph(
        net_of("conv", "conv", "conv", size=(6, 6, 2), channels=(4,)), np.random.default_rng(1)
    )
    axis = Axis(3, 1, 2, 2)
    assert isinstance(graph.ops[1], Conv)
    dilated = changed(graph, 1, window=Window(axis, axis))
    assert refused(dilated) == "Conv"
    Trainer(image.encode(dilated), Config(seed=0, convs=1))
    halves = changed(graph, 1, weights=graph.ops[1].weights[..., :2].copy())
    assert refused(halves) == "Conv"
    x, y = np.zeros((3, *graph.tensors[0].shape[1:])), np.arange(3)
    for changes, words in ((dilated, "a dilation is"), (halves, "groups of channels are")):
        with pytest.raises(
            TrainingError, match=f"""layer 1 Conv 't2': {words} not learned; .*train="last:2\""""
        ):
            Model(changes).fit(x, y, train="last:3")
        Model(changes).fit(x, y, train="last:2", validation_split=0)
    clamped = changed(graph, 1, activation=Activation.RELU_0_TO_1)
    assert refused(clamped) == "Conv"


def test_windows_of_more_than_256_values_are_refused() -> None:
    graph = image_graph(
        ImageNet((("conv", ONE, ONE), ("max", (17, 17, 0), (16, 16, 0))), size=(17, 16, 1)),
        np.random.default_rng(1),
    )
    assert isinstance(graph.ops[1], Pool)
    assert refused(graph) == "Pool"


def test_fit_trains_the_last_convolutions_of_a_model() -> None:
    graph = image_graph(net_of("conv", "depthwise", "max", "conv"), np.random.default_rng(9))
    rng = np.random.default_rng(10)
    x, labels = rng.random((12, *graph.tensors[0].shape[1:])), np.arange(12) % 3
    model = Model(graph)
    before = model.graph
    model.fit(x, labels, train="last:3", learning_rate=0.02, validation_split=0)
    weighted = [i for i, op in enumerate(graph.ops) if hasattr(op, "weights")]
    changed = [
        i for i in weighted if (model.graph.ops[i].weights != before.ops[i].weights).any()
    ]  # fmt: skip
    assert changed == weighted[1:]


def test_weights_of_convolutions_can_be_taken_and_given() -> None:
    graph = image_graph(net_of("conv", "depthwise", "conv"), np.random.default_rng(9))
    rng = np.random.default_rng(10)
    x, labels = rng.random((12, *graph.tensors[0].shape[1:])), np.arange(12) % 3
    model, other = Model(graph), Model(graph)
    model.fit(x, labels, train="last:4", learning_rate=0.02)
    other.set_weights(model.get_weights())
    assert image.encode(other.graph) == image.encode(model.graph)
    assert [w.shape for w, _ in model.get_weights()][:2] == [(3, 3, 2, 4), (3, 3, 8)]


def test_convolutions_in_front_of_others_are_not_trained_alone() -> None:
    graph = image_graph(net_of("conv", "conv"), np.random.default_rng(9))
    x = np.zeros((3, *graph.tensors[0].shape[1:]))
    with pytest.raises(ArgumentError, match="the last ones to be trained, all of them behind 't1'"):
        Model(graph).fit(x, np.arange(3), train=["t1"])
