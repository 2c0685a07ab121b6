"""docs/format.md tells the layout that the code has."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest

from byteprop import _raw, image
from byteprop.graph import Dense, DType, Graph, Tensor

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/format.md").read_text(encoding="utf-8")
LETTERS = {"u8": "B", "u16": "H", "u32": "I", "i16": "h", "i32": "i", "f32": "f"}


def section(title: str) -> str:
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def fields(title: str) -> list[tuple[int, str, str]]:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (\w+) \|", section(title), re.M)
    return [(int(offset), kind, name) for offset, kind, name in rows]


def tiny_image() -> bytes:
    code = re.search(r"```python file=tiny.py\n(.*?)Path\(", DOCUMENT, re.S)
    assert code is not None
    names: dict[str, object] = {}
    exec(code.group(1), names)
    graph = names["model"]
    assert isinstance(graph, Graph)
    return image.encode(graph)


@pytest.mark.parametrize(
    ("title", "layout", "size"),
    [
        ("Header", image._HEADER, "BP_MODEL_HEADER_BYTES"),
        ("Tensors", image._TENSOR, "BP_MODEL_TENSOR_BYTES"),
        ("Ops", image._OP, "BP_MODEL_OP_BYTES"),
    ],
)
def test_tables_of_records_are_the_layout(title: str, layout: struct.Struct, size: str) -> None:
    rows = fields(title)
    wanted = "<" + "".join(LETTERS[kind] for _, kind, _ in rows)
    written_out = re.sub(r"(\d+)(\w)", lambda m: m[2] * int(m[1]), layout.format)
    assert written_out == wanted
    assert [offset for offset, _, _ in rows] == [
        struct.calcsize(wanted[: 1 + i]) for i in range(len(rows))
    ]
    assert struct.calcsize(wanted) == _raw.const(size)


def test_names_of_header_fields_are_those_of_the_code() -> None:
    assert [name for _, _, name in fields("Header")] == list(image._Header.__annotations__)


def test_codes_are_those_of_the_c_header() -> None:
    text = section("Ops")
    codes = dict(re.findall(r"^\| (\d) \| (dense|rescale|softmax|reshape)", text, re.M))
    assert {int(code): name for code, name in codes.items()} == {
        _raw.const("BP_OP_DENSE_S8"): "dense",
        _raw.const("BP_OP_RESCALE"): "rescale",
        _raw.const("BP_OP_SOFTMAX_S8"): "softmax",
        _raw.const("BP_OP_RESHAPE"): "reshape",
    }


def test_limits_are_those_of_the_c_headers() -> None:
    told = re.findall(r"^\| `(BP_\w+)` \| (\d+) \|", section("Limits"), re.M)
    assert {name: int(value) for name, value in told} == {
        name: _raw.const(name)
        for name in dir(_raw.lib)
        if re.match(r"BP_(MODEL|DENSE|SOFTMAX)_MAX_", name)
    }


def test_every_status_of_the_reader_is_told() -> None:
    """Those that the C source of the reader names, and no others."""
    source = (Path(__file__).resolve().parents[2] / "csrc/model/model_open.c").read_text()
    told = set(re.findall(r"^\| (E_\w+) \|", section("What readers check"), re.M))
    assert told == set(re.findall(r"BP_(E_\w+)", source))
    assert told <= {status.name for status in _raw.Status}


def test_the_annotated_bytes_are_those_of_the_image() -> None:
    encoded = tiny_image()
    rows = re.findall(r"^\| (\d+) \| `([0-9a-f ]+)` \|", section("An image, byte by byte"), re.M)
    assert len(rows) > 20
    for offset, text in rows:
        told = bytes.fromhex(text)
        assert encoded[int(offset) : int(offset) + len(told)] == told, f"at {offset}"


def test_the_example_is_what_it_says() -> None:
    graph = image.decode(tiny_image())
    assert graph.tensors[1] == Tensor("y", (1, 1), DType.INT8, np.float32(0.125), 8)
    assert isinstance(graph.ops[0], Dense)
