"""Random graphs over all ops, and the comparison of a graph with every other way to compute it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt

import builtin_ref
from byteprop import image, reference
from byteprop.exporter import write_tflite
from byteprop.graph import DType, Graph, Kind
from byteprop.importer import load_tflite
from byteprop.model import Model
from byteprop.ops import spec_of
from op_generators import generators
from op_generators.common import zero_point
from random_graphs import Builder

Array = npt.NDArray[np.generic]


def random_network(seed: int) -> Graph:
    """One to three inputs, up to 12 ops, each reading any tensor there is, more often a late one.
    What nobody reads is an output, and so is now and then what others read too."""
    rng = np.random.default_rng(seed)
    b = Builder()
    batch = int(rng.choice([1, 1, 1, 2, 3]))
    inputs = tuple(_input(rng, b, batch) for _ in range(int(rng.integers(1, 4))))
    draws = list(generators().values())
    for _ in range(int(rng.integers(1, 13))):
        readable = [i for i, t in enumerate(b.tensors) if t.kind is Kind.ACTIVATION]
        x = readable[-1] if rng.random() < 0.5 else int(rng.choice(readable))
        any(draws[i](rng, b, x) for i in rng.permutation(len(draws)))
    return b.graph(inputs, _outputs(rng, b, inputs))


def _input(rng: np.random.Generator, b: Builder, batch: int) -> int:
    if rng.random() < 0.6:
        shape = (batch, *map(int, rng.integers(1, 13, 2)), int(rng.integers(1, 8)))
    else:
        shape = (batch, *map(int, rng.integers(1, 13, int(rng.integers(1, 3)))))
    dtype = DType.UINT8 if rng.random() < 0.1 else DType.INT8
    return b.tensor(
        shape, float(np.float32(2 ** rng.uniform(-8, 1))), zero_point(rng, dtype), dtype
    )


def _outputs(rng: np.random.Generator, b: Builder, inputs: tuple[int, ...]) -> tuple[int, ...]:
    written = [t for op in b.ops for t in op.outputs]
    read = {t for op in b.ops for t in op.inputs}
    ends = [t for t in written if t not in read or rng.random() < 0.2]
    return tuple(ends) or inputs[:1]


def samples(graph: Graph, seed: int, n: int = 4) -> list[Array]:
    """All values, and one sample of extremes alone."""
    rng = np.random.default_rng(seed)
    columns = []
    for t in (graph.tensors[i] for i in graph.inputs):
        x = rng.integers(0, 256, (n, t.elems)).astype(np.uint8)
        x[-1] = rng.choice([0, 255, 127, 128], t.elems)
        columns.append(x.view(t.dtype.numpy).reshape(n * t.shape[0], *t.shape[1:]))
    return columns


def check(graph: Graph, seed: int) -> Counter[str]:
    """The C library, the NumPy reference, the graph that comes back from an image or from a .tflite
    file, and tflite-runtime's reference kernels give the same bytes. Counts them, by op."""
    xs = samples(graph, seed)
    file = write_tflite(graph)
    answers = _run(graph, xs)
    assert _run(image.decode(image.encode(graph)), xs) == answers
    assert _run(load_tflite(file), xs) == answers
    assert [y.tobytes() for y in reference.run(graph, xs)] == answers
    assert [y.tobytes() for y in builtin_ref.run(file, xs)] == answers
    writers = {t: spec_of(op).name for op in graph.ops for t in op.outputs}
    counts: Counter[str] = Counter()
    for t, answer in zip(graph.outputs, answers, strict=True):
        counts[writers.get(t, "input")] += len(answer)
    return counts


def _run(graph: Graph, xs: list[Array]) -> list[bytes]:
    answer = Model(graph).run(xs if len(xs) > 1 else xs[0])
    return [y.tobytes() for y in (answer if isinstance(answer, tuple) else (answer,))]


def with_every_tensor(graph: Graph) -> Graph:
    """The same, with every computed tensor as an output, so that each op's bytes are compared."""
    return replace(graph, outputs=tuple(t for op in graph.ops for t in op.outputs) or graph.inputs)
