"""Truncated, corrupted and hostile files: ModelError and nothing else, in bounded memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

import tflite_builder as tb
from byteprop.errors import ModelError
from byteprop.importer import load_tflite
from byteprop.tflite.verify import MAX_TABLES, verify

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
FILES = [
    (MODELS / "digits_mlp.tflite").read_bytes(),
    (MODELS / "fashion_mlp_floatio.tflite").read_bytes(),
    (MODELS / "regression_1x1.tflite").read_bytes(),
    tb.dense_model(weights=np.ones((3, 4)), bias=np.ones(3), weight_scale=[0.1, 0.2, 0.3]),
    tb.softmax_model(),
    tb.rescale_model("RELU6", shape=(1, 4)),
    tb.float_border_model(shape=(1, 4)),
    tb.reshape_model([(1, 12), (3, -1), (2, 2, 3)]),
]
# Where flatbuffers keep offsets and lengths; the weights in between have little to corrupt.
ENDS = 2500
WORDS = [0, 1, 2, 4, 7, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFC, 0xFFFFFFFF]


def load_or_refuse(data: bytes) -> None:
    try:
        load_tflite(data)
    except ModelError as error:
        assert len(str(error)) > 10


@st.composite
def corrupted(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(FILES)))
    near = st.integers(0, min(ENDS, len(data) - 1))
    for _ in range(draw(st.integers(1, 6))):
        position = draw(st.one_of(near, near.map(lambda n: len(data) - 1 - n)))
        if draw(st.booleans()):
            data[position] = draw(st.integers(0, 255))
        else:
            position = min(position & ~3, len(data) - 4)
            struct.pack_into("<I", data, position, draw(st.sampled_from(WORDS)))
    return bytes(data)


@settings(max_examples=600, deadline=None)
@given(corrupted())
def test_corrupted_files(data: bytes) -> None:
    load_or_refuse(data)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(FILES), st.data())
def test_truncated_files(file: bytes, data: st.DataObject) -> None:
    """A cut may spare all that is read only where the rest is padding."""
    load_or_refuse(file[: data.draw(st.integers(0, len(file) - 1))])


@pytest.mark.parametrize("file", FILES)
def test_files_without_their_second_half(file: bytes) -> None:
    with pytest.raises(ModelError, match="truncated or corrupt"):
        load_tflite(file[: len(file) // 2])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_noise_behind_a_right_beginning(noise: bytes) -> None:
    with pytest.raises(ModelError):
        load_tflite(struct.pack("<I4s", 12, b"TFL3") + noise)


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes(7), bytes(8), bytes(1000), b"\xff" * 64])
def test_no_models_at_all(data: bytes) -> None:
    with pytest.raises(ModelError, match=r"not a \.tflite file"):
        load_tflite(data)


def root(b: flatbuffers.Builder, *, subgraphs: int, buffers: int | None = None) -> bytes:
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddSubgraphs(b, subgraphs)
    if buffers is not None:
        tflite.ModelAddBuffers(b, buffers)
    b.Finish(tflite.ModelEnd(b), file_identifier=b"TFL3")
    return bytes(b.Output())


def same_offset(b: flatbuffers.Builder, target: int, count: int) -> int:
    b.StartVector(4, count, 4)
    for _ in range(count):
        b.PrependUOffsetTRelative(target)
    return int(b.EndVector())


def shared_ops(ops: int, operands: int) -> bytes:
    """A file of few bytes that describes ops * operands operands: all offsets lead to one op."""
    b = flatbuffers.Builder(1024)
    inputs = b.CreateNumpyVector(np.zeros(operands, np.int32))
    tflite.OperatorStart(b)
    tflite.OperatorAddInputs(b, inputs)
    vector = same_offset(b, tflite.OperatorEnd(b), ops)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddOperators(b, vector)
    return root(b, subgraphs=same_offset(b, tflite.SubGraphEnd(b), 1))


def shared_subgraphs(subgraphs: int, tensors: int) -> bytes:
    b = flatbuffers.Builder(1024)
    tflite.TensorStart(b)
    vector = same_offset(b, tflite.TensorEnd(b), tensors)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, vector)
    return root(b, subgraphs=same_offset(b, tflite.SubGraphEnd(b), subgraphs))


def shared_name(tensors: int, name_bytes: int) -> bytes:
    b = flatbuffers.Builder(1024)
    name = b.CreateString("n" * name_bytes)
    tflite.TensorStart(b)
    tflite.TensorAddName(b, name)
    vector = same_offset(b, tflite.TensorEnd(b), tensors)
    tflite.BufferStart(b)
    buffers = same_offset(b, tflite.BufferEnd(b), 1)
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, vector)
    return root(b, subgraphs=same_offset(b, tflite.SubGraphEnd(b), 1), buffers=buffers)


def peak_bytes(data: bytes) -> int:
    """Memory at most in use beyond what was there, while data is refused."""
    tracemalloc.start()
    try:
        with pytest.raises(ModelError):
            load_tflite(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "data",
    [shared_ops(2000, 1000), shared_subgraphs(2000, 2000), shared_name(1000, 100_000)],
    ids=["operands", "tensors", "names"],
)
def test_shared_offsets_cost_no_more_than_the_file(data: bytes) -> None:
    load_or_refuse(FILES[0])  # imports come first
    assert peak_bytes(data) < 4 * len(data) + 100_000


def test_more_tables_than_any_model_has() -> None:
    with pytest.raises(ModelError, match="more tables"):
        verify(shared_subgraphs(1, MAX_TABLES))


def test_weights_used_by_many_ops_do_not_multiply() -> None:
    model = tb.ModelBuilder()
    weights = np.ones((1024, 1024), np.int8)
    w = model.tensor((1024, 1024), scale=0.1, data=weights)
    first = last = model.tensor((1, 1024), scale=0.1)
    for _ in range(6):
        following = model.tensor((1, 1024), scale=0.1)
        model.op(tflite.BuiltinOperator.FULLY_CONNECTED, [last, w], [following], version=6)
        last = following
    load_or_refuse(FILES[0])
    with pytest.raises(ModelError, match="op 4, .* constants that several ops share"):
        load_tflite(model.build([first], [last]))


def test_a_vtable_that_ends_within_its_header() -> None:
    data = bytearray(FILES[2])
    at = struct.unpack_from("<I", data)[0]
    vtable = at - struct.unpack_from("<i", data, at)[0]
    struct.pack_into("<H", data, vtable, 2)
    with pytest.raises(ModelError, match="vtable of 2 bytes"):
        load_tflite(bytes(data))


@pytest.mark.parametrize("offset", [0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 9])
def test_a_root_outside_the_file_or_off_its_place(offset: int) -> None:
    data = bytearray(FILES[2])
    struct.pack_into("<I", data, 0, offset)
    with pytest.raises(ModelError):
        load_tflite(bytes(data))


@pytest.mark.parametrize("count", [0x7FFFFFFF, 0xFFFFFFFF])
def test_a_vector_said_to_be_huge(count: int) -> None:
    data = FILES[5]
    at = data.index(struct.pack("<Iii", 2, 1, 4))  # the shape (1, 4)
    with pytest.raises(ModelError, match="would be at bytes"):
        load_tflite(data[:at] + struct.pack("<I", count) + data[at + 4 :])
