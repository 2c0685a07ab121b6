"""LSTM and GRU as Keras unrolls them into ops, whose first state is a FILL, and FILL alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop import Model, image, reference
from byteprop.errors import ModelError
from byteprop.exporter import write_tflite
from byteprop.graph import Kind
from byteprop.importer import load_tflite
from byteprop.ops import Dense
from byteprop.tflite.file import options_of

Code = tflite.BuiltinOperator
STEPS, N_IN, UNITS, N = 5, 6, 4, 100
SUMS, GATE, SIGNED = (0.03, 4), (1 / 256, -128), (1 / 128, 0)  # scales and zero points


class Unrolled:
    """A file that computes UNITS values from [1, STEPS, N_IN], step by step."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.m = tb.ModelBuilder()
        self.x = self.m.tensor((1, STEPS, N_IN), scale=0.02, zero_point=-3, name="x")

    def numbers(self, *values: int, scalar: bool = False) -> int:
        data = np.array(values[0] if scalar else values, np.int32)
        return self.m.tensor(data.shape, tb.INT32, data=data)

    def op(
        self,
        code: int,
        inputs: Sequence[int],
        like: tuple[float, int],
        shape: Sequence[int] = (1, UNITS),
        options: Any = None,
        version: int = 1,
    ) -> int:
        y = self.m.tensor(shape, scale=like[0], zero_point=like[1])
        self.m.op(code, inputs, [y], options=options, version=version)
        return y

    def pair(self, kind: str, a: int, b: int, like: tuple[float, int], n: int = UNITS) -> int:
        options = options_of(kind.capitalize(), FusedActivationFunction=0)
        return self.op(getattr(Code, kind), [a, b], like, (1, n), options)

    def dense(self, x: int, weights: int, n_out: int) -> int:
        options = options_of("FullyConnected", FusedActivationFunction=0)
        return self.op(
            Code.FULLY_CONNECTED, [x, weights, tb.NO_TENSOR], SUMS, (1, n_out), options, 6
        )

    def weights(self, n_out: int, n_in: int) -> int:
        data = self.rng.integers(-127, 128, (n_out, n_in)).astype(np.int8)
        return self.m.tensor(data.shape, scale=0.012, data=data)

    def constant(self, n: int, like: tuple[float, int], value: int | None = None) -> int:
        data = (
            self.rng.integers(-40, 41, n).astype(np.int8)
            if value is None
            else np.full(n, value, np.int8)
        )
        return self.m.tensor((n,), scale=like[0], zero_point=like[1], data=data)

    def split(self, x: int, n: int) -> list[int]:
        parts = [self.m.tensor((1, UNITS), scale=SUMS[0], zero_point=SUMS[1]) for _ in range(n)]
        options = options_of("Split", NumSplits=n)
        self.m.op(Code.SPLIT, [self.numbers(1, scalar=True), x], parts, options=options, version=2)
        return parts

    def inputs(self) -> list[int]:
        turned = self.op(
            Code.TRANSPOSE, [self.x, self.numbers(1, 0, 2)], (0.02, -3), (STEPS, 1, N_IN)
        )
        steps = [self.m.tensor((1, N_IN), scale=0.02, zero_point=-3) for _ in range(STEPS)]
        self.m.op(
            Code.UNPACK, [turned], steps, options=options_of("Unpack", Num=STEPS, Axis=0), version=2
        )
        return steps

    def zeros(self) -> int:
        """As Keras has them where the batch is not known: [SHAPE(x)[0], UNITS]."""
        whole, first, size = (self.m.tensor(s, tb.INT32) for s in ((3,), (), (2,)))
        self.m.op(Code.SHAPE, [self.x], [whole], options=options_of("Shape", OutType=tb.INT32))
        ends = [self.numbers(0), self.numbers(1), self.numbers(1)]
        options = options_of("StridedSlice", ShrinkAxisMask=1)
        self.m.op(Code.STRIDED_SLICE, [whole, *ends], [first], options=options)
        options = options_of("Pack", ValuesCount=2, Axis=0)
        self.m.op(Code.PACK, [first, self.numbers(UNITS, scalar=True)], [size], options=options)
        value = self.m.tensor((), data=np.array(0, np.int8), scale=SIGNED[0], zero_point=0)
        return self.op(Code.FILL, [size, value], SIGNED)

    def build(self, y: int) -> bytes:
        return self.m.build([self.x], [y])


