"""Sound from .wav files, in windows of equal length."""

from __future__ import annotations

import math
import wave
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt

from byteprop.data.folders import Tree, in_turn, tree_of
from byteprop.data.npz import MAX_BYTES
from byteprop.errors import DataError

SUFFIXES = (".wav",)
_FULL_SCALE = np.float32(1 / 32768)
_BYTES_PER_VALUE = 2
_LEAST_HEADER = 44


@dataclass(frozen=True)
class _Header:
    """frames: values per channel."""

    path: Path
    rate: int
    channels: int
    frames: int


@dataclass(frozen=True)
class Sounds:
    """x: float32 in -1..1, [N, window], or [N, window, channels] of several channels. y: class
    numbers, or None."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.int64] | None
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_wavs(
    source: Path,
    *,
    limit: int | None = None,
    split: str | None = None,
    sample_shape: tuple[int, ...] | None = None,
    window: int | None = None,
    hop: int | None = None,
) -> Sounds:
    """The first `limit` windows of a folder, one class in turn after the other, or of one file.

    window: values per channel; None: as many as sample_shape has, or as all files have. hop: from
    the start of a window to that of the next; None: the window. A file that is shorter than a
    window is followed by zeros; an end that fills no window is left out.
    """
    tree = tree_of(source, SUFFIXES, split)
    headers = [[_header(path) for path in files] for files in tree.files]
    everything = [header for group in headers for header in group]
    if not everything:
        raise DataError(f"{source}: expected at least one .wav, got none")
    first = everything[0]
    for header in everything:
        _check_alike(first, header)
    length = _window(source, everything, window, sample_shape)
    step = length if hop is None else hop
    starts = [
        [(h, k * step) for h in group for k in range(max(0, h.frames - length) // step + 1)]
        for group in headers
    ]
    chosen = in_turn(starts)[:limit]
    needed = len(chosen) * length * first.channels * 4
    if needed > MAX_BYTES:
        raise DataError(f"{source}: expected at most {MAX_BYTES} bytes at once, got {needed}")
    x = _values([place for _, place in chosen], length, first.channels)
    y = None if tree.classes is None else np.array([number for number, _ in chosen], np.int64)
    if first.channels == 1:
        x = x[:, :, 0]
    return Sounds(x, y, tree.classes, _notes(tree, everything, length, step))


def _header(path: Path) -> _Header:
    with _opened(path) as file:
        frame = file.getnchannels() * _BYTES_PER_VALUE
        real = max(0, path.stat().st_size - _LEAST_HEADER) // frame
        if file.getnframes() > real:
            raise DataError(
                f"{path}: truncated: expected {file.getnframes()} values per channel, got at most "
                f"{real}"
            )
        return _Header(path, file.getframerate(), file.getnchannels(), file.getnframes())


def _opened(path: Path) -> wave.Wave_read:
    try:
        file = wave.open(str(path), "rb")  # noqa: SIM115  the caller closes it
    except (wave.Error, EOFError, RuntimeError, ValueError, ZeroDivisionError) as error:
        reason = str(error) or "it ends in its header"
        raise DataError(f"{path}: expected .wav with PCM of 16 bits, but: {reason}") from None
    if file.getsampwidth() != _BYTES_PER_VALUE:
        bits = 8 * file.getsampwidth()
        file.close()
        raise DataError(
            f"{path}: expected PCM of 16 bits, got {bits}; "
            "`ffmpeg -i IN.wav -c:a pcm_s16le OUT.wav` converts it"
        )
    return file


def _check_alike(first: _Header, other: _Header) -> None:
    for name, a, b in (
        ("samples per second", first.rate, other.rate),
        ("channels", first.channels, other.channels),
    ):
        if a != b:
            raise DataError(
                f"{other.path}: expected {a} {name} as in {first.path.name}, got {b}; "
                "`ffmpeg -i IN.wav -ar RATE -ac CHANNELS OUT.wav` converts it"
            )


def _window(
    source: Path, headers: list[_Header], window: int | None, shape: tuple[int, ...] | None
) -> int:
    if window is not None:
        return window
    channels = headers[0].channels
    if shape is not None:
        values = math.prod(shape)
        if values % channels:
            raise DataError(
                f"{source}: expected {values} values per sample, which {channels} channels do not "
                "divide; `ffmpeg -i IN.wav -ac 1 OUT.wav` makes one of them"
            )
        return values // channels
    lengths = sorted({header.frames for header in headers})
    if len(lengths) > 1 or lengths[0] == 0:
        raise DataError(
            f"{source}: expected a window, as files have {lengths[0]} to {lengths[-1]} values; "
            "--window N (window= in Python) sets it"
        )
    return lengths[0]


def _values(
    places: list[tuple[_Header, int]], length: int, channels: int
) -> npt.NDArray[np.float32]:
    x = np.zeros((len(places), length, channels), np.float32)
    order = sorted(range(len(places)), key=lambda i: (str(places[i][0].path), places[i][1]))
    for _, indices in groupby(order, key=lambda i: places[i][0].path):
        _read_windows(x, [(i, *places[i]) for i in indices])
    return x


def _read_windows(x: npt.NDArray[np.float32], places: list[tuple[int, _Header, int]]) -> None:
    """Windows of one file into their rows of x."""
    path = places[0][1].path
    with _opened(path) as file:
        for row, header, start in places:
            n = min(x.shape[1], header.frames - start)
            try:
                file.setpos(start)
                data = file.readframes(n)
            except (wave.Error, EOFError, RuntimeError, ValueError) as error:
                raise DataError(f"{path}: damaged .wav: {error}") from None
            if len(data) != n * x.shape[2] * _BYTES_PER_VALUE:
                raise DataError(f"{path}: truncated: expected {n} values at {start}, got fewer")
            values = np.frombuffer(data, "<i2").reshape(n, x.shape[2])
            x[row, :n] = values.astype(np.float32) * _FULL_SCALE


def _notes(tree: Tree, headers: list[_Header], length: int, step: int) -> tuple[str, ...]:
    rate = headers[0].rate
    notes = [f"{rate} Hz, windows of {length} values ({length / max(rate, 1):.3g} s)"]
    if step != length:
        notes[0] += f" every {step}"
    short = sum(header.frames < length for header in headers)
    if short:
        notes.append(f"{short} of {len(headers)} files are shorter and end with zeros")
    rest = sum(h.frames > length and (h.frames - length) % step != 0 for h in headers)
    if rest:
        notes.append(f"the end of {rest} of {len(headers)} files fills no window")
    return (*notes, *tree.notes)
