"""Whatever bytes an answer has, its parser gives a record within bounds or names what is wrong."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import byteprop
from byteprop.engine._raw import Engine
from byteprop_host.errors import AnswerError, LinkError
from byteprop_host.link import answers
from byteprop_host.link.frames import Frame
from byteprop_host.link.messages import Message, describe, fault_error

IMAGE = byteprop.load(Path(__file__).parents[1] / "data/models/digits_mlp.tflite").image
SIZES = (0, 1, 2, 4, 8, 9, 18, 19, 20, 21, 24, 46, 47, 50, 60, 301, 302)
ANY = st.one_of(
    st.binary(max_size=400),
    st.sampled_from(SIZES).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
)
PARSERS: dict[str, Callable[[bytes], object]] = {
    "hello": answers.parse_hello,
    "nothing": lambda data: answers.parse_nothing(Message.WRITE, data),
    "number": lambda data: answers.parse_number(Message.DIGEST, data),
    "model": lambda data: answers.parse_selected(Message.LOAD_END, data, Engine(IMAGE), None),
    "flash model": lambda data: answers.parse_selected(Message.SELECT, data, None, 7),
    "inferred": lambda data: answers.parse_inferred(data, 10),
    "partly inferred": answers.parse_partly_inferred,
    "profile": lambda data: answers.parse_profile(data, 3),
    "stats": answers.parse_stats,
    "training begun": lambda data: answers.parse_begun(data, 100, 50),
    "class": lambda data: answers.parse_result(Message.TRAIN, data, 3, 10),
    "targets": lambda data: answers.parse_result(Message.EVALUATE, data, None, 10),
    "saved": lambda data: answers.parse_saved(Message.SAVE_INFO, data),
}


@pytest.mark.parametrize("name", PARSERS)
@given(data=ANY)
def test_any_bytes(name: str, data: bytes) -> None:
    try:
        PARSERS[name](data)
    except LinkError as error:
        assert str(error).isprintable()
        assert len(str(error)) < 400


@given(kind=st.integers(0, 255), data=ANY)
def test_any_frame_is_described_in_one_printable_line(kind: int, data: bytes) -> None:
    assert describe(Frame(kind, payload=data)).isprintable()
    assert str(fault_error(data)).isprintable()


def hello(**changes: object) -> bytes:
    fields = {
        "status": 0, "version": 1, "session": 5, "build": 6, "payload": 256, "window": 512,
        "slots": 4, "tick": 0, "hz": 0, "ram": 1, "flash": 1, "pool": 1, "in flash": 0,
        "selected": 0, "slot": 64,
    }  # fmt: skip
    names = changes.pop("names", b"b\0c\0")
    assert isinstance(names, bytes)
    ops = changes.pop("ops", b"\1\x0a")
    assert isinstance(ops, bytes)
    return struct.pack("<BBIQHHBBIIIIIIH", *(fields | changes).values()) + ops + names


def test_a_right_hello() -> None:
    info = answers.parse_hello(hello())
    assert (info.board, info.cpu, info.slots, info.slot_bytes) == ("b", "c", 4, 64)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"payload": 63}, "largest payload"),
        ({"payload": 65520}, "largest payload"),
        ({"payload": 80, "names": b"b" * 40 + b"\0c\0"}, "largest payload"),
        ({"window": 31}, "receive window"),
        ({"window": 32769}, "receive window"),
        ({"slots": 0}, "slots"),
        ({"slot": 15}, "slot"),
        ({"slot": 257}, "slot"),
        ({"tick": 4}, "tick"),
        ({"names": b"b\0c"}, "bytes"),
        ({"names": b"bc\0c"}, "names"),
        ({"names": b"b\0c\0d"}, "names"),
        ({"names": b"\0cc\0"}, "name of the board"),
        ({"names": b"b\n\0c\0"}, "name of the board"),
        ({"names": "b\0\u202ec\0".encode()}, "name of the CPU"),
        ({"names": b"b\0\xff\0"}, "name of the CPU"),
        ({"names": b"b" * 253 + b"\0c\0"}, "bytes"),
    ],
)
def test_a_wrong_hello_names_the_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(AnswerError) as caught:
        answers.parse_hello(hello(**changes))
    assert (caught.value.message, caught.value.field) == ("HELLO answer", field)
