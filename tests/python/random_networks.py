"""Random graphs over all ops, and the comparison of a graph with every other way to compute it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

import builtin_ref
from byteprop import image, reference
from byteprop.exporter import write_tflite
from byteprop.graph import Activation, DType, Graph, Kind
from byteprop.importer import load_tflite
from byteprop.model import Model
from byteprop.ops import Depthwise, Rescale, Reshape, spec_of
from byteprop.ops.convolution import Convolution
from op_generators import Draw, generators
from op_generators.common import is_readable, zero_point
from random_graphs import Builder

Array = npt.NDArray[np.generic]


def random_network(seed: int) -> Graph:
    """One to three inputs, up to 12 ops, each reading any tensor there is, more often a late one.
    What nobody reads is an output, and so is now and then what others read too."""
    rng = np.random.default_rng(seed)
    b = Builder()
    batch = int(rng.choice([1, 1, 1, 2, 3]))
    inputs = tuple(_input(rng, b, batch) for _ in range(int(rng.integers(1, 4))))
    _grow(rng, b, list(generators().values()), int(rng.integers(1, 13)), late=0.5)
    return b.graph(inputs, _outputs(rng, b, inputs))


def networks() -> st.SearchStrategy[Graph]:
    """Graphs for Hypothesis, which chooses the seed. What a .tflite file cannot state is among
    them: any tensors as outputs, also none of the last ones, and every activation in every op."""
    return _seeds.map(lambda seed: _unrestricted(random_network(seed), seed))


def chains() -> st.SearchStrategy[Graph]:
    """Each op reads what the one before wrote, and nothing else; none has scratch memory, and no
    input is int16: what a QUANTIZE writes over it stays as large."""
    return _seeds.map(_chain)


_seeds = st.integers(0, 2**32 - 1)


def _unrestricted(graph: Graph, seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    active = [t for t, tensor in enumerate(graph.tensors) if tensor.kind is Kind.ACTIVATION]
    outputs = rng.choice(active, min(len(active), int(rng.integers(1, 4))), replace=False)
    ops = [
        replace(op, activation=Activation.RELU_0_TO_1)  # type: ignore[call-arg]
        if hasattr(op, "activation") and not isinstance(op, Rescale) and rng.random() < 0.2
        else op
        for op in graph.ops
    ]
    return replace(graph, ops=tuple(ops), outputs=tuple(int(t) for t in outputs))


def _chain(seed: int) -> Graph:
    rng = np.random.default_rng(seed)
    b = Builder()
    x = _input(rng, b, 1, wide=0.0)
    several = {"add", "concatenate", "extremum", "lstm", "mul", "prelu", "push", "svdf"}
    made = {name: g for name, g in generators().items() if name not in several}
    draws = [g for name, g in made.items() if name not in ("conv", "depthwise")]
    _grow(rng, b, draws, int(rng.integers(1, 9)), late=1.0)
    return b.graph((x,), (len(b.tensors) - 1,))


def dead_channel_network(seed: int) -> Graph:
    """An image, ops that keep channels apart and convolutions with many dead channels among them,
    and a convolution or a dense layer at the end. Now and then another tensor is an output too."""
    rng = np.random.default_rng(seed)
    b = Builder()
    shape = (int(rng.choice([1, 1, 2])), *map(int, rng.integers(2, 9, 2)), int(rng.integers(1, 6)))
    x = b.tensor(shape, 0.05, zero_point(rng))
    made = generators()
    _grow(rng, b, [made[name] for name in _APART], int(rng.integers(2, 11)), late=0.7)
    for name in ("conv", "dense")[:: 1 if rng.random() < 0.7 else -1]:
        if made[name](rng, b, len(b.tensors) - 1):
            break
    written = [t for op in b.ops for t in op.outputs]
    outputs = [t for t in written if t == written[-1] or rng.random() < 0.03]
    return with_dead_channels(b.graph((x,), tuple(outputs)), seed)


_APART = [
    *["conv"] * 8, *["depthwise"] * 3, *["add"] * 2, "concatenate", "extremum", "mean", "mul",
    "pad", "pool", "prelu", "rescale", "resize_nearest", "slice", "table", "transpose_conv",
]  # fmt: skip


def _grow(rng: np.random.Generator, b: Builder, draws: list[Draw], n: int, late: float) -> None:
    """Adds n ops by these generators; late: how often one reads the last tensor."""
    for _ in range(n):
        readable = [t for t in range(len(b.tensors)) if is_readable(b, t)]
        x = readable[-1] if rng.random() < late else int(rng.choice(readable))
        any(draws[i](rng, b, x) for i in rng.permutation(len(draws)))


def _input(rng: np.random.Generator, b: Builder, batch: int, wide: float = 0.08) -> int:
    """wide: how often it is int16."""
    if rng.random() < 0.6:
        shape = (batch, *map(int, rng.integers(1, 13, 2)), int(rng.integers(1, 8)))
    else:
        shape = (batch, *map(int, rng.integers(1, 13, int(rng.integers(1, 3)))))
    kind = rng.random()
    dtype = DType.UINT8 if kind < 0.1 else DType.INT16 if kind > 1 - wide else DType.INT8
    scale = float(np.float32(2 ** rng.uniform(-8, 1)))
    return b.tensor(dtype.of_values(shape), scale, zero_point(rng, dtype), dtype)


def _outputs(rng: np.random.Generator, b: Builder, inputs: tuple[int, ...]) -> tuple[int, ...]:
    _show_states(b)
    written = [t for op in b.ops for t in op.outputs if b.tensors[t].kind is Kind.ACTIVATION]
    read = {t for op in b.ops for t in op.inputs}
    ends = [t for t in written if t not in read or rng.random() < 0.2]
    return tuple(ends) or inputs[:1]


def _show_states(b: Builder) -> None:
    """Outputs are activations, so a state that no other op reads is copied to one."""
    read = {t for op in b.ops for t in op.inputs if t not in op.outputs}
    for t, state in enumerate(list(b.tensors)):
        if state.kind is Kind.STATE and t not in read and is_readable(b, t):
            b.add(
                Reshape(t, b.tensor(state.shape, float(state.scale), state.zero_point, state.dtype))
            )


def samples(graph: Graph, seed: int, n: int = 4) -> list[Array]:
    """All values, and one sample of extremes alone."""
    rng = np.random.default_rng(seed)
    columns = []
    for t in (graph.tensors[i] for i in graph.inputs):
        x = rng.integers(0, 256, (n, t.elems)).astype(np.uint8)
        x[-1:] = rng.choice([0, 255, 127, 128], t.elems)
        columns.append(x.view(t.dtype.value_numpy).reshape(n * t.shape[0], *t.value_shape[1:]))
    return columns


def check(graph: Graph, seed: int) -> Counter[str]:
    """The C library, the NumPy reference, the graph that comes back from an image or from a .tflite
    file, and tflite-runtime's reference kernels give the same bytes. Counts them, by op."""
    xs = samples(graph, seed)
    file = write_tflite(graph)
    expected = answers(graph, xs)
    assert answers(image.decode(image.encode(graph)), xs) == expected
    assert answers(load_tflite(file), xs) == expected
    assert [y.tobytes() for y in reference.run(graph, xs)] == expected
    assert [y.tobytes() for y in builtin_ref.run(file, xs)] == expected
    writers = {t: spec_of(op).name for op in graph.ops for t in op.outputs}
    counts: Counter[str] = Counter()
    for t, answer in zip(graph.outputs, expected, strict=True):
        counts[writers.get(t, "input")] += len(answer)
    return counts


