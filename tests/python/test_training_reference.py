"""The C trainer against the reference in NumPy, written from docs/numerics.md: after every sample
every weight, residual, bias, accumulated gradient, scale, counter and byte of the answers."""

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

from byteprop import image, load
from byteprop.engine import _raw, _raw_train
from byteprop.errors import ArgumentError, TrainingError
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Dense, Rescale, Softmax
from byteprop.reference import training as training_reference
from byteprop.reference.training import Config, ReferenceTrainer
from byteprop.training.masters import first_layer
from training_case import Net, Pair, graph_of

FASHION = Path(__file__).resolve().parents[2] / "examples/fashion_mnist"
TRAINABLE = [a for a in Activation if a is not Activation.RELU_0_TO_1]
RATE = 1 << 17  # 2^-7


isas = _raw.isa_names()


@pytest.fixture(params=isas, scope="module", autouse=True)
def isa(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every test runs with every set of kernels that this CPU has."""
    before = _raw.isa_name()
    assert _raw.isa_select(request.param)
    yield request.param
    assert _raw.isa_select(before)


def sample_of(
    graph: Graph, rng: np.random.Generator, target_bits: int = 22
) -> tuple[npt.NDArray[Any], Any]:
    """An input with zeros and extremes, and a label or targets."""
    source = graph.tensors[0]
    q = rng.integers(0, 256, (1, source.elems))
    at = rng.random(q.shape)
    unsigned = source.zero_point & 255
    q = np.where(at < 0.2, unsigned, np.where(at < 0.25, 127, np.where(at < 0.3, 128, q)))
    x = q.astype(np.uint8).view(source.dtype.numpy)
    n_out = graph.tensors[graph.outputs[0]].elems
    if any(isinstance(op, Softmax) for op in graph.ops):
        return x, int(rng.integers(n_out))
    return x, rng.integers(-(1 << target_bits), 1 << target_bits, n_out)


def train(
    graph: Graph,
    config: Config,
    *,
    samples: int,
    rates: tuple[int, int] = (10, 22),
    seed: int = 0,
    target_bits: int = 22,
) -> Pair:
    """Compares after every sample; rates: log2 of the smallest and the largest, in 2^-24."""
    rng = np.random.default_rng(seed)
    pair = Pair(graph, config)
    for _ in range(samples):
        x, y = sample_of(graph, rng, target_bits)
        pair.sample(x, y, int(2 ** rng.uniform(*rates)))
    pair.flush()
    pair.check_inference(np.concatenate([sample_of(graph, rng)[0] for _ in range(4)]))
    return pair


nets = st.builds(
    Net,
    sizes=st.lists(st.integers(1, 13), min_size=2, max_size=4).map(tuple),
    activation=st.sampled_from(TRAINABLE),
    classifier=st.booleans(),
    per_channel=st.booleans(),
    leading_quantize=st.booleans(),
    reshape=st.booleans(),
    zero_points=st.booleans(),
    weight_limit=st.sampled_from([3, 40, 128]),
    bias_limit=st.sampled_from([0, 3000, 2**23 - 1]),
    hidden_scale=st.floats(2**-9, 2.0),
    logit_scale=st.floats(2**-7, 2.0),
    power_of_two=st.booleans(),
    without_bias=st.integers(0, 7),
    trailing_quantize=st.booleans(),
)
configs = st.builds(
    Config,
    seed=st.integers(0, 2**32 - 1),
    frozen=st.one_of(st.just(0), st.integers(0, 7)),
    batch=st.integers(1, 5),
    nearest=st.booleans(),
    residual=st.booleans(),
    momentum_shift=st.sampled_from([0, 0, 1, 4, 15]),
)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=100, deadline=None)
@given(nets, configs, seeds)
def test_every_option_gives_the_same_bits(net: Net, config: Config, seed: int) -> None:
    graph = graph_of(net, np.random.default_rng(seed))
    train(graph, config, samples=7, seed=seed)


@settings(max_examples=60, deadline=None)
@given(nets, configs, seeds, st.integers(1, 4))
def test_scales_are_revised_alike(net: Net, config: Config, seed: int, window: int) -> None:
    net = replace(net, activation=Activation.RELU, per_channel=False, zero_points=False)
    graph = graph_of(net, np.random.default_rng(seed))
    train(graph, replace(config, window=window), samples=12, seed=seed)


@settings(max_examples=40, deadline=None)
@given(nets, configs, seeds)
def test_rates_and_targets_far_beyond_sense_give_the_same_bits(
    net: Net, config: Config, seed: int
) -> None:
    graph = graph_of(net, np.random.default_rng(seed))
    train(graph, config, samples=5, rates=(26, 32), seed=seed, target_bits=31)


# Each of these shows that what it is named for did happen, which random networks do not promise.


def from_scratch(**changes: Any) -> Net:
    net = Net((16, 12, 9, 6), weight_limit=60, bias_limit=0, power_of_two=True)
    return replace(net, **changes)


def tensor_scales(graph: Graph) -> list[np.float32]:
    return [tensor.scale for tensor in graph.tensors]


@pytest.mark.parametrize("residual", [True, False], ids=["residual", "no residual"])
@pytest.mark.parametrize("momentum_shift", [0, 3])
@pytest.mark.parametrize("classifier", [True, False], ids=["cross-entropy", "mse"])
def test_scales_grow_and_shrink(classifier: bool, momentum_shift: int, residual: bool) -> None:
    config = Config(7, window=5, momentum_shift=momentum_shift, residual=residual)
    small = from_scratch(hidden_scale=2**-9, logit_scale=2**-10, classifier=classifier)
    large = from_scratch(hidden_scale=4.0, logit_scale=8.0, classifier=classifier)
    for net, grows in ((small, True), (large, False)):
        graph = graph_of(net, np.random.default_rng(1))
        pair = train(graph, config, samples=40)
        before, after = tensor_scales(graph), tensor_scales(pair.python.graph)
        # Hidden layers, and the logits; a declared output stays.
        assert (after[1] > before[1]) if grows else (after[1] < before[1])
        assert (after[3] != before[3]) == classifier
        assert pair.python.counters.rescales > 3
        assert (pair.python.counters.saturated_activations > 0) or not grows


@pytest.mark.parametrize("residual", [True, False], ids=["residual", "no residual"])
def test_weights_that_reach_their_range_double_their_scale(residual: bool) -> None:
    graph = graph_of(from_scratch(weight_limit=118), np.random.default_rng(2))
    config = Config(3, window=4, momentum_shift=2, residual=residual, frozen=0b010)
    pair = train(graph, config, samples=40, rates=(18, 20))
    scales = [
        (new.weight_scales[0] / old.weight_scales[0])
        for old, new in zip(graph.ops, pair.python.graph.ops, strict=True)
        if isinstance(old, Dense) and isinstance(new, Dense)
    ]
    assert scales[0] >= 2
    assert scales[1] == 1  # frozen


def with_effective_scale(graph: Graph, number: int, exponent: int) -> Graph:
    """Op number's s_x * s_w / s_y becomes 2^(exponent - 1), whose shift is exponent."""
    op = graph.ops[number]
    assert isinstance(op, Dense)
    s_x, s_y = graph.tensors[op.input].scale, graph.tensors[op.output].scale
    s_w = 2.0 ** (exponent - 1) * float(s_y) / float(s_x)
    return changed(graph, number, weight_scales=np.array([s_w], np.float32))


def frozen_scales(graph: Graph, config: Config) -> None:
    """Nothing is rescaled, though something would have been."""
    rng = np.random.default_rng(0)
    pair = Pair(graph, config)
    for _ in range(6):
        pair.sample(*sample_of(graph, rng), 0)
    assert pair.c.counters.rescales == 0
    assert tensor_scales(pair.python.graph) == tensor_scales(graph)


def one_hidden(**changes: Any) -> Graph:
    net = from_scratch(**{"sizes": (16, 12, 6), "classifier": False, "weight_limit": 20} | changes)
    return graph_of(net, np.random.default_rng(2))


def test_scales_do_not_grow_beyond_the_shifts() -> None:
    config = Config(3, window=1)
    saturating = one_hidden(hidden_scale=2**-12)
    frozen_scales(with_effective_scale(saturating, 1, 30), config)
    assert train(saturating, config, samples=6).python.counters.rescales > 0
    heavy = one_hidden(sizes=(16, 6), weight_limit=127)
    frozen_scales(with_effective_scale(heavy, 0, 30), config)
    assert train(heavy, config, samples=6).python.counters.rescales > 0


def test_scales_do_not_shrink_beyond_the_shifts() -> None:
    frozen_scales(with_effective_scale(one_hidden(hidden_scale=4.0), 1, -31), Config(3, window=1))


def test_a_layer_without_a_multiplier_keeps_its_scales() -> None:
    graph = with_effective_scale(one_hidden(hidden_scale=4.0), 1, -40)
    frozen_scales(graph, Config(3, window=1))


def test_scales_stay_normal() -> None:
    graph = one_hidden(hidden_scale=2.0**-126)
    graph = with_effective_scale(retensored(graph, 0, scale=np.float32(2.0**-60)), 0, -8)
    graph = with_effective_scale(retensored(graph, 2, scale=np.float32(2.0**-120)), 1, -8)
    frozen_scales(graph, Config(3, window=1))


def test_a_softmax_at_the_end_of_its_range_keeps_its_scale() -> None:
    net = from_scratch(sizes=(16, 6), logit_scale=2.0**-25, weight_limit=20, bias_limit=0)
    graph = with_effective_scale(graph_of(net, np.random.default_rng(2)), 0, -10)
    frozen_scales(graph, Config(3, window=1))


def still(n_out: int, bias: npt.NDArray[Any], **changes: Any) -> Graph:
    """A hidden layer whose output does not depend on its input, and one above it."""
    graph = one_hidden(sizes=(4, n_out, 2), **changes)
    op = graph.ops[0]
    assert isinstance(op, Dense)
    return changed(graph, 0, weights=np.zeros_like(op.weights), bias=bias.astype(np.int32))


def hidden_scale_after(graph: Graph, config: Config) -> float:
    pair = Pair(graph, config)
    pair.sample(*sample_of(graph, np.random.default_rng(0)), 0)
    return float(pair.python.graph.tensors[1].scale / graph.tensors[1].scale)


@pytest.mark.parametrize(("saturated", "factor"), [(1, 1), (2, 2)])
def test_one_saturation_in_16384_is_allowed(saturated: int, factor: int) -> None:
    bias = np.zeros(16384)
    bias[:saturated] = 1 << 22
    assert hidden_scale_after(still(16384, bias), Config(1, window=1)) == factor


@pytest.mark.parametrize("activation", TRAINABLE)
def test_no_error_passes_a_saturated_output(activation: Activation) -> None:
    """The first layer's outputs are all at y_max, so it learns only without an activation."""
    graph = one_hidden(sizes=(4, 3, 2), activation=activation)
    op = graph.ops[0]
    assert isinstance(op, Dense)
    bias = np.full(3, 1 << 22, np.int32)
    graph = changed(graph, 0, weights=np.zeros_like(op.weights), bias=bias)
    pair = Pair(graph, Config(1))
    before = pair.python.masters[0].bias
    for _ in range(5):
        pair.sample(*sample_of(graph, np.random.default_rng(0)), 1 << 23)
    learns = bool((pair.python.masters[0].bias != before).any())
    assert learns == (activation is Activation.NONE)


@pytest.mark.parametrize(("largest", "factor"), [(0, 1), (1, 0.5), (119, 0.5), (120, 1), (254, 1)])
def test_a_range_that_is_little_used_is_halved(largest: int, factor: float) -> None:
    graph = with_effective_scale(still(3, np.array([0, largest << 3, -9])), 0, -2)
    assert hidden_scale_after(graph, Config(1, window=1)) == factor


@pytest.mark.parametrize(("largest", "factor"), [(119, 1), (120, 2), (-120, 2)])
def test_weights_of_120_double_their_scale(largest: int, factor: int) -> None:
    graph = one_hidden(sizes=(4, 2), weight_limit=100)
    op = graph.ops[0]
    assert isinstance(op, Dense)
    weights = op.weights.copy()
    weights[1, 2] = largest
    pair = Pair(changed(graph, 0, weights=weights), Config(1, window=1))
    pair.sample(*sample_of(graph, np.random.default_rng(0)), 0)
    trained = pair.python.graph.ops[0]
    assert isinstance(trained, Dense)
    assert trained.weight_scales[0] == factor * op.weight_scales[0]


@pytest.mark.parametrize("error", [32766, 32767, 32768, 65534, 65535, 65536, 2**30 - 1])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_ends_of_the_blocks(error: int, sign: int) -> None:
    graph = one_hidden(sizes=(4, 5, 1), activation=Activation.NONE)
    for seed in range(5):
        x, _ = sample_of(graph, np.random.default_rng(seed))
        pair = Pair(graph, Config(1, nearest=True))
        y = int(pair.python.evaluate(x, np.array([-(2**30)])).loss ** 0.5) - 2**30
        pair.sample(x, np.array([y - sign * error]), 1 << 24)
        pair.sample(x, np.array([y]), 1 << 24)


def test_saturated_weights_are_counted() -> None:
    graph = graph_of(Net((9, 8, 4), classifier=False), np.random.default_rng(0))
    x, _ = sample_of(graph, np.random.default_rng(1))
    for config in (Config(1), Config(1, residual=False), Config(1, batch=2)):
        pair = Pair(graph, config)
        for _ in range(40):
            pair.sample(x, np.array([1, -1, 1, -1]) << 30, 1 << 26)
        assert pair.python.counters.saturated_weights > 50
        low, high = (-32640, 32639) if config.residual else (-127 * 256, 127 * 256)
        last = pair.python.masters[-1].weights
        assert last.min() == low and last.max() == high


@pytest.mark.parametrize("classifier", [True, False], ids=["cross-entropy", "mse"])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_rate_of_0_changes_nothing_but_counters(batch: int, classifier: bool) -> None:
    graph = graph_of(Net((9, 8, 4), classifier=classifier), np.random.default_rng(0))
    pair = Pair(graph, Config(1, batch=batch))
    before = pair.c.image
    rng = np.random.default_rng(3)
    for _ in range(6):
        pair.sample(*sample_of(graph, rng), 0)
    assert pair.c.image == before
    assert pair.c.counters.vanished > 6
    assert (pair.c.counters.samples, pair.c.counters.steps) == (6, 6 // batch)


@pytest.mark.parametrize("classifier", [True, False], ids=["cross-entropy", "mse"])
@pytest.mark.parametrize("sizes", [(1, 1), (1, 1, 1), (1, 7, 1), (7, 1, 3)])
def test_one_input_and_one_output(sizes: tuple[int, ...], classifier: bool) -> None:
    net = Net(sizes, classifier=classifier, activation=Activation.NONE)
    train(graph_of(net, np.random.default_rng(4)), Config(5), samples=30)


@pytest.mark.parametrize("per_channel", [False, True], ids=["per tensor", "per channel"])
@pytest.mark.parametrize("sizes", [(5, 4, 600), (5, 4, 600, 3), (5, 4, 1025, 3)])
def test_sums_over_many_outputs(sizes: tuple[int, ...], per_channel: bool) -> None:
    net = Net(sizes, classifier=sizes[-1] < 512, per_channel=per_channel)
    train(graph_of(net, np.random.default_rng(6)), Config(5), samples=8, target_bits=30)


@pytest.mark.parametrize("n_out", [511, 512, 513, 516, 517])
def test_the_largest_sums_of_the_backward_pass(n_out: int) -> None:
    """All weights -128 and all errors 32767: the errors below must not wrap."""
    net = Net((2, 3, n_out, 1), Activation.NONE, classifier=False, bias_limit=0, power_of_two=True)
    graph = graph_of(net, np.random.default_rng(0))
    first, middle, last = graph.ops
    assert isinstance(first, Dense) and isinstance(middle, Dense) and isinstance(last, Dense)
    middle = replace(middle, weights=np.full_like(middle.weights, -128))
    last = replace(last, weights=np.full_like(last.weights, 64))  # 64 * 32767, then halved 6 times
    graph = replace(graph, ops=(first, middle, last))
    for target in (1 - 2**31, 2**31 - 1):
        pair = Pair(graph, Config(seed=1, nearest=True, frozen=0b110))
        pair.sample(np.full((1, 2), 100, np.int8), np.array([target]), 1 << 23)
        moved = pair.python.masters[0].weights - 256 * first.weights.astype(np.int64)
        assert (np.sign(moved) == np.sign(-target)).all()


def test_a_loaded_weight_of_minus_128_stays_until_it_is_updated() -> None:
    graph = graph_of(Net((3, 2), classifier=False, bias_limit=0), np.random.default_rng(0))
    (dense,) = graph.ops
    assert isinstance(dense, Dense)
    graph = replace(graph, ops=(replace(dense, weights=np.full((2, 3), -128, np.int8)),))
    zero_point = graph.tensors[0].zero_point
    pair = Pair(graph, Config(1))
    x = np.array([[zero_point, zero_point + 1, zero_point + 255]], np.int8)
    pair.sample(x, np.array([1 << 20, 1 << 20]), 1 << 16)
    weights = pair.python.masters[0].weights
    assert (weights[:, 0] == -32768).all()
    assert (weights[:, 1:] >= -32640).all()
    assert pair.python.counters.saturated_weights > 0


def test_frozen_layers_stay_and_pass_errors_down() -> None:
    graph = graph_of(Net((9, 8, 7, 4)), np.random.default_rng(0))
    for frozen in range(8):
        config = Config(1, frozen=frozen)
        pair = train(graph, config, samples=10, rates=(18, 20))
        first = first_layer(graph, config)
        assert pair.python.graph.ops[:first] == graph.ops[:first]
        for number, masters in enumerate(pair.python.masters, first):
            old = graph.ops[number]
            assert isinstance(old, Dense)
            stayed = (masters.weights == 256 * old.weights.astype(np.int64)).all()
            assert stayed == bool(frozen >> number & 1)


def test_a_flush_uses_a_short_batch_and_then_does_nothing() -> None:
    graph = graph_of(Net((9, 8, 4)), np.random.default_rng(0))
    rng = np.random.default_rng(1)
    pair = Pair(graph, Config(1, batch=4))
    for n_waiting in (1, 3, 4):
        for _ in range(n_waiting):
            pair.sample(*sample_of(graph, rng), 1 << 20)
        pair.flush()
        steps, bits = pair.c.counters.steps, pair.c.image
        pair.flush()
        assert (pair.c.counters.steps, pair.c.image) == (steps, bits)
    assert pair.c.counters.steps == 3


def test_evaluation_gives_the_loss_and_leaves_no_trace() -> None:
    rng = np.random.default_rng(1)
    for classifier in (True, False):
        graph = graph_of(Net((9, 8, 4), classifier=classifier), np.random.default_rng(0))
        pair = train(graph, Config(1, window=3), samples=5)
        bits, state = pair.c.image, pair.c.state
        for _ in range(5):
            x, y = sample_of(graph, rng)
            wanted = pair.python.evaluate(x, y)
            (got,) = pair.c.run(x.view(np.uint8), pair.y_of(y))
            assert (got["loss"], got["predicted"]) == (wanted.loss, wanted.predicted)
        assert (pair.c.image, pair.c.state) == (bits, state)
        pair.check()
        pair.sample(*sample_of(graph, rng), RATE)


# The parts.


@settings(max_examples=200, deadline=None)
@given(seeds, seeds, seeds, seeds)
def test_draws(seed: int, step: int, layer: int, row: int) -> None:
    wanted = training_reference.draw(seed, step, layer, row)
    assert _raw_train.draw(seed, step, layer, row) == wanted


def test_draws_are_as_numerics_says() -> None:
    """Worked out by hand from the definition for zeros: three rounds of one constant."""
    h = 0
    for _ in range(3):
        h ^= 0x9E3779B1
        h ^= h >> 16
        h = h * 0x85EBCA6B % 2**32
        h ^= h >> 13
        h = h * 0xC2B2AE35 % 2**32
        h ^= h >> 16
    assert training_reference.draw(0, 0, 0, 0) == h


reals = st.floats(2.0**-100, 2.0**100, width=32)


@settings(max_examples=300, deadline=None)
@given(reals, reals, st.integers(-(2**31), 2**31 - 1))
def test_reals_are_what_they_stand_for(a: float, b: float, x: int) -> None:
    """To 2^-29 beside the true product and quotient, and mulsat exactly."""

    def value(real: Any) -> float:
        return float(real.m) * 2.0 ** (int(real.e) - 31)

    real_a = training_reference._real_of_float32(np.float32(a))
    real_b = training_reference._real_of_float32(np.float32(b))
    assert value(real_a) == a
    for real, true in (
        (training_reference._mul(real_a, real_b), a * b),
        (training_reference._div(real_a, real_b), a / b),
    ):
        assert 2**30 <= int(real.m) < 2**31
        assert -(2.0**-29) < value(real) / true - 1 <= 2.0**-52
    m, e = int(real_a.m), int(real_a.e)
    doubled = (x * m << max(e - 30, 0)) // (1 << max(30 - e, 0)) if x else 0  # floor(2 * x * a)
    exact = max(min((doubled + 1) // 2, 1 << 22), -(1 << 22))
    assert int(training_reference._mulsat(np.asarray(x, np.int64), real_a, 1 << 22)) == exact


def test_logarithms_are_within_one_step() -> None:
    for S in [*range(32768, 33000), 65535, 65536, 100_000, 511 * 32768]:
        true = (np.log2(S) - 15) * 256
        assert -1.01 < training_reference._log2_q8(S) - true <= 0


# What is refused, by both.


def refused(graph: Graph, config: Config, op: int | None) -> None:
    with pytest.raises((TrainingError, ArgumentError)) as by_c:
        _raw_train.Trainer(image.encode(graph), config)
    with pytest.raises((TrainingError, ArgumentError)) as by_python:
        ReferenceTrainer(graph, config)
    if op is not None:
        assert isinstance(by_c.value, TrainingError) and isinstance(by_python.value, TrainingError)
        assert by_c.value.op == by_python.value.op == op


def changed(graph: Graph, number: int, **changes: Any) -> Graph:
    ops = list(graph.ops)
    ops[number] = replace(ops[number], **changes)
    return replace(graph, ops=tuple(ops))


def retensored(graph: Graph, number: int, **changes: Any) -> Graph:
    tensors = list(graph.tensors)
    tensors[number] = replace(tensors[number], **changes)
    return replace(graph, tensors=tuple(tensors))


def test_what_cannot_be_trained_is_refused_by_both() -> None:
    graph = graph_of(Net((4, 3, 2)), np.random.default_rng(0))
    ReferenceTrainer(graph, Config(1))
    refused(changed(graph, 0, activation=Activation.RELU_0_TO_1), Config(1), 0)
    refused(changed(graph, 1, activation=Activation.RELU), Config(1), 1)
    refused(changed(graph, 2, beta=np.float32(0.5)), Config(1), 2)
    refused(changed(graph, 1, bias=np.array([1 << 23, 0], np.int32)), Config(1), None)
    refused(changed(graph, 1, bias=np.array([-(1 << 23), 0], np.int32)), Config(1), None)
    not_normal = np.array([1e-40], np.float32)
    refused(changed(graph, 0, weight_scales=not_normal), Config(1), 0)
    refused(changed(graph, 1, weight_scales=not_normal), Config(1), 1)
    refused(graph, Config(1, momentum_shift=16), None)
    refused(graph, Config(1, batch=0), None)


def test_what_a_window_cannot_have_is_refused_by_both() -> None:
    graph = graph_of(Net((4, 3, 2)), np.random.default_rng(0))
    config = Config(1, window=10)
    ReferenceTrainer(graph, config)
    refused(changed(graph, 0, activation=Activation.RELU6), config, 0)
    refused(changed(graph, 1, weight_scales=np.array([0.1, 0.2], np.float32)), config, 1)
    refused(retensored(graph, 1, zero_point=-127), config, 0)
    refused(retensored(graph, 2, zero_point=1), config, 1)


def test_ops_out_of_place_are_refused_by_both() -> None:
    graph = graph_of(Net((4, 3, 2), classifier=False), np.random.default_rng(0))
    refused(changed(graph, 0, weights=np.zeros((3, 2), np.int8)).__class__(
        (Tensor("x", (2, 2), DType.INT8, np.float32(1), 0),
         Tensor("y", (2, 3), DType.INT8, np.float32(1), 0)),
        (Dense(0, 1, np.zeros((3, 2), np.int8), np.zeros(3, np.int32),
               np.array([1], np.float32)),),
        (0,), (1,),
    ), Config(1), 0)  # fmt: skip
    clipped = Tensor("clipped", (1, 2), DType.INT8, np.float32(1), 0)
    behind = Graph(
        (*graph.tensors, clipped),
        (*graph.ops, Rescale(2, 3, Activation.RELU)),
        graph.inputs,
        (3,),
    )
    refused(behind, Config(1), 2)


def test_labels_and_targets_that_do_not_fit_are_refused() -> None:
    x = np.zeros((1, 4), np.int8)
    for classifier, bad in ((True, 2), (True, -1), (False, np.zeros(3)), (False, 1)):
        graph = graph_of(Net((4, 3, 2), classifier=classifier), np.random.default_rng(0))
        trainer = ReferenceTrainer(graph, Config(1))
        with pytest.raises(ArgumentError, match="expected"):
            trainer.sample(x, bad, RATE)
        assert trainer.counters.samples == 0


# A real network.


@pytest.mark.parametrize(
    "config",
    [
        Config(11),
        Config(11, nearest=True, residual=False, frozen=1),
        Config(11, batch=8, momentum_shift=3),
        Config(11, window=20),
    ],
    ids=["defaults", "last layer only", "batches with momentum", "windows"],
)
def test_fashion_mnist_for_200_samples(config: Config) -> None:
    with np.load(FASHION / "t10k-1000.npz") as data:
        images, labels = data["x"][:200], data["y"]
    if config.window:
        net = Net((784, 20, 10), weight_limit=30, bias_limit=0, power_of_two=True)
        graph = graph_of(net, np.random.default_rng(0))
    else:
        graph = load(FASHION / "fashion_mlp.tflite").graph
    source = graph.tensors[0]
    q = images.reshape(200, 784)
    x = q if source.dtype is DType.UINT8 else (q.astype(np.int16) - 128).astype(np.int8)
    pair = Pair(graph, config)
    for number, (row, label) in enumerate(zip(x, labels, strict=False)):
        pair.sample(row.reshape(1, -1), int(label), 83886, deep=number % 20 == 19)
    pair.flush()
    assert pair.c.counters.steps == 200 // config.batch
    shaped = x.reshape(-1, *source.shape[1:]) if len(source.shape) > 1 else x
    pair.check_inference(np.ascontiguousarray(shaped))


@settings(max_examples=25, deadline=None)
@given(nets, configs, seeds, st.integers(0, 40))
def test_autoencoders_and_fine_rates_give_the_same_bits(
    net: Net, config: Config, seed: int, rate_shift: int
) -> None:
    net = replace(net, sizes=(*net.sizes, net.sizes[0]), classifier=False)
    config = replace(config, autoencoder=True, rate_shift=rate_shift)
    train(graph_of(net, np.random.default_rng(seed)), config, samples=4, rates=(18, 32), seed=seed)
