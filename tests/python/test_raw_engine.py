"""The checked way into the C library: constants, statuses, codec, and the engine."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byteprop import _kernels, image, reference
from byteprop.engine import _raw
from byteprop.errors import ArgumentError, ModelError
from byteprop.graph import Activation, DType, Kind
from random_graphs import graph_of_every_op, small_graph

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def small() -> bytes:
    return image.encode(small_graph())


def bytes_of(n: int, width: int, seed: int = 0) -> _raw.UInt8s:
    return np.random.default_rng(seed).integers(0, 256, (n, width)).astype(np.uint8)


def test_statuses_are_those_of_the_header() -> None:
    text = (ROOT / "csrc/include/byteprop/status.h").read_text(encoding="utf-8")
    listed = re.findall(r'X\((\w+), "([^"]+)"\)', text)
    assert [s.name for s in _raw.Status] == [name for name, _ in listed]
    assert [_raw.status_text(s) for s in _raw.Status] == [sentence for _, sentence in listed]
    assert _raw.status_name(len(listed)) == _raw.status_text(-1) == "?"


def test_constants_have_one_source() -> None:
    assert {d.name: d.value for d in DType} == _raw.consts("BP_DTYPE_")
    assert {a.name: a.value for a in Activation} == _raw.consts("BP_ACT_")
    assert {k.name: k.value for k in Kind}.items() < _raw.consts("BP_KIND_").items()
    for name in ("BP_NO_SUCH_THING", "bp_requant", "__class__"):
        with pytest.raises(ArgumentError):
            _raw.const(name)


def test_declared_types_cover_the_library() -> None:
    """Every function of the extension is in the .pyi file, and no other, with as many arguments."""
    tree = ast.parse((ROOT / "runtime/byteprop/_kernels.pyi").read_text(encoding="utf-8"))
    lib = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "_Lib")
    declared = {
        f.name: len(f.args.args) - 1
        for f in lib.body
        if isinstance(f, ast.FunctionDef) and f.name.startswith("bp_")
    }
    functions = {name for name in dir(_kernels.lib) if callable(getattr(_kernels.lib, name))}
    assert set(declared) == functions
    for name, count in declared.items():
        # cffi tells how many arguments C has only to those who count wrong.
        words = {0: "no arguments", 1: "exactly one argument"}.get(count, f"{count} arguments")
        with pytest.raises(TypeError, match=words):
            getattr(_kernels.lib, name)(*[None] * (count + 1))


@given(st.binary(max_size=700))
def test_crc32_is_zlibs(data: bytes) -> None:
    assert _raw.crc32(data) == zlib.crc32(data)
    assert _raw.crc32(data[3:], _raw.crc32(data[:3])) == zlib.crc32(data)


@given(st.lists(st.sampled_from([b"\0", b"\1", b"\xff", bytes(range(1, 256))]), max_size=12))
def test_cobs_has_no_zero_and_goes_back(parts: list[bytes]) -> None:
    data = b"".join(parts)
    encoded = _raw.cobs_encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert _raw.cobs_decode(encoded) == data


def test_what_is_not_cobs_is_told() -> None:
    assert _raw.cobs_decode(b"\x05a") is None
    assert _raw.cobs_decode(b"\x02\0") is None


@pytest.mark.parametrize(
    ("blob", "status"), [(b"", "TRUNCATED"), (b"x" * 79, "TRUNCATED"), (b"x" * 80, "MAGIC")]
)
def test_no_image(blob: bytes, status: str) -> None:
    with pytest.raises(ModelError, match=rf"\(E_{status}\)"):
        _raw.Engine(blob)


def test_status_and_its_text_are_in_the_message(small: bytes) -> None:
    broken = bytearray(small)
    broken[-1] ^= 1
    with pytest.raises(ModelError, match=r"checksum does not match \(E_CRC\)"):
        _raw.Engine(broken)


@pytest.mark.parametrize("n", [0, 1, 2, 300])
def test_run_equals_the_reference(small: bytes, n: int) -> None:
    engine = _raw.Engine(small)
    x = bytes_of(n, engine.input_bytes)
    y = engine.run(x)
    assert y.shape == (n, engine.output_bytes)
    if n:
        wanted = reference.run(small_graph(), [x.view(np.int8)])[0]
        np.testing.assert_array_equal(y.view(np.int8), wanted)


def test_ops_one_by_one_are_the_whole() -> None:
    engine = _raw.Engine(image.encode(graph_of_every_op()))
    for x in bytes_of(20, engine.input_bytes):
        value = x.tobytes()
        for index in range(engine.n_ops):
            value = engine.run_op(index, value)
        assert value == engine.run(x[None]).tobytes()
    with pytest.raises(ArgumentError, match="index"):
        engine.run_op(engine.n_ops, b"")
    with pytest.raises(ArgumentError, match="expected 6 bytes, got 5"):
        engine.run_op(0, bytes(5))


def test_run_refuses_what_does_not_fit(small: bytes) -> None:
    engine = _raw.Engine(small)
    good = bytes_of(4, engine.input_bytes)
    for bad in (good.view(np.int8), good[:, 1:], good[0], good[None]):
        with pytest.raises(ArgumentError, match=r"x: expected C-contiguous uint8 \[n, 5\], got"):
            engine.run(bad)  # type: ignore[arg-type]
    for spread in (np.asfortranarray(good), good[::2]):
        with pytest.raises(ArgumentError, match="C-contiguous"):
            engine.run(spread)


def test_the_engine_keeps_its_own_aligned_copy(small: bytes) -> None:
    room = bytearray(len(small) + 3)
    room[3:] = small
    engine = _raw.Engine(memoryview(room)[3:])
    x = bytes_of(8, engine.input_bytes)
    before = engine.run(x)
    room[:] = bytes(len(room))
    np.testing.assert_array_equal(engine.run(x), before)


def test_threads_share_an_engine_without_a_lock() -> None:
    """Each thread has its own inputs and its own arena; all answers are right."""
    graph = graph_of_every_op()
    engine = _raw.Engine(image.encode(graph))
    wrong: list[int] = []
    start = threading.Barrier(4)

    def work(seed: int) -> None:
        x = bytes_of(2000, engine.input_bytes, seed)
        start.wait(10.0)
        many = engine.run(x)
        for i in range(0, len(x), 7):
            if not np.array_equal(engine.run(x[i : i + 1])[0], many[i]):
                wrong.append(seed)
        alone = _raw.Engine(image.encode(graph)).run(x)
        if not np.array_equal(alone, many):
            wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60.0)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def _with_isa(name: str) -> subprocess.CompletedProcess[str]:
    code = "from byteprop.engine import _raw; print(_raw.isa_name())"
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "BYTEPROP_ISA": name},
        capture_output=True,
        text=True,
        timeout=60.0,
    )


def test_the_environment_chooses_the_instruction_set() -> None:
    assert _with_isa("portable").stdout.strip() == "portable"
    assert _with_isa("").stdout.strip() == _raw.isa_name()
    refused = _with_isa("z80")
    assert refused.returncode != 0
    assert "BYTEPROP_ISA" in refused.stderr
