"""Networks, data and the host twin for tests that train on boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byteprop import image
from byteprop.engine._raw import crc32
from byteprop.engine._raw_train import Config, Trainer
from byteprop.graph import Activation, DType, Graph, Op, Tensor
from byteprop.ops import Dense, Rescale, Softmax
from byteprop.ops.conv import Conv
from byteprop.ops.window import Axis, Window
from byteprop_host.link import HeadStep, Message, TrainResult, TrainSample

FASHION = Path(__file__).resolve().parents[1] / "examples/fashion_mnist"


@dataclass(frozen=True)
class Task:
    """A network from random weights, its configuration, and samples in the order of training."""

    image: bytes
    config: Config
    samples: list[TrainSample]


def classifier(sizes: Sequence[int], seed: int) -> bytes:
    """int8 in [-128, 127], ReLU between, softmax at the end; scales are powers of two."""
    rng = np.random.default_rng(seed)
    tensors = [Tensor("x", (1, sizes[0]), DType.INT8, np.float32(2.0**-8), -128)]
    ops: list[Op] = []
    for n_in, n_out in pairwise(sizes):
        is_last = len(ops) == len(sizes) - 2
        limit = np.sqrt(6 / (n_in + n_out))
        scale = 2.0 ** np.ceil(np.log2(limit / 64))
        weights = np.round(rng.uniform(-limit, limit, (n_out, n_in)) / scale).astype(np.int8)
        y_scale, y_zp = (2.0**-3, 0) if is_last else (2.0**-6, -128)
        tensors.append(Tensor(f"y{len(ops)}", (1, n_out), DType.INT8, np.float32(y_scale), y_zp))
        ops.append(
            Dense(
                len(ops), len(ops) + 1, weights, np.zeros(n_out, np.int32),
                np.array([scale], np.float32), Activation.NONE if is_last else Activation.RELU,
            )
        )  # fmt: skip
    tensors.append(Tensor("p", (1, sizes[-1]), DType.INT8, np.float32(2.0**-8), -128))
    ops.append(Softmax(len(ops), len(ops) + 1))
    return image.without_names(image.encode(Graph(tuple(tensors), tuple(ops), (0,), (len(ops),))))


def classification(
    sizes: Sequence[int], n: int, *, seed: int = 1, window: int = 100, batch: int = 1,
    momentum_shift: int = 0,
) -> Task:  # fmt: skip
    """Noisy prototypes of the classes; half of the inputs are the zero point, as in images."""
    rng = np.random.default_rng(seed)
    prototypes = rng.integers(-128, 128, (sizes[-1], sizes[0]))
    prototypes[rng.random(prototypes.shape) < 0.5] = -128
    labels = rng.integers(0, sizes[-1], n)
    x = prototypes[labels] + np.round(rng.normal(0, 20, (n, sizes[0]))).astype(np.int64)
    x = np.where(prototypes[labels] == -128, -128, np.clip(x, -128, 127)).astype(np.int8)
    rates = np.round(0.005 * (1 - np.arange(n) / n) * 2**24).astype(int)
    samples = [
        TrainSample(row.tobytes(), int(label), int(rate))
        for row, label, rate in zip(x, labels, rates, strict=True)
    ]
    config = Config(seed, window=window, batch=batch, momentum_shift=momentum_shift)
    return Task(classifier(sizes, seed), config, samples)


def cnn(seed: int = 1) -> bytes:
    """8x8 pixels, a convolution of 5 channels, a dense layer that may be frozen, and a head."""
    rng = np.random.default_rng(seed)
    shapes = ((1, 8, 8, 1), (1, 3, 3, 5), (1, 12), (1, 4), (1, 4))
    scales = (2.0**-8, 2.0**-5, 2.0**-4, 2.0**-3, 2.0**-8)
    zero_points = (-128, -128, -128, 0, -128)
    tensors = tuple(
        Tensor(f"t{i}", shape, DType.INT8, np.float32(scale), zero_point)
        for i, (shape, scale, zero_point) in enumerate(
            zip(shapes, scales, zero_points, strict=True)
        )
    )
    w1, w2, w3 = (
        rng.integers(-90, 91, shape).astype(np.int8) for shape in ((5, 3, 3, 1), (12, 45), (4, 12))
    )
    window = Window(Axis(3, stride=2), Axis(3, stride=2))
    per_row = np.float32(2.0 ** -rng.integers(6, 8, 4))
    ops = (
        Conv(0, 1, w1, np.zeros(5, np.int32), np.full(5, 2.0**-6, np.float32), window,
             Activation.RELU),
        Dense(1, 2, w2, np.arange(12, dtype=np.int32), np.float32([2.0**-8]), Activation.RELU),
        Dense(2, 3, w3, np.zeros(4, np.int32), per_row, has_bias=False),
        Softmax(3, 4),
    )  # fmt: skip
    return image.without_names(image.encode(Graph(tensors, ops, (0,), (4,))))


def head(n: int, *, frozen: int = 0b01, batch: int = 1, momentum_shift: int = 0) -> Task:
    """The last layers of `cnn`. frozen: a bit for each of its dense layers."""
    plain = classification((64, 4), n, batch=batch, momentum_shift=momentum_shift)
    return Task(cnn(), replace(plain.config, window=0, frozen=frozen), plain.samples)


def without_biases(task: Task) -> Task:
    """The same task for a model as converters write it: no biases of zeros, uint8 outputs."""
    graph = image.decode(task.image)
    ops = [replace(op, has_bias=False) if isinstance(op, Dense) else op for op in graph.ops]
    y = graph.tensors[graph.outputs[0]]
    n = len(graph.tensors)
    tensors = (*graph.tensors, replace(y, dtype=DType.UINT8, zero_point=y.zero_point + 128))
    made = Graph(tensors, (*ops, Rescale(graph.outputs[0], n)), graph.inputs, (n,))
    return replace(task, image=image.encode(made))


def regression(n: int, *, seed: int = 1) -> Task:
    """y = 2x - 1 with one neuron."""
    x_scale, w_scale, y_scale = 2.0**-3, 2.0**-5, 2.0**-2
    graph = Graph(
        (
            Tensor("x", (1, 1), DType.INT8, np.float32(x_scale), 0),
            Tensor("y", (1, 1), DType.INT8, np.float32(y_scale), 0),
        ),
        (Dense(0, 1, np.zeros((1, 1), np.int8), np.zeros(1, np.int32), np.float32([w_scale])),),
        (0,),
        (1,),
    )
    points = np.arange(-1.0, 5.0)[np.arange(n) % 6]
    samples = [
        TrainSample(
            np.int8(round(x / x_scale)).tobytes(),
            (round((2 * x - 1) / y_scale * 65536),),
            round(0.01 * 2**24),
        )
        for x in points.tolist()
    ]
    return Task(image.without_names(image.encode(graph)), Config(seed), samples)


def twin_results(twin: Trainer, samples: Sequence[TrainSample]) -> list[tuple[int, int, bool]]:
    """loss, predicted, correct of the host's own steps."""
    x = np.frombuffer(b"".join(s.x for s in samples), np.uint8).reshape(len(samples), -1)
    y: npt.NDArray[np.uint16] | npt.NDArray[np.int32]
    if isinstance(samples[0].y, int):
        y = np.array([s.y for s in samples], np.uint16)
    else:
        y = np.array([s.y for s in samples], np.int32)
    rates = [s.lr_q24 for s in samples]
    learn = None if None in rates else np.array(rates, np.uint32)
    found = twin.run(x, y, lr_q24=learn)
    return [(int(r["loss"]), int(r["predicted"]), bool(r["correct"])) for r in found]


