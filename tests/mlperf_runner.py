"""A small runner for the serial protocol of MLPerf Tiny, and what its answers must be."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from byteprop.graph.tensor import Tensor

CHUNK = 31  # bytes of an input in one command, as the benchmark's own runner sends them
READY = "m-ready"


class Runner:
    """Sends commands and reads the lines of their answers, up to the one that says it is ready."""

    def __init__(self, write: Callable[[bytes], object], read_line: Callable[[], bytes]) -> None:
        self._write = write
        self._read_line = read_line

    def lines(self) -> list[str]:
        """The lines up to READY, without it."""
        found: list[str] = []
        while True:
            line = self._read_line()
            assert line.endswith(b"\r\n"), f"after {found}: expected a line, got {line!r}"
            text = line[:-2].decode("ascii")
            if text == READY:
                return found
            found.append(text)

    def ask(self, command: str) -> list[str]:
        self._write(command.encode() + b"%")
        return self.lines()

    def load(self, data: bytes) -> None:
        assert self.ask(f"db load {len(data)}") == [f"m-[Expecting {len(data)} bytes]"]
        for begin in range(0, len(data), CHUNK):
            is_last = begin + CHUNK >= len(data)
            answer = self.ask(f"db {data[begin : begin + CHUNK].hex()}")
            assert answer == (["m-load-done"] if is_last else [])

    def infer(self, n: int, warmups: int) -> tuple[str, int]:
        """The results, and the microseconds that passed by the board's counter."""
        warm, warmed, begin, start, stop, done, results = self.ask(f"infer {n} {warmups}")
        assert [warm, warmed] == [f"m-warmup-start-{warmups}", "m-warmup-done"]
        assert [begin, done] == [f"m-infer-start-{n}", "m-infer-done"]
        return results, timestamp(stop) - timestamp(start)


def timestamp(line: str) -> int:
    match = re.fullmatch(r"m-lap-us-(\d+)", line)
    assert match is not None, line
    return int(match[1])


def _rounded(value: Fraction) -> int:
    """To nearest, halves away from 0."""
    size = int(abs(value) + Fraction(1, 2))
    return -size if value < 0 else size


def _line(thousandths: Sequence[int]) -> str:
    numbers = (f"{'-' * (n < 0)}{abs(n) // 1000}.{abs(n) % 1000:03d}" for n in thousandths)
    return f"m-results-[{','.join(numbers)}]"


def values_line(codes: npt.NDArray[np.int8], tensor: Tensor) -> str:
    """The results of a model whose outputs are these integers."""
    scale = Fraction(float(tensor.scale)) * 1000
    return _line([_rounded(scale * (int(code) - tensor.zero_point)) for code in codes.reshape(-1)])


def codes_of(line: str, tensor: Tensor) -> npt.NDArray[np.int8]:
    """The integers that results stand for, of a scale above 0.001."""
    values = np.array([float(v) for v in line[len("m-results-[") : -1].split(",")])
    codes: Any = np.rint(values / float(tensor.scale)) + tensor.zero_point
    return codes.astype(np.int8)


def score_line(codes: npt.NDArray[np.int8], tensor: Tensor, x: npt.NDArray[np.float32]) -> str:
    """The results where the score is the mean squared error: both ends in 2^-16."""
    unit = 1 << 16
    scale = Fraction(float(tensor.scale)) * unit
    outputs = [_rounded(scale * (int(code) - tensor.zero_point)) for code in codes.reshape(-1)]
    reals = [_rounded(Fraction(float(value)) * unit) for value in x.reshape(-1)]
    total = sum((a - b) ** 2 for a, b in zip(outputs, reals, strict=True))
    return _line([(total // len(reals) * 1000 + unit**2 // 2) // unit**2])
