"""The ops that move bytes (pad, concatenate, slice, transpose) against tflite-runtime's reference
kernels and the NumPy reference, on random shapes and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tflite

import builtin_ref
import byteprop
import tflite_builder as tb
from byteprop import image, reference
from byteprop.errors import ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.ops import Concatenate, Pad, Reshape, Slice, Transpose, spec_of
from random_graphs import graph_of_moves

Shape = tuple[int, ...]
SEEDS = range(60)
SCALE, ZERO_POINT = 0.1, -7


@dataclass
class Case:
    """A model of one op. operands: a shape for each tensor, an array for each constant."""

    name: str
    operands: Sequence[Shape | np.ndarray[Any, Any]]
    outputs: Sequence[Shape]
    options: dict[str, Any]
    type: int = tb.INT8
    zero_point: int = ZERO_POINT
    scales: Sequence[float | None] | None = None  # of the tensors; None for a tensor without one
    version: int = 2

    def build(self) -> bytes:
        model = tb.ModelBuilder()
        n = sum(isinstance(o, tuple) for o in self.operands) + len(self.outputs)
        scales = iter(self.scales or [SCALE] * n)
        inputs: list[int] = []
        operands = [self._operand(model, o, scales, inputs) for o in self.operands]
        outputs = [self._tensor(model, shape, next(scales)) for shape in self.outputs]
        kind = {"PADV2": "PadV2"}.get(self.name, self.name.title().replace("_", ""))
        options = tb.options_of(kind, **self.options)
        code = getattr(tflite.BuiltinOperator, self.name)
        model.op(code, operands, outputs, version=self.version, options=options)
        return model.build(inputs, outputs)

    def _tensor(
        self, model: tb.ModelBuilder, shape: Shape, scale: float | None, **more: Any
    ) -> int:
        return model.tensor(shape, self.type, scale=scale, zero_point=self.zero_point, **more)

    def _operand(self, model: tb.ModelBuilder, o: Any, scales: Any, inputs: list[int]) -> int:
        if isinstance(o, tuple):
            inputs.append(self._tensor(model, o, next(scales)))
            return inputs[-1]
        if o.dtype in (np.int32, np.int64):
            return model.tensor(o.shape, tb.INT32 if o.dtype == np.int32 else tb.INT64, data=o)
        return self._tensor(model, o.shape, SCALE, data=o)


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, np.int32)


def same_bytes(case: Case, batches: int = 3) -> byteprop.Model:
    """Runtime, C and NumPy reference agree; image and .tflite give the graph back."""
    file = case.build()
    model = byteprop.load(file)
    rng = np.random.default_rng(len(file))
    x = [
        rng.integers(0, 256, (batches * t.shape[0], *t.shape[1:])).astype(np.uint8).view(t.dtype)
        for t in model.inputs
    ]
    expected = builtin_ref.run(file, x)
    got = model.run(x if len(x) > 1 else x[0])
    outputs = got if isinstance(got, (list, tuple)) else [got]
    second = reference.run(model.graph, x)
    assert len(outputs) == len(expected) == len(second)
    for a, b, c in zip(outputs, expected, second, strict=True):
        assert a.dtype == b.dtype == c.dtype
        np.testing.assert_array_equal(a, b.reshape(a.shape))
        np.testing.assert_array_equal(c, b.reshape(c.shape))
    assert image.decode(image.encode(model.graph)) == model.graph
    written = write_tflite(model.graph)
    assert byteprop.load(written).graph == model.graph
    for a, b in zip(builtin_ref.run(written, x), expected, strict=True):
        np.testing.assert_array_equal(a, b)
    return model


def dims(rng: np.random.Generator, rank: int, most: int = 6) -> Shape:
    return tuple(int(n) for n in rng.integers(1, most + 1, rank))


# ------------------------------------------------------------------------------------------- pad


@pytest.mark.parametrize("seed", SEEDS)
def test_pad(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = dims(rng, int(rng.integers(1, 5)))
    paddings = rng.integers(0, 4, (len(shape), 2)).astype(rng.choice([np.int32, np.int64]))
    y = tuple((np.array(shape) + paddings.sum(axis=1)).tolist())
    operands: list[Any] = [shape, paddings]
    is_uint8 = bool(rng.integers(2))
    if seed % 2:
        value = rng.integers(0, 256, 1).astype(np.uint8)
        operands.append(value if is_uint8 else value.view(np.int8))
    case = Case(
        "PADV2" if seed % 2 else "PAD", operands, [y], {},
        type=tb.UINT8 if is_uint8 else tb.INT8, zero_point=int(rng.integers(0, 128)),
    )  # fmt: skip
    same_bytes(case)


def test_padding_by_nothing_moves_nothing() -> None:
    paddings = np.zeros((3, 2), np.int32)
    assert isinstance(same_bytes(Case("PAD", [(1, 4, 3), paddings], [(1, 4, 3)], {})).graph.ops[0],
                      Reshape)  # fmt: skip


def test_the_value_of_pad_is_the_outputs_zero_point() -> None:
    paddings = np.array([[0, 0], [1, 2]], np.int32)
    model = same_bytes(Case("PAD", [(1, 3), paddings], [(1, 6)], {}))
    assert isinstance(model.graph.ops[0], Pad) and model.graph.ops[0].value == ZERO_POINT


# ------------------------------------------------------------------------------------- concatenate


@pytest.mark.parametrize("seed", SEEDS)
def test_concatenation(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = list(dims(rng, int(rng.integers(1, 5))))
    axis = int(rng.integers(1, len(shape))) if len(shape) > 1 else 0
    sizes = rng.integers(1, 6, int(rng.integers(1, 6))).tolist()
    shapes = [(*shape[:axis], n, *shape[axis + 1 :]) for n in sizes]
    y = (*shape[:axis], sum(sizes), *shape[axis + 1 :])
    stated = axis if seed % 2 else axis - len(shape)
    kind = tb.UINT8 if seed % 5 == 0 else tb.INT8
    options = {"Axis": stated, "FusedActivationFunction": 0}
    model = same_bytes(Case("CONCATENATION", shapes, [y], options, type=kind, zero_point=3),
                       batches=1)  # fmt: skip
    assert isinstance(model.graph.ops[0], Concatenate)


def test_concatenation_along_the_batch() -> None:
    options = {"Axis": 0, "FusedActivationFunction": 0}
    same_bytes(Case("CONCATENATION", [(1, 3), (1, 3)], [(2, 3)], options), batches=1)


@pytest.mark.parametrize("axis", [-3, -2, -1, 0, 1, 2])
def test_pack(axis: int) -> None:
    at = axis % 3
    y = [4, 5]
    y.insert(at, 3)
    options = {"Axis": axis, "ValuesCount": 3}
    model = same_bytes(Case("PACK", [(4, 5)] * 3, [tuple(y)], options), batches=1)
    assert isinstance(model.graph.ops[-1], Concatenate)


@pytest.mark.parametrize("name", ["CONCATENATION", "PACK"])
def test_unequal_scales_are_refused(name: str) -> None:
    options = {"Axis": 0} | ({"ValuesCount": 2} if name == "PACK" else {})
    y = (2, 1, 3) if name == "PACK" else (2, 3)
    file = Case(name, [(1, 3), (1, 3)], [y], options, scales=[0.1, 0.2, 0.1]).build()
    with pytest.raises(UnsupportedOpError, match="scale"):
        byteprop.load(file)
    with pytest.raises(RuntimeError, match="scale"):
        builtin_ref.run(file, [np.zeros((1, 3), np.int8)] * 2)


def test_a_fused_activation_is_refused() -> None:
    options = {"Axis": 1, "FusedActivationFunction": tflite.ActivationFunctionType.RELU}
    with pytest.raises(UnsupportedOpError, match="fused activation"):
        byteprop.load(Case("CONCATENATION", [(1, 3), (1, 3)], [(1, 6)], options).build())


def test_the_same_tensor_twice() -> None:
    model = tb.ModelBuilder()
    x = model.tensor((2, 3), scale=SCALE)
    y = model.tensor((2, 6), scale=SCALE)
    options = tb.options_of("Concatenation", Axis=1)
    model.op(tflite.BuiltinOperator.CONCATENATION, [x, x], [y], version=2, options=options)
    file = model.build([x], [y])
    rows = np.arange(6, dtype=np.int8).reshape(2, 3)
    np.testing.assert_array_equal(byteprop.load(file).run(rows), np.concatenate([rows, rows], 1))


# ------------------------------------------------------------------------------------------- slice


@pytest.mark.parametrize("seed", SEEDS)
def test_slice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = dims(rng, int(rng.integers(1, 5)))
    begin = rng.integers(0, shape)
    size = rng.integers(1, np.array(shape) - begin + 1)
    stated = np.where(rng.random(len(shape)) < 0.3, -1, size)
    y = tuple(np.where(stated == -1, shape - begin, size).tolist())
    same_bytes(Case("SLICE", [shape, begin.astype(np.int32), stated.astype(np.int32)], [y], {}))


def strided(rng: np.random.Generator) -> Case | None:
    """A random STRIDED_SLICE with all masks; None where it takes nothing or leaves four axes. What
    it gives is NumPy's slice, which the test compares with TensorFlow Lite's."""
    shape = dims(rng, int(rng.integers(1, 5)))
    masks = dict.fromkeys(("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis"), 0)
    begin, end, step, index = [], [], [], []  # type: ignore[var-annotated]
    rest, has_ellipsis = list(shape), False
    while len(begin) < 6 and rest:
        bit, kind = 1 << len(begin), int(rng.integers(10))
        dim = rest[0]
        a, b = (int(v) for v in rng.integers(-dim - 1, dim + 2, 2))
        s = int(rng.choice([-3, -2, -1, 1, 1, 1, 2, 3]))
        if kind == 0 and not has_ellipsis:
            masks["Ellipsis"] |= bit
            has_ellipsis = True
            rest = rest[int(rng.integers(1, len(rest) + 1)) :]
            index.append(Ellipsis)
        elif kind == 1:
            masks["NewAxis"] |= bit
            index.append(np.newaxis)
        elif kind == 2:
            masks["ShrinkAxis"] |= bit
            a, s = int(rng.integers(-dim, dim)), 1
            index.append(a)
            rest.pop(0)
        else:
            from_start, to_end = rng.random(2) < 0.3
            masks["Begin"] |= bit * int(from_start)
            masks["End"] |= bit * int(to_end)
            index.append(slice(None if from_start else a, None if to_end else b, s))
            rest.pop(0)
        begin, end, step = [*begin, a], [*end, b], [*step, s]
        if not has_ellipsis and rng.random() < 0.1:
            break
    y = np.zeros(shape, np.int8)[tuple(index)].shape
    if 0 in y or not 1 <= len(y) <= 4 or len(shape) + masks["NewAxis"].bit_count() > 5:
        return None
    options = {f"{name}Mask": mask for name, mask in masks.items()}
    return Case("STRIDED_SLICE", [shape, ints(*begin), ints(*end), ints(*step)], [y], options)


@pytest.mark.parametrize("seed", range(300))
def test_strided_slice(seed: int) -> None:
    rng = np.random.default_rng(seed)
    case = next(case for case in (strided(rng) for _ in range(100)) if case is not None)
    same_bytes(case, batches=1)


@pytest.mark.parametrize("axis", [-1, 1, 2])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_split(axis: int, n: int) -> None:
    y = [2, 6, 6]
    y[axis] //= n
    same_bytes(Case("SPLIT", [ints(axis)[0].reshape(()), (2, 6, 6)], [tuple(y)] * n,
                    {"NumSplits": n}))  # fmt: skip


@pytest.mark.parametrize("sizes", [(1, 5), (2, 2, 2), (3, -1), (-1,)])
@pytest.mark.parametrize("axis", [-1, 1])
def test_split_v(sizes: Shape, axis: int) -> None:
    known = 6 - sum(n for n in sizes if n > 0)
    outputs = []
    for n in sizes:
        y = [2, 6, 6]
        y[axis] = known if n == -1 else n
        outputs.append(tuple(y))
    same_bytes(Case("SPLIT_V", [(2, 6, 6), ints(*sizes), ints(axis)[0].reshape(())], outputs,
                    {"NumSplits": len(sizes)}))  # fmt: skip


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_unpack(axis: int) -> None:
    y = [2, 3, 4]
    n = y.pop(axis)
    model = same_bytes(Case("UNPACK", [(2, 3, 4)], [tuple(y)] * n, {"Num": n, "Axis": axis}))
    assert sum(isinstance(op, Slice) for op in model.graph.ops) == n


def test_a_slice_of_everything_copies_nothing() -> None:
    case = Case("SLICE", [(1, 4, 3), ints(0, 0, 0), ints(1, -1, 3)], [(1, 4, 3)], {})
    model = same_bytes(case)
    assert isinstance(model.graph.ops[0], Reshape) and model.arena_bytes == 12


@pytest.mark.parametrize(
    "case",
    [
        Case("SLICE", [(1, 4), ints(0, 1), ints(1, 2)], [(1, 2)], {}, scales=[0.5, 0.25]),
        Case("UNPACK", [(1, 2)], [(2,)], {"Num": 1, "Axis": 0}, scales=[0.5, 0.25]),
        Case("TRANSPOSE", [(3, 2), ints(1, 0)], [(2, 3)], {}, scales=[0.5, 0.25]),
        Case("PAD", [(2,), np.ones((1, 2), np.int32)], [(4,)], {}, scales=[0.5, 0.25]),
    ],
    ids=lambda case: case.name,
)
def test_an_output_with_another_scale_is_refused(case: Case) -> None:
    """TensorFlow Lite takes some of them and moves the bytes all the same; no converter writes
    them."""
    with pytest.raises(ModelError, match="another scale"):
        byteprop.load(case.build())


def test_slices_of_tensors_without_scales() -> None:
    case = Case("SPLIT", [ints(1)[0].reshape(()), (2, 6)], [(2, 3)] * 2, {"NumSplits": 2},
                scales=[None] * 3)  # fmt: skip
    file = case.build()
    x = np.arange(12, dtype=np.int8).reshape(2, 6)
    for a, b in zip(byteprop.load(file).run(x), builtin_ref.run(file, [x]), strict=True):
        np.testing.assert_array_equal(a, b)


# --------------------------------------------------------------------------------------- transpose


@pytest.mark.parametrize("seed", SEEDS)
def test_transpose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = dims(rng, int(rng.integers(1, 5)))
    permutation = rng.permutation(len(shape))
    y = tuple(shape[axis] for axis in permutation)
    stated = np.where(rng.random(len(shape)) < 0.2, permutation - len(shape), permutation)
    same_bytes(Case("TRANSPOSE", [shape, stated.astype(np.int32)], [y], {}), batches=1)


def test_moving_an_axis_of_one_position_copies_nothing() -> None:
    case = Case("TRANSPOSE", [(1, 4, 6, 3), ints(1, 0, 2, 3)], [(4, 1, 6, 3)], {})
    assert isinstance(same_bytes(case, batches=1).graph.ops[0], Reshape)
    case = Case("TRANSPOSE", [(1, 4, 6, 3), ints(0, 2, 1, 3)], [(1, 6, 4, 3)], {})
    assert isinstance(same_bytes(case).graph.ops[0], Transpose)


# ----------------------------------------------------------------------------------------- refused

_FIVE = (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("case", "match"),
    [
        (Case("TRANSPOSE", [_FIVE, ints(0, 1, 2, 3, 4)], [_FIVE], {}), "5 dimensions"),
        (Case("PACK", [(1, 1, 1, 1)], [_FIVE], {"ValuesCount": 1}), "5 dimensions"),
        (Case("TRANSPOSE", [(2, 2), ints(0, 0)], [(2, 2)], {}), "permutation"),
        (Case("TRANSPOSE", [(2, 2), ints(0, 2)], [(2, 2)], {}), "permutation"),
        (Case("PAD", [(2, 2), np.full((2, 2), -1, np.int32)], [(1, 1)], {}), "paddings"),
        (Case("PAD", [(2, 2), np.zeros((3, 2), np.int32)], [(2, 2)], {}), "paddings"),
        (Case("SLICE", [(2, 2), ints(0, 1), ints(2, 2)], [(2, 2)], {}), "positions"),
        (Case("SLICE", [(2, 2), ints(0, -1), ints(2, 1)], [(2, 1)], {}), "positions"),
        (Case("SLICE", [(2, 2), ints(0, 0), ints(2, 0)], [(2, 0)], {}), "shape"),
        (Case("STRIDED_SLICE", [(2,), ints(0), ints(2), ints(0)], [(2,)], {}), "stride of 0"),
        (Case("STRIDED_SLICE", [(2,), ints(2), ints(1), ints(1)], [(0,)], {}), "shape"),
        (Case("STRIDED_SLICE", [(2,), ints(0), ints(2), ints(1)], [(2,)], {"Offset": 1}), "offset"),
        (
            Case("STRIDED_SLICE", [(2,), ints(0, 1), ints(0, 2), ints(1, 1)], [(2,)],
                 {"EllipsisMask": 1}),
            "ellipsis",
        ),
        (Case("SPLIT", [ints(0)[0].reshape(()), (3, 2)], [(1, 2)] * 2, {"NumSplits": 2}), "parts"),
        (Case("SPLIT", [ints(2)[0].reshape(()), (3, 2)], [(3, 1)] * 2, {"NumSplits": 2}), "axis"),
        (Case("SPLIT_V", [(3, 2), ints(1, 1), ints(0)], [(1, 2)] * 2, {"NumSplits": 2}), "parts"),
        (Case("UNPACK", [(3, 2)], [(2,)] * 2, {"Num": 2}), "parts"),
        (Case("CONCATENATION", [(1, 2), (2, 2)], [(1, 4)], {"Axis": 1}), "along axis"),
        (Case("CONCATENATION", [(1, 2), (1, 2)], [(1, 4)], {"Axis": 2}), "axis"),
        (Case("CONCATENATION", [(1, 2), (1, 2)], [(1, 5)], {"Axis": 1}), "the op gives"),
    ],
)  # fmt: skip
def test_refused_by_name(case: Case, match: str) -> None:
    with pytest.raises(ModelError, match=match):
        byteprop.load(case.build())


@pytest.mark.parametrize("name", ["PAD", "SLICE", "TRANSPOSE"])
def test_what_is_computed_when_the_model_runs_is_refused(name: str) -> None:
    """Paddings, beginnings and permutations must be constants."""
    model = tb.ModelBuilder()
    x, y = (model.tensor((2, 2), scale=SCALE) for _ in range(2))
    other = model.tensor((2, 2), scale=SCALE)
    operands = [x, other, other] if name == "SLICE" else [x, other]
    model.op(getattr(tflite.BuiltinOperator, name), operands, [y], version=2)
    with pytest.raises(UnsupportedOpError, match="must be known"):
        byteprop.load(model.build([x, other], [y]))


# ------------------------------------------------------------------------------------------- words


def test_a_summary_says_what_is_moved() -> None:
    graph = graph_of_moves()
    details = [spec_of(op).detail(op) for op in graph.ops]
    assert details[:3] == [
        ("0, 2, 0, 0 before, value -7",),
        ("axes 0, 3, 1, 2",),
        ("from 0, 1, 4, 0", "steps 1, 1, -2, 1"),
    ]
    assert details[3:5] == [("from 0, 0, 1, 1",), ("4 inputs along axis 3",)]
