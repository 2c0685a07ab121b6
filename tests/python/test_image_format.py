"""docs/format.md tells the layout that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from byteprop import image
from byteprop.engine import _raw
from byteprop.graph import DType, Graph, Tensor
from byteprop.ops import Dense, specs
from random_graphs import graph_of_elementwise_ops, graph_of_every_op

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs/format.md").read_text(encoding="utf-8")
LETTERS = {"u1": "u8", "u2": "u16", "u4": "u32", "i4": "i32", "f4": "f32"}


def section(title: str) -> str:
    return DOCUMENT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def fields(title: str) -> list[tuple[int, str, str]]:
    rows = re.findall(r"^\| (\d+) \| (\w+(?:\[\d+\])?) \| (\w+) \|", section(title), re.M)
    return [(int(offset), kind, name) for offset, kind, name in rows]


def tiny_image() -> bytes:
    code = re.search(r"```python file=tiny.py\n(.*?)Path\(", DOCUMENT, re.S)
    assert code is not None
    names: dict[str, object] = {}
    exec(code.group(1), names)
    graph = names["model"]
    assert isinstance(graph, Graph)
    return image.encode(graph)


@pytest.mark.parametrize(("title", "layout"), [("Header", image.HEADER), ("Tensors", image.TENSOR)])
def test_tables_of_records_are_the_layout(title: str, layout: np.dtype[np.void]) -> None:
    assert layout.fields is not None
    code = [
        (offset, LETTERS[kind.base.str[1:]] + (f"[{kind.shape[0]}]" if kind.shape else ""), name)
        for name, (kind, offset) in layout.fields.items()
    ]
    assert fields(title) == sorted(code)
    ends = [offset + kind.itemsize for kind, offset in layout.fields.values()]
    assert max(ends) == layout.itemsize


def test_the_table_of_an_ops_record_is_that_of_the_c_header() -> None:
    told = {name: offset for offset, _, name in fields("Ops")}
    names = ("code", "n_inputs", "n_outputs", "n_words")
    assert told == {name: _raw.const(f"BP_OP_{name.upper()}") for name in names}
    assert _raw.const("BP_OP_OPERANDS") == len(told)


def test_codes_and_parameters_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+).*?\| (\d|n), (\d) \| (\d+)", section("Ops"), re.M)
    seen = set()
    for every in (graph_of_every_op(), graph_of_elementwise_ops()):
        encoded = image.encode(every)
        table = np.frombuffer(encoded, image.HEADER, 1)[0]["ops_offset"]
        for begin in np.frombuffer(encoded, "<u4", len(every.ops), table):
            seen.add(tuple(encoded[begin : begin + 4]))
    told = {(int(code), 0 if x == "n" else int(x), int(y), int(n)) for code, _, x, y, n in rows}
    assert seen <= told
    assert {int(code): name for code, name, *_ in rows} == {s.code: s.name for s in specs()}


def test_limits_are_those_of_the_c_headers() -> None:
    told = re.findall(r"^\| `(BP_\w+)` \| (\d+) \|", section("Limits"), re.M)
    assert {name: int(value) for name, value in told} == {
        name: _raw.const(name)
        for name in dir(_raw.lib)
        if re.match(r"BP_(MODEL|DENSE|HALFWORD|SOFTMAX|BILINEAR)_MAX_", name)
    }


def test_every_status_of_the_reader_is_told() -> None:
    """Those that the C source of the reader names, and no others."""
    csrc = Path(__file__).resolve().parents[2] / "csrc"
    source = "".join(file.read_text() for d in ("model", "ops") for file in (csrc / d).glob("*.c"))
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
