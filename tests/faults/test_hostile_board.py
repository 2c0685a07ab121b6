"""Whatever a board answers, every verb ends within its time-out in an error that names the lie,
takes little memory, and writes nothing of the board's to the terminal."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop import image
from byteprop.graph import DType, Graph, Tensor
from byteprop.ops import Dense
from byteprop_host.errors import AnswerError
from byteprop_host.flash import RunningBoard
from byteprop_host.link import Device, Frame, Message, encode_frame
from byteprop_host.link.channel import BUSY_TIMEOUTS
from hostile_board import (
    UNASKED,
    HostileBoard,
    Lie,
    header,
    honest,
    honest_board,
    instead,
    patched,
    payload,
)

HERE = Path(__file__).parent
DIGITS = HERE.parent / "data/models/digits_mlp.tflite"
MEMORY = 64 << 20
TIMEOUT = 0.3
PATIENCE = BUSY_TIMEOUTS * TIMEOUT + 6.0  # with the start of a process on a busy machine
ERROR, DIFFERENT = 2, 1
TOP = 2**32 - 1
ESCAPE = "\x1b]0;owned\x07\x1b[2J"
VERBS = ("verify", "run", "bench", "train", "flash")
INFERS = ("verify", "run", "bench")


@dataclass(frozen=True)
class Case:
    """make: a new lie, as some remember. says: part of the error,
    or several parts with | between, of which there is one."""

    make: Callable[[], Lie]
    says: str
    verbs: tuple[str, ...]
    flood: bytes = b""


def beat(op: int = 0) -> Frame:
    return Frame(Message.HEARTBEAT, ack=1, payload=struct.pack("<H", op))


def names(text: bytes) -> Callable[[bytes], bytes]:
    """Keeps the ops, whose number is at offset 46, and replaces the names after them."""
    return lambda old: old[: 47 + old[46]] + text


def shorter(old: bytes) -> bytes:
    return old[:-1]


def longer(old: bytes) -> bytes:
    return old + b"\0"


def flipped(old: bytes) -> bytes:
    return old[:-1] + bytes([old[-1] ^ 1])


def busy() -> Lie:
    """From the first WRITE on heartbeats come instead of every frame; they fit the session."""
    is_on = False

    def lie(frame: Frame) -> list[Frame]:
        nonlocal is_on
        is_on = is_on or frame.type == 0x80 | Message.WRITE
        return 50 * [replace(beat(), ack=frame.ack)] if is_on else [frame]

    return lie


def noise(seed: int) -> Lie:
    """Random bytes of any length for every answer except that to HELLO."""
    r = random.Random(seed)

    def lie(frame: Frame) -> list[Frame]:
        if frame.type in UNASKED or frame.type == 0x80 | Message.HELLO:
            return [frame]
        return [replace(frame, payload=r.randbytes(r.choice([0, 1, 2, 5, 30, 2000, 60_000])))]

    return lie


def is_wrong(message: str, field: str) -> str:
    return f"the board's {message} is wrong: {field}"


def hello(make: Callable[[], Lie], field: str, *verbs: str) -> Case:
    return Case(make, is_wrong("HELLO answer", field), verbs or ("flash",))


def answer(
    kind: Message, field: str, verbs: tuple[str, ...], change: Callable[[bytes], bytes]
) -> Case:
    text = is_wrong(f"{kind.name} answer", field)
    return Case(lambda: payload(kind, change), text, verbs)


def number(kind: Message, at: int, layout: str, value: int, field: str, *verbs: str) -> Case:
    text = is_wrong(f"{kind.name} answer", field)
    return Case(lambda: patched(kind, at, layout, value), text, verbs)


AFTER = "bytes after the status"
CASES: dict[str, Case] = {
    "hello: largest payload 0": hello(
        lambda: patched(Message.HELLO, 14, "H", 0), "largest payload", *VERBS
    ),
    "hello: largest payload 8": hello(
        lambda: patched(Message.HELLO, 14, "H", 8), "largest payload", *VERBS
    ),
    "hello: largest payload huge": hello(
        lambda: patched(Message.HELLO, 14, "H", 65535), "largest payload"
    ),
    "hello: window 0": hello(lambda: patched(Message.HELLO, 16, "H", 0), "receive window"),
    "hello: slots 0": hello(lambda: patched(Message.HELLO, 18, "B", 0), "slots", *VERBS),
    "hello: slot 0": hello(lambda: patched(Message.HELLO, 44, "H", 0), "slot"),
    "hello: slot huge": hello(lambda: patched(Message.HELLO, 44, "H", 65535), "slot"),
    "hello: tick 9": hello(lambda: patched(Message.HELLO, 19, "B", 9), "tick"),
    "hello: escape sequence": hello(
        lambda: payload(Message.HELLO, names(ESCAPE.encode() + b"\0native\0")),
        "name of the board",
        *VERBS,
    ),
    "hello: escape sequence in the CPU": hello(
        lambda: payload(Message.HELLO, names(b"host\0" + ESCAPE.encode() + b"\0")),
        "name of the CPU",
    ),
    "hello: no name": hello(lambda: payload(Message.HELLO, names(b"\0\0\0\0")), "names"),
    "hello: name without end": hello(
        lambda: payload(Message.HELLO, names(b"host" * 10_000)), "bytes", *VERBS
    ),
    "hello: name not terminated": hello(
        lambda: payload(Message.HELLO, names(b"host\0native")), "names"
    ),
    "hello: empty": hello(lambda: payload(Message.HELLO, lambda old: b""), "bytes", *VERBS),
    "hello: short": hello(lambda: payload(Message.HELLO, lambda old: old[:20]), "bytes"),
    "hello: other session": Case(
        lambda: patched(Message.HELLO, 2, "I", 1), "none answers HELLO", VERBS
    ),
    "hello: refused": Case(
        lambda: payload(Message.HELLO, lambda old: b"\x12" + old[1:]), "refused HELLO", ("flash",)
    ),
    "load: offset beyond": number(
        Message.LOAD_BEGIN, 1, "I", TOP, "next offset", "verify", "train"
    ),
    "load: offset stays": number(Message.LOAD_DATA, 1, "I", 0, "next offset", "verify", "train"),
    "load: short": answer(Message.LOAD_DATA, AFTER, ("run",), shorter),
    "load: other model": answer(
        Message.LOAD_END, "model CRC", ("verify", "train"), lambda old: old[:1] + b"1234" + old[5:]
    ),
    "load: output bytes huge": number(
        Message.LOAD_END, 13, "I", TOP, "output bytes", *INFERS, "train"
    ),
    "load: input bytes 0": number(Message.LOAD_END, 9, "I", 0, "input bytes", "verify"),
    "load: arena huge": number(Message.LOAD_END, 5, "I", TOP, "arena bytes", "verify"),
    "load: many ops": number(Message.LOAD_END, 17, "H", 65535, "number of ops", "bench"),
    "load: long": answer(Message.LOAD_END, AFTER, ("verify",), longer),
    "write: long": answer(Message.WRITE, AFTER, (*INFERS, "train"), longer),
    "infer: other digest": number(
        Message.INFER, 5, "I", 7, "CRC-32 of all outputs", "verify", "bench"
    ),
    "infer: other outputs": answer(
        Message.INFER, "CRC-32 of all outputs", ("verify", "bench"), flipped
    ),
    "infer: outputs too short": answer(Message.INFER, AFTER, ("verify", "bench"), shorter),
    "infer: outputs too long": answer(Message.INFER, AFTER, INFERS, lambda old: old + bytes(1000)),
    "infer: endless outputs": answer(
        Message.INFER, "bytes", INFERS, lambda old: old + bytes(60_000)
    ),
    "infer: no digest": answer(Message.INFER, AFTER, INFERS, lambda old: old[:3]),
    "infer: no status": answer(Message.INFER, "bytes", INFERS, lambda old: b""),
    "infer: unknown status": number(Message.INFER, 0, "B", 200, "status", *INFERS),
    "infer: refused": Case(
        lambda: patched(Message.INFER, 0, "B", 14), "the board refused INFER", INFERS
    ),
    "infer: other type": Case(
        lambda: header(Message.INFER, type=0x80 | Message.ECHO),
        is_wrong("INFER answer", "type"),
        INFERS,
    ),
    "infer: free slots": Case(
        lambda: header(Message.INFER, aux=255), is_wrong("INFER answer", "free slots"), INFERS
    ),
    "infer: far ahead": Case(
        lambda: header(Message.INFER, ack=30_000),
        is_wrong("INFER answer", "request expected next"),
        INFERS,
    ),
    "read: other bytes": answer(Message.READ, "CRC-32 of the", ("run", "train"), flipped),
    "read: short": answer(Message.READ, AFTER, ("run", "train"), shorter),
    "read: long": answer(Message.READ, AFTER, ("run", "train"), longer),
    "digest: other": Case(lambda: patched(Message.DIGEST, 1, "I", 7), "CRC-32 of the", ("train",)),
    "digest: short": answer(Message.DIGEST, AFTER, ("train",), shorter),
    "profile: empty": answer(Message.PROFILE, AFTER, ("verify", "bench"), lambda old: old[:1]),
    "profile: cut": answer(Message.PROFILE, AFTER, ("verify", "bench"), shorter),
    "profile: too many": answer(Message.PROFILE, AFTER, ("bench",), lambda old: old + bytes(400)),
    "stats: short": answer(Message.STATS, AFTER, ("verify", "bench"), shorter),
    "stats: more free than there is": number(
        Message.STATS, 17, "I", TOP, "least free bytes of the stack", "verify"
    ),
    "train: memory": number(Message.TRAIN_BEGIN, 1, "I", 8, "memory bytes", "train"),
    "train: state huge": number(Message.TRAIN_BEGIN, 5, "I", TOP, "state bytes", "train"),
    "train: steps": number(Message.TRAIN, 12, "I", 9, "steps", "train"),
    "train: class": number(Message.TRAIN, 9, "H", 999, "predicted", "train"),
    "train: correct": number(Message.TRAIN, 11, "B", 7, "correct", "train"),
    "train: short": answer(Message.TRAIN, AFTER, ("train",), shorter),
    "train: end digest": number(Message.TRAIN_END, 1, "I", 7, "image CRC", "train"),
    "all: endless heartbeats": Case(busy, "has answered no request for 3 s", ("verify", "train")),
    "all: flood of heartbeats of another session": Case(
        lambda: instead(Message.WRITE),
        "20 sessions were lost in a row",
        ("train",),
        encode_frame(beat()) * 20,
    ),
    "all: flood of garbage": Case(
        lambda: instead(Message.WRITE),
        "stopped answering|accepted no byte",
        ("run",),
        b"\x55" * 4000 + b"\0",
    ),
    "all: flood of bytes without an end": Case(
        lambda: instead(Message.HELLO), "not frames", ("flash",), b"\x81" * 4000
    ),
    "all: flood of text": Case(
        lambda: instead(Message.HELLO),
        "text of another program",
        ("flash",),
        ESCAPE.encode() + b"owned " * 100,
    ),
    "all: silence": Case(lambda: instead(Message.INFER), "stopped answering", (*INFERS, "train")),
    "all: requests are never taken": Case(
        lambda: instead(Message.WRITE, Frame(Message.NACK, ack=1)), "", ("verify", "train")
    ),
    "all: sessions are lost": Case(
        lambda: instead(Message.WRITE, Frame(Message.NO_SESSION)), "", ("verify", "train")
    ),
    "all: heartbeat too long": Case(
        lambda: instead(Message.INFER, replace(beat(), payload=bytes(500))),
        is_wrong("HEARTBEAT", "bytes"),
        ("bench",),
    ),
    "all: fault of no kind": Case(
        lambda: instead(Message.INFER, Frame(Message.FAULT, payload=b"\xff" * 9)),
        "reported a fault",
        INFERS,
    ),
    "all: fault without a cause": Case(
        lambda: instead(Message.WRITE, Frame(Message.FAULT)), "reported a fault", ("train",)
    ),
    **{
        f"all: noise {seed}": Case(lambda seed=seed: noise(seed), "", ("verify", "train"))  # type: ignore[misc]
        for seed in range(3)
    },
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, and a model whose outputs are too long to come with an answer."""
    folder = tmp_path_factory.mktemp("hostile")
    rng = np.random.default_rng(1)
    n_out = 2000
    graph = Graph(
        (
            Tensor("x", (1, 4), DType.INT8, np.float32(0.5), 0),
            Tensor("y", (1, n_out), DType.INT8, np.float32(0.5), 0),
        ),
        (
            Dense(
                0, 1, rng.integers(-127, 128, (n_out, 4), dtype=np.int8),
                np.zeros(n_out, np.int32), np.float32([0.01]),
            ),
        ),
        (0,),
        (1,),
    )  # fmt: skip
    (folder / "wide.bpm").write_bytes(image.encode(graph))
    np.save(folder / "x.npy", rng.integers(-128, 128, (3, 4), dtype=np.int8))
    y = np.arange(24) % 2
    np.savez(folder / "blobs.npz", x=(y[:, None] * 100 + rng.integers(0, 99, (24, 4))) / 255, y=y)
    return folder


