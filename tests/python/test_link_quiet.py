"""Boards whose boot loader takes what is sent: the host gives it time to start the program."""

from __future__ import annotations

import pytest

from byteprop_host.errors import LinkError
from byteprop_host.link.channel import Channel


class _Silence:
    """A line on which nothing answers. Waiting takes no real time."""

    name = "silence"

    def __init__(self) -> None:
        self.now = 0.0
        self.writes: list[float] = []

    def read(self, wait: float) -> bytes:
        self.now += wait
        return b""

    def write(self, data: bytes) -> None:
        self.writes.append(self.now)

    def close(self) -> None:
        pass


def _hello_times(quiet: float) -> list[float]:
    line = _Silence()
    channel = Channel(line, baud=115_200, timeout=30.0, quiet=quiet, clock=lambda: line.now)
    with pytest.raises(LinkError):
        channel.hello()
    return line.writes


def test_hello_comes_after_a_silence_and_leaves_longer_ones() -> None:
    first, *more = _hello_times(1.0)
    assert first == 1.0
    gaps = [b - a for a, b in zip([first, *more], more, strict=False)]
    assert len(gaps) >= 3 and min(gaps) == 2.0 and gaps == sorted(gaps)


def test_other_boards_are_asked_at_once() -> None:
    times = _hello_times(0.0)
    assert times[0] == 0.0 and len(times) > 50