def twin_step(twin: Trainer, step: HeadStep) -> tuple[int, int, bool]:
    """The same step on the host; as `shown` has its result."""
    if step.request == Message.REHEARSE:
        found = twin.rehearse(np.array([step.lr_q24], np.uint32))[0]
        return int(found["loss"]), int(found["predicted"]), bool(found["correct"])
    if step.request == Message.REMEMBER:
        twin.remember(np.frombuffer(step.x, np.uint8), step.label)
    elif step.request == Message.HOLD:
        twin.hold(np.frombuffer(step.x, np.uint8), step.label)
    elif step.request == Message.CHECK:
        check = twin.check()
        return check.loss, 0, check.waited == 0
    elif step.request == Message.IMPRINT:
        twin.imprint(step.label)
    else:
        twin.remove(step.label)
    return 0, 0, False


def head_steps(task: Task) -> list[TrainSample | HeadStep]:
    """All kinds of steps with the samples of `head`, in turn; the store is soon full."""
    made: list[TrainSample | HeadStep] = []
    for i, sample in enumerate(task.samples):
        assert isinstance(sample.y, int)
        made.append(HeadStep(Message.REMEMBER, sample.y, sample.x))
        if i in (2, 10, 18):
            made.append(HeadStep(Message.HOLD, sample.y, sample.x))
        if i % 8 in (2, 3) and i < 20:
            made.append(HeadStep(Message.CHECK))
        if i % 8 == 4:
            made.append(HeadStep(Message.REMOVE, made[-1].label))
        if i % 8 == 5:
            removed = made[-3].label
            made.append(HeadStep(Message.REMEMBER, removed, task.samples[i - 1].x))
            made.append(HeadStep(Message.IMPRINT, removed))
        made.append(HeadStep(Message.REHEARSE, lr_q24=160_000) if i % 3 else sample)
    return made


def kept_steps(task: Task) -> list[TrainSample | HeadStep]:
    """Those that any training with kept features has: no class comes or goes."""
    edits = (Message.IMPRINT, Message.REMOVE)
    return [s for s in head_steps(task) if isinstance(s, TrainSample) or s.request not in edits]


def twin_after(task: Task, done: list[TrainSample | HeadStep]) -> tuple[Trainer, list[object]]:
    twin = Trainer(task.image, task.config)
    results: list[object] = []
    for step in done:
        if isinstance(step, TrainSample):
            results += twin_results(twin, [step])
        else:
            results.append(twin_step(twin, step))
    return twin, results


def shown(results: Sequence[TrainResult]) -> list[tuple[int, int, bool]]:
    return [(r.loss, r.predicted, r.correct) for r in results]


def twin_digests(twin: Trainer) -> tuple[int, int]:
    """As TrainingSession.digests."""
    return crc32(twin.image[16:]), crc32(twin.state)
