"""Dense weights as rows of halfwords: equal outputs, and a reader that refuses everything else."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

import byteprop
from byteprop import image
from byteprop.engine import _raw, _raw_train
from byteprop.errors import ModelError, TrainingError
from byteprop.graph import Activation, DType, Graph, Tensor
from byteprop.ops import Dense
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.capacity import firmware_image
from c_build import INCLUDES, STRICT, compile_c, library_sources, missing

ROWS, HALFWORDS = _raw.const("BP_LAYOUT_ROWS"), _raw.const("BP_LAYOUT_HALFWORDS")
FAST = _raw.const("BP_OP_FAST")
LAYOUT_AT, FLAGS_AT, WEIGHTS_AT = 0, 2, 8


def dense(weights: np.ndarray, *, per_channel: bool = True, rows: int = 1, seed: int = 1) -> Graph:
    """A model of one layer whose outputs use their range."""
    random = np.random.default_rng(seed)
    n_out, n_in = weights.shape
    scales = random.uniform(0.5, 1.0, n_out if per_channel else 1) / (40 * np.sqrt(n_in))
    x = Tensor("x", (rows, n_in), DType.INT8, np.float32(0.1), -7)
    y = Tensor("y", (rows, n_out), DType.INT8, np.float32(0.1), -20)
    bias = random.integers(-3000, 3000, n_out).astype(np.int32)
    op = Dense(0, 1, weights, bias, scales.astype(np.float32), Activation.NONE)
    return Graph((x, y), (op,), (0,), (1,))


def random_weights(n_out: int, n_in: int, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.integers(-127, 128, (n_out, n_in)).astype(np.int8)


def params_of(blob: bytes) -> int:
    """Where the parameters of the first op are: behind two operands."""
    header = np.frombuffer(blob, image.HEADER, 1)[0]
    (record,) = struct.unpack_from("<I", blob, header["ops_offset"])
    return int(record) + 8


def changed(blob: bytes, at: int, data: bytes) -> bytes:
    """The image with other bytes, and a checksum that fits."""
    new = bytearray(blob)
    new[at : at + len(data)] = data
    new[12:16] = zlib.crc32(new[16:]).to_bytes(4, "little")
    return bytes(new)


def weights_at(blob: bytes) -> int:
    (offset,) = struct.unpack_from("<I", blob, params_of(blob) + WEIGHTS_AT)
    return int(offset)


@pytest.mark.parametrize("n_out", [4, 5, 6, 7, 8, 33, 64, 67])
@pytest.mark.parametrize("n_in", [1, 2, 3, 4, 5, 31, 160, 161, 323])
def test_outputs_are_those_of_plain_rows(n_out: int, n_in: int) -> None:
    graph = dense(random_weights(n_out, n_in), per_channel=n_in % 2 == 0, rows=1 + n_in % 3)
    plain, other = image.encode(graph), image.encode(graph, halfwords=True)
    assert len(other) == len(plain)
    assert (other[params_of(other)], plain[params_of(plain)]) == (HALFWORDS, ROWS)
    n = graph.tensors[0].elems
    x = np.random.default_rng(2).integers(0, 256, (40, n)).astype(np.uint8)
    x[0], x[1] = 128, 127  # the lowest and the highest
    expected = _raw.Engine(plain).run(x)
    assert np.array_equal(_raw.Engine(other).run(x), expected)
    assert len(np.unique(expected)) > 5


@pytest.mark.parametrize("why", ["few rows", "-128", "sum", "not FAST"])
def test_layers_that_do_not_fit_keep_plain_rows(why: str) -> None:
    weights = random_weights(3 if why == "few rows" else 8, 600)
    if why == "-128":
        weights[3, 5] = -128
    elif why == "sum":
        weights[2] = 127
    graph = dense(weights)
    if why == "not FAST":
        graph = dense(random_weights(8, 40_000 // 8))
        (op,) = graph.ops
        assert isinstance(op, Dense)
        op.bias[0] = 2**30
    assert image.encode(graph, halfwords=True) == image.encode(graph)


def image_of(weights: np.ndarray | None = None) -> bytes:
    default = random_weights(5, 6)
    return image.encode(dense(default if weights is None else weights), halfwords=True)


def refused(blob: bytes) -> None:
    with pytest.raises(ModelError, match="PARAM"):
        _raw.Engine(blob)


def test_reader_refuses_other_layouts_and_layers_without_the_mark() -> None:
    blob = image_of()
    _raw.Engine(changed(blob, 0, b""))  # what is changed below is accepted as it is
    params = params_of(blob)
    for layout in (2, 3, 255):
        refused(changed(blob, params + LAYOUT_AT, bytes([layout])))
    refused(changed(blob, params + FLAGS_AT, bytes([blob[params + FLAGS_AT] & ~FAST])))


@pytest.mark.parametrize("row", [0, 3, 4])
def test_reader_refuses_halfwords_that_are_no_two_weights(row: int) -> None:
    """Rows 0 and 3 are in the block, row 4 fills none; columns 6 and 7 are padding."""
    blob = image_of()
    begin = weights_at(blob) + (4 * row if row < 4 else 4 * 8)
    last = begin + (16 if row < 4 else 4) + 2
    _raw.Engine(changed(blob, begin, struct.pack("<h", 256 * 127 - 127)))
    for first, second in ((-128, 0), (1, 127 + 1), (-1, -128), (0, -128)):
        halfword = (256 * second + first) & 0xFFFF
        refused(changed(blob, begin, struct.pack("<H", halfword)))
    for padding in (1, 256, 0x8000):
        refused(changed(blob, last, struct.pack("<H", padding)))


def test_reader_refuses_rows_whose_sums_leave_32_bits() -> None:
    most = _raw.const("BP_HALFWORD_MAX_SUM")
    weights = np.zeros((4, 520), np.int8)
    weights[1, : most // 127] = 127
    weights[1, most // 127] = most % 127
    blob = image_of(weights)
    assert blob[params_of(blob)] == HALFWORDS
    x = np.full((1, 520), 128, np.uint8)  # all -128
    assert np.array_equal(
        _raw.Engine(blob).run(x), _raw.Engine(image.encode(dense(weights))).run(x)
    )
    word, column = divmod(most // 127, 4)
    at = weights_at(blob) + 16 * word + 4 + column // 2 * 2
    (halfword,) = struct.unpack_from("<h", blob, at)
    refused(changed(blob, at, struct.pack("<h", halfword + (256 if column % 2 else 1))))


def test_a_library_without_the_layout_refuses_it(tmp_path: Path) -> None:
    if reason := missing("gcc"):
        pytest.skip(reason)
    blob = image_of()
    (tmp_path / "image.h").write_text(
        "static const uint8_t image[] __attribute__((aligned(16))) = {"
        + ",".join(map(str, blob))
        + "};\n"
    )
    (tmp_path / "main.c").write_text(
        '#include <byteprop/model.h>\n#include "image.h"\n'
        "int main(void) { bp_model_t model;\n"
        "    const bp_status_t status = bp_model_open(&model, image, sizeof image);\n"
        "    return status == BP_OK ? 0 : status == BP_E_PARAM ? 1 : 2; }\n"
    )
    codes = []
    folders = {"kernels", "isa", "model", "ops"}
    sources = [s for s in library_sources() if folders & set(s.parts) or s.parent.name == "csrc"]
    for layouts in ("0x1", "0x3"):
        flags = [*STRICT[:1], "-O1", *INCLUDES, f"-I{tmp_path}", f"-DBP_LAYOUTS={layouts}"]
        files = [str(tmp_path / "main.c"), *map(str, sources)]
        compile_c(["gcc", *flags, *files, "-o", "reader"], cwd=tmp_path)
        codes.append(subprocess.run([tmp_path / "reader"], check=False, timeout=30).returncode)
    assert codes == [1, 0]


def test_only_firmware_for_a_cpu_that_profits_and_does_not_train_has_it() -> None:
    plain = byteprop.Model(dense(random_weights(8, 8))).image
    m4 = load_board("mps2-an386")
    assert image.weight_layouts(firmware_image(m4, plain)) == 1 << ROWS | 1 << HALFWORDS
    assert image.model_defines(firmware_image(m4, plain))["BP_LAYOUTS"] == "0x3"
    assert firmware_image(m4, plain, train=True) == image.without_names(plain)
    assert firmware_image(load_board("microbit"), plain) == image.without_names(plain)
    assert image.op_defines(["dense"])["BP_LAYOUTS"] == "0x1"


def test_it_is_neither_loaded_nor_trained() -> None:
    blob = image_of()
    with pytest.raises(ModelError, match="halfwords"):
        byteprop.load(blob)
    with pytest.raises(TrainingError):
        _raw_train.plan(blob, _raw_train.Config(seed=1))
    assert _raw_train.plan(image.encode(dense(random_weights(5, 6))), _raw_train.Config(seed=1))
