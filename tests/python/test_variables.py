"""Models with state: variables of .tflite files, steps, and what may be done in place."""

from __future__ import annotations

import copy
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tflite
from streaming_network import (
    FIRST,
    FIRST_STATES,
    STATE_BYTES,
    steps,
    streaming_graph,
    without_state,
)

import builtin_ref
import byteprop
from byteprop import Model, image, reference
from byteprop.errors import ArgumentError, ModelError, UnsupportedOpError
from byteprop.exporter import write_tflite
from byteprop.graph import DType, Graph, Kind
from byteprop.image.plan import plan
from byteprop.importer import graph_of_file, load_tflite
from byteprop.ops import Concatenate, Dense, Rescale, Reshape, Slice
from byteprop.ops.push import Push
from byteprop.tflite.file import TfliteFile, options_of

Code = tflite.BuiltinOperator
INT8, INT16, RESOURCE = (
    tflite.TensorType.INT8, tflite.TensorType.INT16, tflite.TensorType.RESOURCE,
)  # fmt: skip
N = 100


class StreamingFile:
    """A file as converters write streaming models: all = variable ++ x, and the last of all are
    assigned to the variable again. y: all, or (read_late) what the variable was."""

    def __init__(
        self,
        *,
        first: np.ndarray | None = None,  # type: ignore[type-arg]
        kept: int = 3,
        from_end: bool = True,
        type: int = INT8,
        read_late: bool = False,
        has_once: bool = True,
    ) -> None:
        self.file = file = TfliteFile()
        zero_point = 0 if type == INT16 else -5
        values = np.full((1, kept, 1, 2), -5, np.int8) if first is None else first

        def tensor(name: str, *shape: int, type: int = type) -> int:
            return file.tensor(shape, type, name=name, scale=0.1, zero_point=zero_point)

        index, once = file.subgraph("once")
        value = once.tensor(
            (1, kept, 1, 2), type, name="first", scale=0.1, zero_point=zero_point, data=values
        )
        once.op(Code.ASSIGN_VARIABLE, [self._handle(once), value], [])
        if has_once:
            options = options_of("CallOnce", InitSubgraphIndex=index)
            file.op(Code.CALL_ONCE, [], [], options=options)
        handle = self._handle(file)
        self.x = tensor("x", 1, 1, 1, 2)
        past, all_values = tensor("past", 1, kept, 1, 2), tensor("all", 1, kept + 1, 1, 2)
        new, self.y = tensor("new", 1, kept, 1, 2), tensor("y", 1, kept + 1, 2)
        file.op(Code.READ_VARIABLE, [handle], [past])
        joined = options_of("Concatenation", Axis=1, FusedActivationFunction=0)
        file.op(Code.CONCATENATION, [past, self.x], [all_values], version=2, options=joined)
        begin = np.array([0, 1 if from_end else 0, 0, 0], "<i4")
        ends = [begin, np.array([1, kept + (1 if from_end else 0), 1, 2], "<i4"), np.ones(4, "<i4")]
        numbers = [
            file.tensor((4,), tflite.TensorType.INT32, name=f"n{i}", data=data)
            for i, data in enumerate(ends)
        ]
        sliced = options_of("StridedSlice", BeginMask=0)
        file.op(Code.STRIDED_SLICE, [all_values, *numbers], [new], version=2, options=sliced)
        file.op(Code.ASSIGN_VARIABLE, [handle, new], [])
        shape = file.tensor(
            (3,), tflite.TensorType.INT32, name="shape",
            data=np.array([1, kept + (0 if read_late else 1), 2], "<i4"),
        )  # fmt: skip
        if read_late:
            self.y = tensor("late", 1, kept, 2)
        source = past if read_late else all_values
        file.op(Code.RESHAPE, [source, shape], [self.y])

    @staticmethod
    def _handle(file: TfliteFile) -> int:
        handle = file.tensor((), RESOURCE, name="handle")
        options = options_of("VarHandle", Container="c", SharedName="v")
        file.op(Code.VAR_HANDLE, [], [handle], options=options)
        return handle

    def build(self) -> bytes:
        return self.file.build([self.x], [self.y])