@pytest.fixture(scope="module")
def board() -> Iterator[RunningBoard]:
    with honest_board() as running:
        yield running


class Commands:
    """The process that runs commands (hostile_cli.py)."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, HERE / "hostile_cli.py", str(MEMORY)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
        )

    def run(self, verb: str, port: str) -> dict[str, Any]:
        options = [] if verb == "monitor" else ["--timeout", str(TIMEOUT)]
        job = {"argv": [*ARGUMENTS[verb], *options], "port": port}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(job | {"patience": PATIENCE}) + "\n")
        self._process.stdin.flush()
        result: dict[str, Any] = json.loads(self._process.stdout.readline())
        return result

    def close(self) -> None:
        self._process.communicate()


ARGUMENTS = {
    "verify": ["verify", str(DIGITS), "-n", "3", "--reference", "numpy", "--no-report"],
    "run": ["run", "wide.bpm", "--data", "x.npy", "-o", "y.npy"],
    "bench": ["bench", str(DIGITS), "-n", "2"],
    "train": ["train", "--net", "4-3-2", "--data", "blobs.npz", "-e", "1", "--no-report"],
    "flash": ["flash", "--no-wait"],
}


@pytest.fixture(scope="module")
def commands(files: Path) -> Iterator[Commands]:
    made = Commands(files)
    yield made
    made.close()


def is_plain(text: str) -> bool:
    return all(c.isprintable() or c == "\n" for c in text)


@pytest.mark.parametrize("verb", VERBS)
def test_an_honest_board_passes(verb: str, board: RunningBoard, commands: Commands) -> None:
    board.reset()
    with HostileBoard(board.port, honest) as line:
        result = commands.run(verb, line.port)
    assert result["code"] == 0, result["err"]


@pytest.mark.parametrize(
    ("name", "verb"), [(name, verb) for name, case in CASES.items() for verb in case.verbs]
)
def test_a_lie_is_named(name: str, verb: str, board: RunningBoard, commands: Commands) -> None:
    case = CASES[name]
    board.reset()
    with HostileBoard(board.port, case.make(), flood=case.flood) as line:
        result = commands.run(verb, line.port)
    assert result["code"] == ERROR, result
    assert any(part in result["err"] for part in case.says.split("|")), result["err"]
    assert "byteprop: error: " in result["err"] and "unexpected" not in result["err"]
    assert is_plain(result["out"] + result["err"]), result


def test_results_of_samples_are_compared(board: RunningBoard, commands: Commands) -> None:
    """A loss may be any number; what the host has learnt decides."""
    board.reset()
    with HostileBoard(board.port, patched(Message.TRAIN, 1, "Q", 2**64 - 1)) as line:
        result = commands.run("train", line.port)
    assert result["code"] == DIFFERENT, result
    assert "loss is 18446744073709551615 on the board" in result["out"]


@pytest.mark.parametrize("flood", [b"\x1b]0;owned\x07\0", encode_frame(beat(9)), b"\x81" * 4000])
def test_monitor_writes_nothing_of_the_board_to_the_terminal(
    flood: bytes, board: RunningBoard, commands: Commands
) -> None:
    with HostileBoard(board.port, honest, flood=flood) as line:
        ARGUMENTS["monitor"] = ["monitor", "--port", line.port, "--seconds", "0.5", "--bytes"]
        result = commands.run("monitor", line.port)
    assert result["code"] == 0, result
    assert is_plain(result["out"] + result["err"]), result


def test_a_lie_ends_the_session_and_the_next_call_opens_another(board: RunningBoard) -> None:
    board.reset()
    lies = iter([True])

    def once(old: bytes) -> bytes:
        return flipped(old) if next(lies, False) else old

    with HostileBoard(board.port, payload(Message.INFER, once)) as line:
        with Device.open(line.port, timeout=2.0) as device:
            device.load_image(byteprop.load(DIGITS).image)
            with pytest.raises(AnswerError) as caught:
                device.infer(bytes(64))
            assert caught.value.message == "INFER answer"
            assert caught.value.field == "CRC-32 of all outputs"
            assert len(device.infer(bytes(64)).output) == 10
