"""Wire logs: every byte of a session with its time, one JSON object per line.

    {"byteprop_wire_log": 1, "port": "/dev/ttyACM0"}
    {"t": 0.000121, "dir": "tx", "hex": "000201..."}
    {"t": 0.003870, "dir": "rx", "hex": "0003..."}

`replay` turns a log into frames for people; `ReplayTransport` feeds it to a Device once more,
without a board. Both read line by line, so a log may be longer than memory.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from byteprop.support import files
from byteprop_host import activity
from byteprop_host.errors import HostError, LinkError
from byteprop_host.link.answers import requested_session
from byteprop_host.link.frames import Decoder, Frame
from byteprop_host.link.meaning import frame_text
from byteprop_host.link.messages import Message, describe
from byteprop_host.link.transport import Transport

VERSION = 1
MAX_LINE = 1 << 18  # what is read or written at once, in hexadecimal, is half of that


@dataclass(frozen=True)
class LoggedBytes:
    """direction: "tx" from the host, "rx" from the board; time in seconds since the log began."""

    time: float
    direction: str
    data: bytes


@dataclass(frozen=True)
class LoggedFrame:
    """A frame of a log; text describes it for people."""

    time: float
    direction: str
    frame: Frame
    text: str


class WireLog:
    """A transport that also writes down what passes."""

    def __init__(self, transport: Transport, file: BinaryIO) -> None:
        self.name = transport.name
        self._transport = transport
        self._file = file
        self._begin = time.monotonic()
        self._put({"byteprop_wire_log": VERSION, "port": transport.name})

    def _put(self, entry: dict[str, object]) -> None:
        line = json.dumps(entry).encode() + b"\n"
        with files.errors_name(getattr(self._file, "name", "wire log")):
            while line:  # a full disk may take a part of it
                line = line[self._file.write(line) :]

    def _log(self, direction: str, data: bytes) -> None:
        now = round(time.monotonic() - self._begin, 6)
        self._put({"t": now, "dir": direction, "hex": data.hex()})

    def read(self, wait: float) -> bytes:
        data = self._transport.read(wait)
        if data:
            self._log("rx", data)
        return data

    def write(self, data: bytes) -> None:
        self._log("tx", data)
        self._transport.write(data)

    def close(self) -> None:
        self._file.flush()
        self._transport.close()


class FrameTrace:
    """A transport that also passes every frame to `activity`, in words."""

    def __init__(self, transport: Transport) -> None:
        self.name = transport.name
        self._transport = transport
        self._begin = time.monotonic()
        self._decoders = {"tx": Decoder(), "rx": Decoder()}

    def _show(self, direction: str, data: bytes) -> None:
        now = time.monotonic() - self._begin
        for frame in self._decoders[direction].feed(data):
            activity.frame(frame_line(LoggedFrame(now, direction, frame, describe(frame))))

    def read(self, wait: float) -> bytes:
        data = self._transport.read(wait)
        self._show("rx", data)
        return data

    def write(self, data: bytes) -> None:
        self._show("tx", data)
        self._transport.write(data)

    def close(self) -> None:
        self._transport.close()


def frame_line(logged: LoggedFrame) -> str:
    """Time, direction and content of a frame: -> from the computer, <- from the board."""
    arrow = "->" if logged.direction == "tx" else "<-"
    return f"{logged.time:10.6f} {arrow} {frame_text(logged.frame)}"


def read_log(path: Path) -> Iterator[LoggedBytes]:
    """Raises HostError naming the line if the file is no wire log. A cut last line is left out."""
    with path.open("rb") as file:
        number = 0
        while (line := file.readline(MAX_LINE)).endswith(b"\n"):
            number += 1
            entry = _entry(path, number, line)
            if entry is not None:
                yield entry
    if number == 0 or len(line) == MAX_LINE:
        raise _no_line(path, number + 1, line)


def _no_line(path: Path, number: int, line: bytes) -> HostError:
    return HostError(
        f"{path}, line {number}: expected a line of a wire log, got {line[:16]!r}; "
        "--wire-log FILE records one"
    )


def _entry(path: Path, number: int, line: bytes) -> LoggedBytes | None:
    """None for the header."""
    try:
        entry = json.loads(line)
        if number == 1:
            if entry["byteprop_wire_log"] != VERSION:
                raise ValueError("version")
            return None
        seconds = float(entry["t"])
        if entry["dir"] not in ("tx", "rx") or not math.isfinite(seconds):
            raise ValueError("dir or t")
        return LoggedBytes(seconds, entry["dir"], bytes.fromhex(entry["hex"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise _no_line(path, number, line) from error


def frames_of(entries: Iterable[LoggedBytes]) -> Iterator[LoggedFrame]:
    """The frames of both directions, in the order in which they were complete."""
    decoders = {"tx": Decoder(), "rx": Decoder()}
    for entry in entries:
        for frame in decoders[entry.direction].feed(entry.data):
            yield LoggedFrame(entry.time, entry.direction, frame, describe(frame))


def replay(path: Path) -> Iterator[LoggedFrame]:
    """The frames of a log."""
    return frames_of(read_log(path))


class ReplayTransport:
    """The board's side of a log: hands out what was received, after what was sent before it.

    The session's ids come from the log too, so that the recorded answers fit.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._entries = read_log(path)
        self._session_ids = _session_ids(path)
        self._received: bytes | None = None  # next; None at the end of the log
        self._to_send = 0  # recorded bytes that the host has yet to send before more can arrive
        self._advance()

    def next_session_id(self) -> int:
        found = next(self._session_ids, None)
        if found is None:
            raise LinkError(f"{self.name}: the wire log has no further session")
        return found

    def _advance(self) -> None:
        self._received = None
        for entry in self._entries:
            if entry.direction == "rx":
                self._received = entry.data
                return
            self._to_send += len(entry.data)

    def read(self, wait: float) -> bytes:
        data = self._received
        if data is None:
            raise LinkError(f"{self.name}: the wire log ends here")
        if self._to_send > 0:
            time.sleep(min(wait, 0.001))
            return b""
        self._advance()
        return data

    def write(self, data: bytes) -> None:
        self._to_send -= len(data)

    def close(self) -> None:
        self._entries = iter(())
        self._received = None


def _session_ids(path: Path) -> Iterator[int]:
    """Session numbers of all HELLO requests in the log; a repeated request counts once."""
    last = None
    for logged in replay(path):
        if logged.direction == "tx" and logged.frame.type == Message.HELLO:
            session = requested_session(logged.frame.payload)
            if session not in (None, last):
                last = session
                yield session