def values_of(n: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(3).integers(-128, 128, (n, 1, 1, 2)).astype(np.int8)


# --- equal bytes ---


@pytest.mark.parametrize("read_late", [False, True])
@pytest.mark.parametrize("from_end", [True, False])
def test_a_sequence_gives_the_bytes_of_tensorflow_lite(from_end: bool, read_late: bool) -> None:
    file = StreamingFile(from_end=from_end, read_late=read_late).build()
    x = values_of(N)
    (expected,) = builtin_ref.run(file, [x])
    for graph in (graph_of_file(file), load_tflite(file)):
        np.testing.assert_array_equal(Model(graph).run(x, steps=True), expected)
        np.testing.assert_array_equal(reference.run(graph, [x])[0], expected)
        again = load_tflite(write_tflite(graph))
        np.testing.assert_array_equal(Model(again).run(x, steps=True), expected)


def test_all_of_a_streaming_network() -> None:
    graph, x = streaming_graph(), steps(N)
    file = write_tflite(graph)
    (expected,) = builtin_ref.run(file, [x])
    assert len(np.unique(expected, axis=0)) > N // 3
    for made in (graph, image.decode(image.encode(graph)), load_tflite(file)):
        np.testing.assert_array_equal(Model(made).run(x, steps=True), expected)
    np.testing.assert_array_equal(reference.run(graph, [x])[0], expected)


@pytest.mark.parametrize("read_late", [False, True])
def test_a_variable_that_begins_with_other_values(read_late: bool) -> None:
    first = np.array([7, -128, 127, 0, 1, -5], np.int8).reshape(1, 3, 1, 2)
    file = StreamingFile(first=first, read_late=read_late).build()
    x = values_of(9)
    (expected,) = builtin_ref.run(file, [x])
    for graph in (graph_of_file(file), load_tflite(file)):
        assert first.tobytes() in {t.data[-6:] for t in graph.tensors}
        encoded = image.encode(graph)
        assert image.decode(encoded) == graph
        model = Model(graph)
        np.testing.assert_array_equal(model.run(x, steps=True), expected)
        model.reset()
        np.testing.assert_array_equal(model.run(x, steps=True), expected)
        np.testing.assert_array_equal(reference.run(graph, [x])[0], expected)
        again = load_tflite(write_tflite(graph))
        np.testing.assert_array_equal(Model(again).run(x, steps=True), expected)


# --- int16 ---


@pytest.mark.parametrize("read_late", [False, True])
@pytest.mark.parametrize("first", [[0] * 6, [1, -2, 300, -400, 32767, -32768]])
def test_a_variable_of_int16(first: list[int], read_late: bool) -> None:
    values = np.array(first, np.int16).reshape(1, 3, 1, 2)
    file = StreamingFile(first=values, type=INT16, read_late=read_late).build()
    x = np.random.default_rng(5).integers(-(2**15), 2**15, (N, 1, 1, 2)).astype(np.int16)
    (expected,) = builtin_ref.run(file, [x])
    assert expected.dtype == np.int16
    for graph in (graph_of_file(file), load_tflite(file)):
        assert image.decode(image.encode(graph)) == graph
        _assert_steps(graph, x, expected)
    assert (Push in {type(op) for op in load_tflite(file).ops}) != read_late


class SoundFile:
    """A window of the last 12 int16 samples, 4 at a time, of which a layer classifies the later 10
    as int8, and a variable of int16 that is what the input was one step before."""

    def __init__(self, **wrong: int) -> None:
        self.file = file = TfliteFile()
        rng = np.random.default_rng(8)

        def tensor(name: str, *shape: int, type: int = INT16) -> int:
            scale, zero_point = (0.001, 0) if type == INT16 else (0.25, -3)
            zero_point = wrong.get(name, zero_point)
            return file.tensor(shape, type, name=name, scale=scale, zero_point=zero_point)

        def numbers(*values: int) -> int:
            name = f"numbers{values}"
            return file.tensor(
                (len(values),), tflite.TensorType.INT32, name=name, data=np.array(values, "<i4")
            )

        index, once = file.subgraph("once")
        for name, n in (("window", 8), ("before", 4)):
            first = rng.integers(-(2**15), 2**15, (1, n)).astype(np.int16)
            value = once.tensor((1, n), INT16, name=name, scale=0.001, zero_point=0, data=first)
            once.op(Code.ASSIGN_VARIABLE, [self._handle(once, name), value], [])
        options = options_of("CallOnce", InitSubgraphIndex=index)
        file.op(Code.CALL_ONCE, [], [], options=options)
        window, before = self._handle(file, "window"), self._handle(file, "before")
        self.x = tensor("x", 1, 4)
        past, all_values, new = tensor("past", 1, 8), tensor("all", 1, 12), tensor("new", 1, 8)
        later, q = tensor("later", 1, 10), tensor("q", 1, 10, type=INT8)
        late, column = tensor("late", 1, 4), tensor("column", 4, 1)
        y, self.late = tensor("y", 1, 3, type=INT8), tensor("out", 4, 1, type=INT8)
        file.op(Code.READ_VARIABLE, [window], [past])
        file.op(Code.READ_VARIABLE, [before], [late])
        joined = options_of("Concatenation", Axis=-1, FusedActivationFunction=0)
        file.op(Code.CONCATENATION, [past, self.x], [all_values], version=2, options=joined)
        ends = [numbers(0, 4), numbers(1, 12), numbers(1, 1)]
        sliced = options_of("StridedSlice", BeginMask=0)
        file.op(Code.STRIDED_SLICE, [all_values, *ends], [new], version=2, options=sliced)
        file.op(Code.ASSIGN_VARIABLE, [window, new], [])
        file.op(Code.SLICE, [all_values, numbers(0, 2), numbers(1, 10)], [later], version=2)
        file.op(Code.QUANTIZE, [later], [q], version=2)
        weights = file.tensor(
            (3, 10), INT8, name="w", scale=0.01, zero_point=0,
            data=rng.integers(-127, 128, (3, 10)).astype(np.int8),
        )  # fmt: skip
        dense = options_of("FullyConnected", FusedActivationFunction=0)
        file.op(Code.FULLY_CONNECTED, [q, weights, -1], [y], version=4, options=dense)
        file.op(Code.ASSIGN_VARIABLE, [before, self.x], [])
        file.op(Code.RESHAPE, [late, numbers(4, 1)], [column])
        file.op(Code.QUANTIZE, [column], [self.late], version=2)
        self.y = y

    @staticmethod
    def _handle(file: TfliteFile, name: str) -> int:
        handle = file.tensor((), RESOURCE, name=f"{name}/handle")
        options = options_of("VarHandle", Container="", SharedName=name)
        file.op(Code.VAR_HANDLE, [], [handle], options=options)
        return handle

    def build(self) -> bytes:
        return self.file.build([self.x], [self.y, self.late])


def samples_of_sound(n: int) -> np.ndarray:  # type: ignore[type-arg]
    values = np.random.default_rng(9).normal(0, 12000, (n, 4))
    return np.clip(values, -(2**15), 2**15 - 1).astype(np.int16)


def _assert_steps(graph: Graph, x: np.ndarray, *expected: np.ndarray) -> None:  # type: ignore[type-arg]
    """C, the reference, and the file that is written of the graph, all from a fresh model and after
    a reset."""
    file = write_tflite(graph)
    model = Model(graph)
    answers = [reference.run(graph, [x]), builtin_ref.run(file, [x])]
    for made in (model, model, Model(load_tflite(file))):
        made.reset()
        found = made.run(x, steps=True)
        answers.append(list(found) if isinstance(found, tuple) else [found])
    for answer in answers:
        for a, b in zip(answer, expected, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_a_window_of_int16_samples() -> None:
    file, x = SoundFile().build(), samples_of_sound(N)
    expected = builtin_ref.run(file, [x])
    assert all(len(np.unique(y, axis=0)) > N // 2 for y in expected)
    graph = load_tflite(file)
    assert Push in {type(op) for op in graph.ops}
    for made in (graph, graph_of_file(file), image.decode(image.encode(graph))):
        _assert_steps(made, x, *expected)
    model = Model(graph)
    assert [(t.dtype, t.shape) for t in model.inputs] == [(np.int16, (1, 4))]
    model.run(x[:60], steps=True)
    kept = model.get_state()
    assert sorted(a.size for a in kept) == [8, 24]  # two bytes for a sample
    other = Model(graph)
    other.set_state(kept)
    for a, b in zip(other.run(x[60:], steps=True), expected, strict=True):
        np.testing.assert_array_equal(a, b[-len(a) :])
    with pytest.raises(ArgumentError, match="expected an array of int16, .* got dtype int8"):
        model.run(x[:1].astype(np.int8))
    with pytest.raises(ArgumentError, match=r"'x' of int16; Model.run takes its integers"):
        model.predict(x[:1])


def test_the_reader_refuses_int16_elsewhere() -> None:
    """The record of a tensor says int16, and the op that has it computes in 8 bits, or the other
    way round."""
    good = image.encode(load_tflite(SoundFile().build()))
    records = int(np.frombuffer(good, "<u4", 1, 32)[0])
    graph = image.decode(good)
    quantized = next(op for op in graph.ops if isinstance(op, Rescale))
    dense = next(op for op in graph.ops if isinstance(op, Dense))
    for index, dtype, status in (
        (quantized.input, 1, "E_DTYPE"),  # its bytes were moved as int16
        (quantized.output, 3, "E_DTYPE"),
        (dense.output, 3, "E_DTYPE"),
        (dense.output, 4, "E_DTYPE"),
    ):
        bad = bytearray(good)
        bad[records + 40 * index] = dtype
        bad[12:16] = np.uint32(_crc(bytes(bad[16:]))).tobytes()
        with pytest.raises(ModelError, match=status):
            byteprop.engine._raw.Engine(bytes(bad))
    for changes in ({"zero_point": 1}, {"shape": (1, 3)}, {"shape": ()}, {"float_border": True}):
        x = replace(graph.tensors[graph.inputs[0]], **changes)  # type: ignore[arg-type]
        with pytest.raises(ModelError, match="int16 (with the zero point|that stands for float32)"):
            image.encode(replace(graph, tensors=(x, *graph.tensors[1:])))


def test_samples_of_int16_from_a_file(tmp_path: Path) -> None:
    from byteprop_host.data.samples import from_file

    graph, x = load_tflite(SoundFile().build()), samples_of_sound(5)
    path = tmp_path / "sound.npy"
    for given in (x, x.astype(np.int64)):
        np.save(path, given)
        samples = from_file(graph, path, None)
        np.testing.assert_array_equal(samples.file[0], x)
        assert samples.bytes_of(3) == x[3].tobytes()
    for wrong in (x.astype(np.float32), x.astype(np.int64) * 2**16):
        np.save(path, wrong)
        with pytest.raises(ArgumentError, match="expected integers of int16"):
            from_file(graph, path, None)


def test_moves_of_int16_equal_tensorflow_lite() -> None:
    file = TfliteFile()

    def tensor(name: str, *shape: int) -> int:
        return file.tensor(shape, INT16, name=name, scale=0.001, zero_point=0)

    def numbers(*values: int) -> int:
        name, data = f"numbers{values}", np.array(values, "<i4")
        return file.tensor(data.shape, tflite.TensorType.INT32, name=name, data=data)

    def strided(source: int, result: int, begin: int, end: int, step: int, **masks: int) -> None:
        options = options_of("StridedSlice", **masks)
        file.op(
            Code.STRIDED_SLICE, [source, begin, end, step], [result], version=2, options=options
        )

    x = tensor("x", 1, 3, 6)
    back, last, column = tensor("back", 1, 2, 6), tensor("last", 1, 3), tensor("column", 1, 3, 1)
    row, left, right = tensor("row", 1, 6), tensor("left", 1, 3, 2), tensor("right", 1, 3, 4)
    halves = [tensor(name, 1, 3, 3) for name in ("a", "b")]
    wide = tensor("wide", 1, 3, 7)
    ones = numbers(1, 1, 1)
    strided(x, back, numbers(0, 2, 0), numbers(1, 0, 6), numbers(1, -1, 1))
    strided(x, last, numbers(0, 0, -1), numbers(1, 3, 6), ones, ShrinkAxisMask=4)
    strided(x, row, numbers(0, 1, 0), numbers(1, 2, 6), ones, ShrinkAxisMask=2)
    file.op(Code.EXPAND_DIMS, [last, numbers(2)], [column])
    file.op(
        Code.SPLIT, [numbers(2), x], halves, version=4, options=options_of("Split", NumSplits=2)
    )
    split = options_of("SplitV", NumSplits=2)
    file.op(Code.SPLIT_V, [x, numbers(2, 4), numbers(2)], [left, right], options=split)
    joined = options_of("Concatenation", Axis=2, FusedActivationFunction=0)
    file.op(Code.CONCATENATION, [column, x], [wide], version=2, options=joined)
    data = file.build([x], [back, last, row, *halves, left, right, wide])
    values = np.random.default_rng(4).integers(-(2**15), 2**15, (5, 3, 6)).astype(np.int16)
    _assert_steps(load_tflite(data), values, *builtin_ref.run(data, [values]))


def test_int16_with_a_zero_point() -> None:
    with pytest.raises(ModelError, match="'later' has the zero point 7, expected 0"):
        load_tflite(SoundFile(later=7).build())


@pytest.mark.parametrize(
    ("name", "code"),
    [("ADD", Code.ADD), ("TRANSPOSE", Code.TRANSPOSE), ("QUANTIZE", Code.QUANTIZE)],
)
def test_other_ops_of_int16(name: str, code: int) -> None:
    file = TfliteFile()
    kind = INT8 if name == "QUANTIZE" else INT16
    x = file.tensor((1, 4), kind, name="x", scale=0.1, zero_point=0)
    y = file.tensor((1, 4), INT16, name="y", scale=0.1, zero_point=0)
    order = file.tensor((2,), tflite.TensorType.INT32, name="order", data=np.array([0, 1], "<i4"))
    operands = {"ADD": [x, x], "TRANSPOSE": [x, order], "QUANTIZE": [x]}[name]
    file.op(code, operands, [y], version=2)
    with pytest.raises(UnsupportedOpError, match=f"int16 activations, .*{name} with output 'y'"):
        load_tflite(file.build([x], [y]))


# --- in place ---


def test_a_window_of_past_values_is_one_state() -> None:
    graph = load_tflite(StreamingFile().build())
    assert [type(op) for op in graph.ops] == [Push, Reshape]
    assert plan(graph).arena_bytes == 8 + 8  # all values; then x, and y when x has been read
    copied = graph_of_file(StreamingFile().build())
    assert [type(op) for op in copied.ops] == [Concatenate, Slice, Reshape, Reshape]


def test_a_window_whose_last_values_are_dropped_is_none() -> None:
    graph = load_tflite(StreamingFile(from_end=False).build())
    assert Push not in {type(op) for op in graph.ops}


def test_a_window_that_is_an_output_is_copied() -> None:
    graph = graph_of_file(StreamingFile().build())
    window = next(op.output for op in graph.ops if isinstance(op, Concatenate))
    file = write_tflite(replace(graph, outputs=(*graph.outputs, window)))
    found = load_tflite(file)
    assert Push not in {type(op) for op in found.ops}
    x = values_of(7)
    for a, b in zip(Model(found).run(x, steps=True), builtin_ref.run(file, [x]), strict=True):
        np.testing.assert_array_equal(a, b)


# --- refused ---


def test_a_variable_without_a_beginning() -> None:
    with pytest.raises(UnsupportedOpError, match="2 subgraphs, expected 1"):
        load_tflite(StreamingFile(has_once=False).build())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input": 0}, "expected a state that is input and output"),
        ({"values": 0}, "expected one axis to differ"),
    ],
)
def test_pushes_that_no_image_holds(changes: dict[str, int], message: str) -> None:
    graph = streaming_graph()
    ops = list(graph.ops)
    ops[2] = replace(ops[2], **changes)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=message):
        image.encode(replace(graph, ops=tuple(ops)))


