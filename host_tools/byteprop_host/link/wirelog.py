"""Wire logs: every byte of a session with its time, one JSON object a line.

    {"byteprop_wire_log": 1, "port": "/dev/ttyACM0"}
    {"t": 0.000121, "dir": "tx", "hex": "000201..."}
    {"t": 0.003870, "dir": "rx", "hex": "0003..."}

`replay` turns a log into frames for people; `ReplayTransport` feeds it to a Device once more,
without a board.
"""

from __future__ import annotations

import json
import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from byteprop_host.errors import HostError, LinkError
from byteprop_host.link.frames import Decoder, Frame
from byteprop_host.link.messages import Message, describe
from byteprop_host.link.transport import Transport

VERSION = 1


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
        self._file.write(json.dumps(entry).encode() + b"\n")

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


def read_log(path: Path) -> list[LoggedBytes]:
    """Raises HostError naming the line if the file is no wire log. A cut last line is left out."""
    lines = path.read_bytes().split(b"\n")
    entries = []
    for number, line in enumerate(lines[:-1], 1):
        try:
            entry = json.loads(line)
            if number == 1:
                if entry["byteprop_wire_log"] != VERSION:
                    raise HostError(f"{path}: wire log of version {entry['byteprop_wire_log']}")
                continue
            if entry["dir"] not in ("tx", "rx"):
                raise ValueError(entry["dir"])
            data = bytes.fromhex(entry["hex"])
            entries.append(LoggedBytes(float(entry["t"]), entry["dir"], data))
        except (ValueError, KeyError, TypeError) as error:
            raise HostError(
                f"{path}: line {number} is not one of a wire log: it begins with {line[:16]!r}"
            ) from error
    return entries


def frames_of(entries: Iterable[LoggedBytes]) -> Iterator[LoggedFrame]:
    """The frames of both directions, in the order in which they were complete."""
    decoders = {"tx": Decoder(), "rx": Decoder()}
    for entry in entries:
        for frame in decoders[entry.direction].feed(entry.data):
            yield LoggedFrame(entry.time, entry.direction, frame, describe(frame))


def replay(path: Path) -> list[LoggedFrame]:
    """The frames of a log."""
    return list(frames_of(read_log(path)))


class ReplayTransport:
    """The board's side of a log: hands out what was received, after what was sent before it.

    The session's ids come from the log too, so that the recorded answers fit.
    """

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        entries = read_log(path)
        self._entries = deque(entries)
        self._session_ids = deque(dict.fromkeys(_session_ids(entries)))
        self._to_send = 0  # recorded bytes that the host has yet to send before more can arrive
        self._advance()

    def next_session_id(self) -> int:
        if not self._session_ids:
            raise LinkError(f"{self.name}: the wire log has no further session")
        return self._session_ids.popleft()

    def _advance(self) -> None:
        while self._entries and self._entries[0].direction == "tx":
            self._to_send += len(self._entries.popleft().data)

    def read(self, wait: float) -> bytes:
        if not self._entries:
            raise LinkError(f"{self.name}: the wire log ends here")
        if self._to_send > 0:
            time.sleep(min(wait, 0.001))
            return b""
        data = self._entries.popleft().data
        self._advance()
        return data

    def write(self, data: bytes) -> None:
        self._to_send -= len(data)

    def close(self) -> None:
        self._entries.clear()


def _session_ids(entries: Iterable[LoggedBytes]) -> Iterator[int]:
    for logged in frames_of(entries):
        frame = logged.frame
        if logged.direction == "tx" and frame.type == Message.HAIL and len(frame.payload) == 5:
            yield struct.unpack_from("<I", frame.payload, 1)[0]