def lstm(seed: int) -> bytes:
    u = Unrolled(seed)
    w, r, bias = (
        u.weights(4 * UNITS, N_IN),
        u.weights(4 * UNITS, UNITS),
        u.constant(4 * UNITS, SUMS),
    )
    h = c = u.zeros()
    cell = (1 / 32, 0)
    for x in u.inputs():
        both = u.pair("ADD", u.dense(x, w, 4 * UNITS), u.dense(h, r, 4 * UNITS), SUMS, 16)
        i, f, g, o = u.split(u.pair("ADD", both, bias, SUMS, 16), 4)
        i, f, o = (u.op(Code.LOGISTIC, [gate], GATE) for gate in (i, f, o))
        value = u.op(Code.TANH, [g], SIGNED)
        c = u.pair("ADD", u.pair("MUL", f, c, cell), u.pair("MUL", i, value, SIGNED), cell)
        h = u.pair("MUL", o, u.op(Code.TANH, [c], SIGNED), SIGNED)
    return u.build(h)


def gru(seed: int) -> bytes:
    """With reset_after."""
    u = Unrolled(seed)
    w, r = u.weights(3 * UNITS, N_IN), u.weights(3 * UNITS, UNITS)
    one = u.constant(1, GATE, 127)
    h = u.zeros()
    for x in u.inputs():
        of_x, inner = u.split(u.dense(x, w, 3 * UNITS), 3), u.dense(h, r, 3 * UNITS)
        of_h = [
            u.op(Code.STRIDED_SLICE,
                 [inner, u.numbers(0, UNITS * i), u.numbers(1, UNITS * (i + 1)), u.numbers(1, 1)],
                 SUMS, options=options_of("StridedSlice", BeginMask=1, EndMask=1))
            for i in range(3)
        ]  # fmt: skip
        z, reset = (
            u.op(Code.LOGISTIC, [u.pair("ADD", of_x[i], of_h[i], SUMS)], GATE) for i in (0, 1)
        )
        new = u.pair("ADD", of_x[2], u.pair("MUL", reset, of_h[2], SUMS), SUMS)
        kept = u.pair("MUL", z, h, SIGNED)
        taken = u.pair("MUL", u.pair("SUB", one, z, GATE), u.op(Code.TANH, [new], SIGNED), SIGNED)
        h = u.pair("ADD", kept, taken, SIGNED)
    return u.build(h)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [lstm, gru])
def test_unrolled_layers_agree_with_tensorflow_lite(
    make: Callable[[int], bytes], seed: int
) -> None:
    file = make(seed)
    x = np.random.default_rng(seed).integers(-128, 128, (N, STEPS, N_IN)).astype(np.int8)
    (expected,) = builtin_ref.run(file, [x])
    assert len(np.unique(expected)) > 100
    graph = load_tflite(file)
    for made in (graph, image.decode(image.encode(graph)), load_tflite(write_tflite(graph))):
        np.testing.assert_array_equal(Model(made).run(x), expected)
    np.testing.assert_array_equal(reference.run(graph, [x])[0], expected)
    # What the first step computes of its state alone is known: one dense layer less.
    assert sum(isinstance(op, Dense) for op in graph.ops) == 2 * STEPS - 1
    assert not Model(graph).is_stateful


# --- FILL ---


def filled(
    *, size: Sequence[int] = (1, UNITS), value: Any = 7, of_x: bool = False, doubled: bool = False
) -> bytes:
    """MAXIMUM of x and a FILL. of_x: its value is not known; doubled: CONCATENATION of it alone."""
    m = tb.ModelBuilder()
    x = m.tensor((1, UNITS), scale=0.1, name="x")
    data = np.array(value, np.int8)
    one = x if of_x else m.tensor(data.shape, scale=0.1, data=data, name="value")
    dims = m.tensor((len(size),), tb.INT32, data=np.array(size, np.int32))
    z, y = m.tensor(size, scale=0.1, name="z"), m.tensor((1, UNITS), scale=0.1, name="y")
    m.op(Code.FILL, [dims, one], [z])
    if doubled:
        m.op(Code.CONCATENATION, [z, z], [y], options=options_of("Concatenation", Axis=1))
    else:
        m.op(Code.MAXIMUM, [x, z], [y])
    return m.build([x], [y])


def test_a_fill_is_a_constant() -> None:
    graph = byteprop.load(filled()).graph
    assert {t.data for t in graph.tensors if t.kind is Kind.CONSTANT} == {b"\7" * UNITS}
    x = np.array([[-9, 6, 7, 8]], np.int8)
    np.testing.assert_array_equal(Model(graph).run(x), builtin_ref.run(filled(), [x])[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": [1, 2]}, "2 values, expected one"),
        ({"of_x": True}, "'x' is no constant of INT8"),
        ({"size": (300, 300)}, "90000 elements, expected at most 65536"),
        ({"size": (0, 4)}, "every dimension must be at least 1"),
        ({"size": (1, 2), "doubled": True}, "'z' is the same for all samples"),
    ],
)
def test_fills_that_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        byteprop.load(filled(**changes))