def test_the_reader_refuses_a_push_into_an_activation() -> None:
    graph = Graph(
        tuple(
            replace(streaming_graph().tensors[0], name=name, kind=kind, shape=(1, 4))
            for name, kind in (("x", Kind.ACTIVATION), ("s", Kind.STATE), ("y", Kind.ACTIVATION))
        ),
        (Push(1, 1, 0), Reshape(1, 2)),
        (0,),
        (2,),
    )  # fmt: skip
    good = image.encode(graph)
    at = int(np.frombuffer(good, "<u4", 1, 36)[0])
    record = int(np.frombuffer(good, "<u4", 1, at)[0])
    for operands in ((2, 0, 2), (1, 0, 2), (0, 0, 1), (1, 1, 0)):
        bad = bytearray(good)
        bad[record + 4 : record + 10] = np.array(operands, "<u2").tobytes()
        bad[12:16] = np.uint32(_crc(bytes(bad[16:]))).tobytes()
        with pytest.raises(ModelError):
            image.decode(bytes(bad))


def _crc(data: bytes) -> int:
    import zlib

    return zlib.crc32(data)


# --- steps ---


def test_a_batch_without_steps_is_refused() -> None:
    model, x = Model(streaming_graph()), steps(4)
    for call in (model.run, model.predict):
        with pytest.raises(
            ArgumentError, match="expected one sample, as the model has state, got 4"
        ):
            call(x)
    assert model.is_stateful and not Model(without_state(streaming_graph())).is_stateful


