"""Random networks to train, and the two trainers side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop import image, reference
from byteprop.engine import _raw
from byteprop.engine._raw_train import Config, Trainer
from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.ops import Dense, Depthwise, Rescale, Reshape, Softmax
from byteprop.ops.add import Add
from byteprop.ops.convolution import Convolution
from byteprop.ops.mean import Mean
from byteprop.reference.backward import rows_of
from byteprop.reference.training import Masters, ReferenceTrainer
from byteprop.training.masters import are_trained, first_layer

HEAD_BYTES = 40  # counters and the fill of batch and window
RANGE_BYTES = 8


@dataclass(frozen=True)
class Net:
    """What a network is made from."""

    sizes: tuple[int, ...]
    activation: Activation = Activation.RELU
    classifier: bool = True
    per_channel: bool = False
    leading_quantize: bool = False
    reshape: bool = False
    zero_points: bool = False  # other than those of networks from scratch
    weight_limit: int = 127
    bias_limit: int = 3000
    hidden_scale: float = 0.05
    logit_scale: float = 0.25
    weight_scale: float = 0.02
    power_of_two: bool = False
    without_bias: int = 0  # bit l: dense layer l
    trailing_quantize: bool = False


def graph_of(net: Net, rng: np.random.Generator) -> Graph:
    tensors: list[Tensor] = []
    ops: list[Op] = []

    def tensor(n: int, scale: float, zero_point: int, dtype: DType = DType.INT8) -> int:
        if net.power_of_two:
            scale = 2.0 ** round(np.log2(scale))
        tensors.append(Tensor(f"t{len(tensors)}", (1, n), dtype, np.float32(scale), zero_point))
        return len(tensors) - 1

    def zero_point(usual: int) -> int:
        return int(rng.integers(-128, 128)) if net.zero_points else usual

    x = tensor(net.sizes[0], 1 / 128, zero_point(-128))
    if net.leading_quantize:
        tensors[0] = Tensor("image", (1, net.sizes[0]), DType.UINT8, np.float32(1 / 255), 3)
        x = tensor(net.sizes[0], 1 / 128, zero_point(-128))
        ops.append(Rescale(0, x))
    for number, (n_in, n_out) in enumerate(zip(net.sizes, net.sizes[1:], strict=False)):
        is_last = number == len(net.sizes) - 2
        if net.reshape:
            flat = tensor(n_in, 1.0, 0)
            tensors[flat] = Tensor(
                "flat", (n_in,), DType.INT8, tensors[x].scale, tensors[x].zero_point
            )
            ops.append(Reshape(x, flat))
            x = flat
        usual = 0 if is_last or net.activation is not Activation.RELU else -128
        scale = net.logit_scale if is_last else net.hidden_scale
        y = tensor(n_out, scale, zero_point(usual))
        scales = net.weight_scale * 2 ** rng.uniform(-2, 1, n_out if net.per_channel else 1)
        if net.power_of_two:
            scales = 2.0 ** np.round(np.log2(scales))
        weights = rng.integers(-net.weight_limit, net.weight_limit + 1, (n_out, n_in))
        bias = rng.integers(-net.bias_limit, net.bias_limit + 1, n_out)
        has_bias = not net.without_bias >> number & 1
        activation = Activation.NONE if is_last else net.activation
        ops.append(
            Dense(
                x, y, weights.astype(np.int8), (bias * has_bias).astype(np.int32),
                scales.astype(np.float32), activation, has_bias,
            )
        )  # fmt: skip
        x = y
    if net.classifier:
        y = len(tensors)
        tensors.append(Tensor("classes", tensors[x].shape, DType.INT8, np.float32(1 / 256), -128))
        ops.append(Softmax(x, y))
        x = y
    if net.trailing_quantize:
        source = tensors[x]
        zero_point = source.zero_point + 128
        tensors.append(Tensor("bytes", source.shape, DType.UINT8, source.scale, zero_point))
        ops.append(Rescale(x, len(tensors) - 1))
        x = len(tensors) - 1
    return Graph(tuple(tensors), tuple(ops), (0,), (x,))


def masters_of_state(graph: Graph, config: Config, bits: bytes, state: bytes) -> list[Masters]:
    """What a C trainer holds, from its image and its state block."""
    trained = image.decode(bits)
    at = HEAD_BYTES

    def take(dtype: Any, *shape: int) -> npt.NDArray[np.int64]:
        nonlocal at
        n = int(np.prod(shape))
        values = np.frombuffer(state, dtype, n, at).reshape(shape).astype(np.int64)
        at += -(-n * np.dtype(dtype).itemsize // 4) * 4
        return values

    masters = []
    layers = [op for op in trained.ops if isinstance(op, (Dense, Convolution))]
    are_on = dict(zip(map(id, layers), are_trained(trained, config), strict=True))
    first = layers[first_layer(trained, config)]
    begin = next(i for i, op in enumerate(trained.ops) if op is first)
    for op in trained.ops[begin:]:
        if isinstance(op, (Mean, Add)) and config.window:
            at += RANGE_BYTES
        if not isinstance(op, (Dense, Convolution)):
            continue
        rows = rows_of(op)
        n_out, n_in = rows.shape

        def rows_of_state(dtype: Any, op: Any = op, shape: Any = rows.shape) -> Any:
            if isinstance(op, Depthwise):
                return take(dtype, shape[1], shape[0]).T
            return take(dtype, shape[0], -(-shape[1] // 4) * 4)[:, : shape[1]]

        weights = rows.astype(np.int64) * 256
        gradient, bias_gradient = np.zeros((n_out, n_in), np.int64), np.zeros(n_out, np.int64)
        bias = take("<i4", n_out)
        at += RANGE_BYTES
        if are_on[id(op)]:
            if config.residual:
                weights = weights + rows_of_state("i1")
            if config.batch > 1 or config.momentum_shift:
                gradient = rows_of_state("<i4")
                bias_gradient = take("<i4", n_out)
        masters.append(Masters(weights, bias, gradient, bias_gradient))
    assert at == len(state)
    return masters


class Pair:
    """One network in both trainers; every step is compared."""

    def __init__(self, graph: Graph, config: Config) -> None:
        self.graph, self.config = graph, config
        self.c = Trainer(image.encode(graph), config)
        self.python = ReferenceTrainer(graph, config)

    def sample(self, x: npt.NDArray[Any], y: Any, lr_q24: int, *, deep: bool = True) -> None:
        wanted = self.python.sample(x, y, lr_q24)
        rate = np.array([lr_q24], np.uint32)
        got = self.c.run(x.reshape(1, -1).view(np.uint8), self.y_of(y), lr_q24=rate)[0]
        assert (int(got["loss"]), int(got["predicted"]), bool(got["correct"])) == (
            wanted.loss,
            wanted.predicted,
            wanted.correct,
        )
        assert self.c.counters == self.python.counters
        if deep:
            self.check()

    def flush(self) -> None:
        self.python.flush()
        self.c.flush()
        assert self.c.counters == self.python.counters
        self.check()

    def check(self) -> None:
        """Masters, accumulated gradients and the image are equal."""
        bits = self.c.image
        found = masters_of_state(self.graph, self.config, bits, self.c.state)
        for c, python in zip(found, self.python.masters, strict=True):
            for name in ("weights", "bias", "gradient", "bias_gradient"):
                np.testing.assert_array_equal(getattr(c, name), getattr(python, name), name)
        check_same_graph(image.decode(bits), self.python.graph)

    def check_inference(self, x: npt.NDArray[Any]) -> None:
        """The trained image answers as the reference on the reference's graph."""
        wanted = reference.run(self.python.graph, [x])[0]
        bits = np.ascontiguousarray(x).view(np.uint8).reshape(len(x), -1)
        got = _raw.Engine(self.c.image).run(bits)
        np.testing.assert_array_equal(got.view(wanted.dtype).reshape(wanted.shape), wanted)

    @staticmethod
    def y_of(y: Any) -> npt.NDArray[Any]:
        if isinstance(y, int):
            return np.array([y], np.uint16)
        return np.asarray(y, np.int32).reshape(1, -1)


def check_same_graph(got: Graph, wanted: Graph) -> None:
    for a, b in zip(got.tensors, wanted.tensors, strict=True):
        assert (a.scale, a.zero_point, a.shape) == (b.scale, b.zero_point, b.shape), a.name
    for one, other in zip(got.ops, wanted.ops, strict=True):
        assert type(one) is type(other)
        if isinstance(one, Dense) and isinstance(other, Dense):
            np.testing.assert_array_equal(one.weights, other.weights)
            np.testing.assert_array_equal(one.bias, other.bias)
            np.testing.assert_array_equal(one.weight_scales, other.weight_scales)
            assert one.has_bias == other.has_bias