def answers(graph: Graph, xs: list[Array]) -> list[bytes]:
    """The outputs as the C library computes them."""
    answer = Model(graph).run(xs if len(xs) > 1 else xs[0], steps=True)
    return [y.tobytes() for y in (answer if isinstance(answer, tuple) else (answer,))]


def with_dead_channels(graph: Graph, seed: int) -> Graph:
    """The same, with convolutions that have rows without weights, of ordinary scales and of those
    that converters give them, and input channels without weights."""
    rng = np.random.default_rng(seed)
    ops = [_with_dead_rows(rng, op) if isinstance(op, Convolution) else op for op in graph.ops]
    return replace(graph, ops=tuple(ops))


def _with_dead_rows(rng: np.random.Generator, op: Convolution) -> Convolution:
    weights, scales, bias = op.weights.copy(), op.weight_scales.copy(), op.bias.copy()
    axis = 3 if isinstance(op, Depthwise) else 0
    dead = rng.random(len(bias)) < rng.choice([0.2, 0.5, 0.9])
    np.moveaxis(weights, axis, 0)[dead] = 0
    scales[dead] *= np.float32(rng.choice([1.0, 1e-3, 1e-9, 1e-23]))
    bias[dead] = (rng.integers(-(2**31), 2**31, len(bias)) >> int(rng.integers(64)))[dead]
    if axis == 0:
        weights[..., rng.random(weights.shape[3]) < 0.2] = 0
    return replace(op, weights=weights, weight_scales=scales, bias=bias)


def with_every_tensor(graph: Graph) -> Graph:
    """The same, with every computed tensor as an output, so that each op's bytes are compared."""
    written = (t for op in graph.ops for t in op.outputs)
    outputs = tuple(t for t in written if graph.tensors[t].kind is Kind.ACTIVATION)
    return replace(graph, outputs=outputs or graph.inputs)