def test_reset_begins_again() -> None:
    model, x = Model(streaming_graph()), steps(20)
    whole = model.run(x, steps=True)
    model.reset()
    np.testing.assert_array_equal([model.run(row[None])[0] for row in x], whole)
    assert (model.run(x, steps=True) != whole).any()  # it went on
    other = Model(without_state(streaming_graph()))
    other.reset()
    np.testing.assert_array_equal(other.run(x), other.run(x, steps=True))


def test_real_values_are_steps_too() -> None:
    model, x = Model(streaming_graph()), steps(20)
    reals = (x.astype(np.float32) + 3) * np.float32(0.05)
    answers = model.predict(reals, steps=True)
    model.reset()
    np.testing.assert_array_equal(answers, (model.run(x, steps=True) + 128.0) / 256)


def test_a_copy_begins_again() -> None:
    model, x = Model(streaming_graph()), steps(5)
    first = model.run(x, steps=True)
    np.testing.assert_array_equal(copy.deepcopy(model).run(x, steps=True), first)


def test_threads_share_the_state_and_lose_no_step() -> None:
    """The state after all steps is that of the same values in a row, in whatever order."""
    model = Model(streaming_graph())
    x = np.repeat(steps(1), 400, axis=0)
    threads = [
        threading.Thread(target=model.run, args=(x,), kwargs={"steps": True}) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = Model(streaming_graph())
    alone.run(np.repeat(steps(1), 1600, axis=0), steps=True)
    np.testing.assert_array_equal(model.run(steps(3), steps=True), alone.run(steps(3), steps=True))


def test_the_state_is_read_and_written() -> None:
    engine = byteprop.engine._raw.Engine(image.encode(streaming_graph()))
    x = steps(9).reshape(9, -1).view(np.uint8)
    assert engine.state_bytes == STATE_BYTES == 121 and engine.get_state() == FIRST_STATES
    engine.run(x[:5])
    kept = engine.get_state()
    answers = engine.run(x[5:])
    engine.set_state(kept)
    np.testing.assert_array_equal(engine.run(x[5:]), answers)
    with pytest.raises(ArgumentError, match="state: expected 121 bytes, got 3"):
        engine.set_state(b"abc")


def test_a_model_goes_on_from_a_state() -> None:
    model, x = Model(streaming_graph()), steps(9)
    model.run(x[:5], steps=True)
    kept = model.get_state()
    assert [a.shape for a in kept][3:] == [(1, 6, 3, 2), (1, 5), (1, 5, 2)]
    answers = model.run(x[5:], steps=True)
    other = Model(streaming_graph())
    assert other.get_state()[1].tobytes() == FIRST["window"]
    other.set_state(kept)
    np.testing.assert_array_equal(other.run(x[5:], steps=True), answers)
    for wrong in (kept[1:], [*kept[:5], kept[5].view(np.uint8)], [*kept[:5], kept[5][0]]):
        with pytest.raises(ArgumentError, match=r"state: expected int8 \[1, 5, 1, 6\], .* got "):
            model.set_state(wrong)
    assert Model(without_state(streaming_graph())).get_state() == ()


def test_info_tells_the_size_of_the_state() -> None:
    from byteprop_host.info import info

    found = info(Model(streaming_graph()))
    assert "\nstate  121 bytes of the arena, kept from one inference to the next\n" in found.text()
    assert found.to_json()["state_bytes"] == STATE_BYTES
    assert "\nstate" not in info(Model(without_state(streaming_graph()))).text()


def test_the_reference_goes_on_from_a_state() -> None:
    graph, x = streaming_graph(), steps(12)
    states = reference.run_states(graph, [x[:7]], reference.first_states(graph))
    layers = reference.run_layers(graph, [x[7:]], states=states)
    np.testing.assert_array_equal(layers[-1], reference.run(graph, [x])[0][7:])


def test_training_refuses_state() -> None:
    model = Model(streaming_graph())
    with pytest.raises(byteprop.errors.BytepropError, match="state"):
        model.fit(steps(8), np.zeros(8, np.int64), epochs=1)
    assert {t.dtype for t in model.graph.tensors} == {DType.INT8}
