"""docs/protocol.md says what the code does: its bytes are replayed, its tables compared."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from byteprop.engine._raw import Status, const
from byteprop_host.boards.board import SERIAL_LIMITS, load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.link import Decoder, Frame, Message, encode_frame, open_transport
from byteprop_host.link.answers import (
    MAX_FEATURES_BYTES,
    MAX_NAMES_BYTES,
    MAX_OBJECT_BYTES,
    parse_hello,
)
from byteprop_host.link.channel import BUSY_TIMEOUTS
from byteprop_host.link.messages import is_answer
from byteprop_host.link.session import MAX_LOST_SESSIONS
from byteprop_host.link.wirelog import MAX_LINE

TEXT = (Path(__file__).parents[2] / "docs/protocol.md").read_text(encoding="utf-8")
LINE = re.compile(r"^(host|board):((?:\s+[0-9a-f]{2})+)$", re.MULTILINE)


def examples() -> list[tuple[str, bytes]]:
    blocks = re.findall(r"```wire\n(.*?)```", TEXT, re.DOTALL)
    return [(who, bytes.fromhex(text)) for b in blocks for who, text in LINE.findall(b)]


def rows(width: int) -> list[list[str]]:
    """The rows of all tables with that many columns."""
    lines = [line for line in TEXT.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == width]


def same(got: bytes, shown: bytes) -> bool:
    """Equal except for build id and ops in an answer to HELLO, which depend on the firmware."""
    (a,), (b,) = Decoder().feed(got), Decoder().feed(shown)
    if a.type != Message.HELLO | const("BP_MSG_ANSWER"):
        return got == shown
    infos = (parse_hello(frame.payload) for frame in (a, b))
    one, other = (replace(info, build_id=0, ops=frozenset()) for info in infos)
    return one == other


def test_examples_are_what_the_board_answers() -> None:
    board = load_board("host")
    shown = examples()
    assert len(shown) == 16
    with start(board, build(board)) as running:
        line = open_transport(running.port, baud=board.serial.baud)
        for (who, request), (answerer, answer) in zip(shown[::2], shown[1::2], strict=True):
            assert (who, answerer) == ("host", "board")
            line.write(request)
            got = b""
            while len(got) < len(answer) and (data := line.read(1.0)):
                got += data
            assert same(got, answer), f"{request.hex(' ')}: {got.hex(' ')}"
        line.close()


def test_messages_are_numbered_as_in_the_code() -> None:
    told = {row[1]: int(row[0], 16) for row in rows(4) if re.fullmatch(r"0x[0-9A-F]{2}", row[0])}
    assert told == {str(m.name): int(m) for m in Message}
    assert not any(is_answer(Frame(m)) for m in Message)


def test_status_codes_are_numbered_as_in_the_code() -> None:
    told = {}
    for row in rows(6):
        for number, name in zip(row[::2], row[1::2], strict=True):
            if number.isdigit():
                told[name] = int(number)
    assert told == {str(s.name): int(s) for s in Status}


def test_overhead_is_what_frames_take() -> None:
    numbers = [row[:3] for row in rows(4) if row[0].isdigit() and row[2].isdigit()]
    told = [tuple(map(int, row)) for row in numbers]
    assert len(told) == 8
    for n, wire, overhead in told:
        assert len(encode_frame(Frame(1, 1, 1, 1, b"\x55" * n))) == wire == n + overhead


def numbers(row: str) -> list[int]:
    return [int(n.replace(",", "")) for n in re.findall(r"\d[\d,]*", row)]


def test_bounds_that_a_host_checks() -> None:
    text = TEXT.split("## What a host must not believe")[1]
    (hello,) = [line for line in text.splitlines() if line.startswith("| HELLO |")]
    _, payload, window, slots, slot, *_ = map(numbers, hello.split("|")[2].split(";"))
    assert payload == list(SERIAL_LIMITS["max_payload"])
    assert window == list(SERIAL_LIMITS["rx_window"])
    assert slots == [SERIAL_LIMITS["slots"][0]]
    assert slot == [SERIAL_LIMITS["slot_bytes"][0]]
    assert f"{MAX_NAMES_BYTES} bytes together" in hello
    assert f"at most {MAX_OBJECT_BYTES >> 20} MiB" in text
    assert f"so do {MAX_LOST_SESSIONS} sessions" in text
    assert BUSY_TIMEOUTS == 10 and "not answered for ten time-outs" in text
    assert f"{MAX_LINE:,} bytes" in TEXT


def test_offset_of_the_ops_in_the_hello() -> None:
    assert [row[0] for row in rows(3) if row[1] == "n u8"] == [str(const("BP_HELLO_FEATURES"))]
    assert f"at most {MAX_FEATURES_BYTES} bytes of ops" in TEXT
