"""A board that lies: the honest device program behind a line on which every answer is decoded,
falsified and framed again with a correct checksum."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import struct
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType

from byteprop.engine._raw import const
from byteprop_host.boards.board import load_board
from byteprop_host.firmware.build import build
from byteprop_host.flash import RunningBoard, start
from byteprop_host.link import Decoder, Device, Frame, Message, encode_frame

ANSWER = const("BP_MSG_ANSWER")
UNASKED = (Message.NACK, Message.NO_SESSION, Message.HEARTBEAT, Message.FAULT)
_FLOOD_SECONDS = 0.02


@contextlib.contextmanager
def honest_board() -> Iterator[RunningBoard]:
    """The board `host`; it has answered once, so that it can be reset."""
    host = load_board("host")
    with start(host, build(host)) as running:
        Device.open(running.port).close()
        yield running


Lie = Callable[[Frame], "bytes | list[Frame]"]
"""What the host gets instead of a frame of the board: frames, or any bytes."""


class HostileBoard:
    """`port` leads to the honest board at `board_port`, through `lie`.

    flood: bytes that are sent without an end, whatever the host does.
    """

    def __init__(self, board_port: str, lie: Lie, *, flood: bytes = b"") -> None:
        self._lie = lie
        self._flood = flood
        self._decoder = Decoder()
        self._board = -1
        self.plug(board_port)
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)
        self._wake, self._woken = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def plug(self, board_port: str) -> None:
        """Another board takes the place of the one before."""
        board = os.open(board_port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(board)
        self._board, before = board, self._board
        if before >= 0:
            os.close(before)

    def _run(self) -> None:
        patience = _FLOOD_SECONDS if self._flood else None
        with contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select(
                    [self._board, self._master, self._wake], [], [], patience
                )
                if self._wake in ready:
                    return
                if self._master in ready:
                    os.write(self._board, os.read(self._master, 4096))
                if self._board in ready and not self._send(self._falsified()):
                    return
                with contextlib.suppress(BlockingIOError):
                    os.write(self._master, self._flood)

    def _falsified(self) -> bytes:
        out = b""
        for frame in self._decoder.feed(os.read(self._board, 4096)):
            lied = self._lie(frame)
            out += lied if isinstance(lied, bytes) else b"".join(map(encode_frame, lied))
        return out

    def _send(self, data: bytes) -> bool:
        """Whether all was sent before the line was closed."""
        while data:
            ready, writable, _ = select.select([self._wake], [self._master], [])
            if self._wake in ready:
                return False
            if writable:
                data = data[os.write(self._master, data[:4096]) :]
        return True

    def close(self) -> None:
        os.write(self._woken, b"x")
        self._thread.join(5.0)
        assert not self._thread.is_alive()
        for fd in (self._board, self._master, self._slave, self._wake, self._woken):
            os.close(fd)

    def __enter__(self) -> HostileBoard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


# --- making lies ---


def honest(frame: Frame) -> list[Frame]:
    return [frame]


def about(kind: Message, change: Callable[[Frame], bytes | list[Frame]]) -> Lie:
    """Falsifies the answers to one kind of request."""

    def lie(frame: Frame) -> bytes | list[Frame]:
        return change(frame) if frame.type == kind | ANSWER else [frame]

    return lie


def payload(kind: Message, change: Callable[[bytes], bytes]) -> Lie:
    """Falsifies the payload, status included."""
    return about(kind, lambda frame: [replace(frame, payload=change(frame.payload))])


def patched(kind: Message, at: int, layout: str, value: int) -> Lie:
    """Puts a number at an offset of the payload."""

    def change(old: bytes) -> bytes:
        new = struct.pack(f"<{layout}", value)
        return old[:at] + new + old[at + len(new) :]

    return payload(kind, change)


def header(kind: Message, **fields: int) -> Lie:
    return about(kind, lambda frame: [replace(frame, **fields)])


def instead(kind: Message, *frames: Frame | bytes) -> Lie:
    """From the first answer of that kind on, these come instead of every frame."""
    sent = b"".join(f if isinstance(f, bytes) else encode_frame(f) for f in frames)
    is_on = False

    def lie(frame: Frame) -> bytes | list[Frame]:
        nonlocal is_on
        is_on = is_on or frame.type == kind | ANSWER
        return sent if is_on else [frame]

    return lie
