"""A session written to a log can be read, and run again without a board."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import byteprop
from byteprop.engine._raw import const
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main
from byteprop_host.errors import HostError, LinkError
from byteprop_host.firmware.build import build
from byteprop_host.flash import start
from byteprop_host.link import Device, Message, ReplayTransport, read_log, replay
from faulty_line import FaultyLine

DIGITS = Path(__file__).parents[1] / "data/models/digits_mlp.tflite"
ANSWER = const("BP_MSG_ANSWER")
HEADER = '{"byteprop_wire_log": 1, "port": "x"}\n'


@contextmanager
def at_most(n_bytes: int) -> Iterator[None]:
    """The block takes no more memory than that."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < n_bytes


def use(device: Device) -> list[bytes]:
    device.load_image(byteprop.load(DIGITS).image)
    samples = [bytes((i * j) & 0xFF for j in range(64)) for i in range(5)]
    answers = [a.output for a in device.infer_stream(samples)]
    return [*answers, device.echo(b"bye")]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes], int]:
    path = tmp_path_factory.mktemp("log") / "wire.jsonl"
    board = load_board("host")
    with start(board, build(board)) as running, path.open("wb") as log:
        with Device.open(running.port, log=log) as device:
            answers = use(device)
            return path, answers, device.wire_bytes


def test_every_byte_is_logged(recorded: tuple[Path, list[bytes], int]) -> None:
    path, _, wire_bytes = recorded
    entries = list(read_log(path))
    assert sum(len(e.data) for e in entries) == wire_bytes
    assert [e.time for e in entries] == sorted(e.time for e in entries)


def test_log_is_read_as_frames(recorded: tuple[Path, list[bytes], int]) -> None:
    frames = list(replay(recorded[0]))
    assert frames[0].frame.type == Message.HELLO
    assert (frames[0].direction, frames[1].direction) == ("tx", "rx")
    assert frames[1].text.startswith("HELLO answer, seq 0, ack 1, free slots 16, OK, ")
    inferred = [f for f in frames if f.frame.type == Message.INFER | ANSWER]
    outputs = [f.frame.payload[9:] for f in inferred]
    assert outputs == recorded[1][:5]


def test_session_runs_again_from_the_log(
    recorded: tuple[Path, list[bytes], int],
) -> None:
    with Device(ReplayTransport(recorded[0])) as device:
        assert device.info.board == "host"
        assert use(device) == recorded[1]
        with pytest.raises(LinkError, match="the wire log ends here"):
            device.echo(b"more")


def test_damaged_frames_are_left_out_of_the_frames(tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    board = load_board("host")
    with start(board, build(board)) as running, path.open("wb") as log:
        with FaultyLine(running.port, rate=1 / 300, seed=3) as line:
            with Device.open(line.port, log=log) as device:
                for i in range(200):
                    assert device.echo(bytes([i])) == bytes([i])
    frames = [f.frame for f in replay(path) if f.direction == "rx"]
    echoed = {f.payload[1] for f in frames if f.type == Message.ECHO | ANSWER}
    assert echoed == set(range(200))


def test_a_long_binary_file_is_refused_in_a_line(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(11)) * 1000)
    with pytest.raises(HostError) as caught:
        list(read_log(path))
    assert len(str(caught.value)) < len(str(path)) + 120


@pytest.mark.parametrize(
    "text",
    [
        "no log\n",
        '{"byteprop_wire_log": 2, "port": "x"}\n',
        HEADER + '{"t": 0, "dir": "up", "hex": ""}\n',
        HEADER + '{"t": 0, "dir": "tx", "hex": "0"}\n',
        HEADER + "[]\n",
        HEADER + "[" * 100_000 + "\n",
        HEADER + '{"t": 1' + 400 * "0" + ', "dir": "tx", "hex": ""}\n',
        HEADER + '{"t": 1e999, "dir": "tx", "hex": ""}\n',
        HEADER + '{"t": NaN, "dir": "tx", "hex": ""}\n',
        HEADER + '{"t": 0, "dir": [], "hex": ""}\n',
        HEADER + '{"t": 0, "dir": "tx", "hex": 7}\n',
        HEADER + "\n",
        HEADER + "\xff\n",
    ],
)
def test_what_is_no_log_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(HostError, match=f"{path}, line {text.count(chr(10))}: .* wire log"):
        list(read_log(path))


def test_log_that_was_cut_off_is_read_up_to_there(
    recorded: tuple[Path, list[bytes], int], tmp_path: Path
) -> None:
    whole = recorded[0].read_bytes()
    path = tmp_path / "cut"
    path.write_bytes(whole[: len(whole) // 2])
    assert 0 < len(list(read_log(path))) < len(list(read_log(recorded[0])))
    assert json.loads(whole.split(b"\n")[0])["byteprop_wire_log"] == 1


@pytest.mark.parametrize("text", ["", "{", HEADER.strip()])
def test_a_file_without_a_whole_line_is_no_log(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(text)
    with pytest.raises(HostError, match="line 1: expected a line of a wire log"):
        list(read_log(path))


def test_a_log_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "long"
    path.write_text(HEADER + 20_000 * '{"t":0,"dir":"tx","hex":"00"}\n')
    with at_most(2 << 20):
        assert sum(len(e.data) for e in read_log(path)) == 20_000
    with at_most(2 << 20), pytest.raises(LinkError, match="the wire log ends here"):
        ReplayTransport(path).read(0.0)


@pytest.mark.parametrize("what", ["[],", "[", '{"":[]},', "\u00e9", "\U0001f600"])
def test_a_line_without_an_end_is_refused_early(what: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(HEADER + '["' + what * 1_000_000, encoding="utf-8")
    with at_most(16 << 20), pytest.raises(HostError, match="line 2: expected a line"):
        list(read_log(path))


def test_monitor_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nested"
    path.write_text(HEADER + "[" * 100_000 + "\n")
    assert main(["monitor", "--replay", str(path)]) == 2
    assert f"error: {path}, line 2: expected a line of a wire log" in capsys.readouterr().err


def test_a_hostile_log_ends_in_a_named_error(
    recorded: tuple[Path, list[bytes], int], tmp_path: Path
) -> None:
    """Answers that were changed in the recording are as wrong as those of a board."""
    path = tmp_path / "changed"
    lines = recorded[0].read_text().splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if '"rx"' in line)
    path.write_text("".join([*lines[:at], *lines[at + 1 :]]))
    with pytest.raises(LinkError), Device(ReplayTransport(path), timeout=0.3) as device:
        use(device)
