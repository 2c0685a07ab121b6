"""A training run stored in a file, to resume it to the same bits.

Layout, little-endian: magic "BPC2", bytes of the four parts (u32 each), CRC-32 of all that follows
the magic but for itself, then the parts: description (JSON), history (float64, one row per figure,
one column per finished epoch), model image, state block.

A file is not trusted: every field is bounded and checked before anything grows with it, so that
reading n bytes takes no more than 4n + 16 MB.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from byteprop.errors import ModelError
from byteprop.importer.formats import HEAD_BYTES, recognised
from byteprop.support import files
from byteprop.support.files import PathLike

_MAGIC = b"BPC2"
_HEAD = struct.Struct("<4s4II")
_MAX_BYTES = 1 << 31
_MAX_DESCRIPTION = 1 << 16  # JSON takes up to 50 times its bytes
_MAX_EPOCHS = 1 << 20
_MAX_FIGURES = 16
_MAX_SUM = 1 << 128  # of losses, each below 2^64
_FIELDS = ("settings", "epoch", "sample", "loss", "correct", "seconds", "figures")

Setting = str | int | bool


@dataclass(frozen=True)
class Checkpoint:
    """settings: what the training was asked for; a training that is resumed must ask the same.
    epoch, sample: position of the next sample. loss, correct: sums over the epoch so far. history:
    the figures of the finished epochs. seconds: of training so far."""

    settings: Mapping[str, Setting]
    epoch: int
    sample: int
    loss: int
    correct: int
    seconds: float
    history: Mapping[str, list[float]]
    image: bytes
    state: bytes


def save(path: PathLike, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint; the file is the old one or the new one, never a part of it."""
    description = {name: getattr(checkpoint, name) for name in _FIELDS if name != "figures"}
    description["settings"] = dict(checkpoint.settings)
    description["figures"] = list(checkpoint.history)
    history = np.array(list(checkpoint.history.values()), "<f8").tobytes()
    parts = (json.dumps(description).encode(), history, checkpoint.image, checkpoint.state)
    sizes, body = struct.pack("<4I", *map(len, parts)), b"".join(parts)
    crc = zlib.crc32(body, zlib.crc32(sizes))
    files.write(path, _MAGIC + sizes + struct.pack("<I", crc) + body)


def load(path: PathLike) -> Checkpoint:
    """ModelError for a file that is not a whole checkpoint; it names the file and the field."""
    source = Path(path)
    try:
        with source.open("rb") as file:
            return _read(file, source.stat().st_size)
    except _Wrong as wrong:
        raise ModelError(f"{source}: {wrong}") from None


class _Wrong(Exception):
    """What is wrong with the file, and where."""


def _read(file: BinaryIO, size: int) -> Checkpoint:
    if not _HEAD.size <= size <= _MAX_BYTES:
        raise _Wrong(f"{size} bytes are no checkpoint")
    head = file.read(_HEAD.size)
    if head[:3] == _MAGIC[:3] and head[:4] != _MAGIC:
        raise _Wrong(
            f"expected a checkpoint of version {_MAGIC[3:].decode()}, got {head[:4]!r}; train "
            "again from the start, or resume it with the byteprop that wrote it"
        )
    if head[:4] != _MAGIC or len(head) != _HEAD.size:
        more = head + file.read(HEAD_BYTES)
        found = recognised(more, Path(file.name)) or f"a file that begins with {head[:4]!r}"
        raise _Wrong(f"expected a checkpoint of a training, got {found}")
    _, *sizes, expected_crc = _HEAD.unpack(head)
    if sum(sizes) != size - _HEAD.size:
        raise _Wrong(
            f"truncated: expected {sum(sizes)} bytes behind the header, got {size - _HEAD.size}"
        )
    if sizes[0] > _MAX_DESCRIPTION:
        raise _Wrong(f"description: {sizes[0]} bytes; {_MAX_DESCRIPTION} are allowed")
    parts = [file.read(n) for n in sizes]
    crc = zlib.crc32(head[4:20])
    for part in parts:
        crc = zlib.crc32(part, crc)
    if crc != expected_crc:
        raise _Wrong("damaged: the checksum does not match")
    return _understood(*parts)


def _understood(description: bytes, history: bytes, image: bytes, state: bytes) -> Checkpoint:
    try:
        found = json.loads(description)
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"description: expected JSON, got {type(error).__name__}") from None
    if not isinstance(found, dict) or set(found) != set(_FIELDS):
        raise _Wrong(f"description: expected the fields {', '.join(_FIELDS)}")
    epoch = _integer(found, "epoch", _MAX_EPOCHS)
    return Checkpoint(
        settings=_settings(found["settings"]),
        epoch=epoch,
        sample=_integer(found, "sample", 1 << 32),
        loss=_integer(found, "loss", _MAX_SUM),
        correct=_integer(found, "correct", 1 << 32),
        seconds=_seconds(found["seconds"]),
        history=_history(found["figures"], epoch, history),
        image=image,
        state=state,
    )


def _integer(found: Mapping[str, Any], name: str, limit: int) -> int:
    value = found[name]
    if type(value) is not int or not 0 <= value <= limit:
        raise _Wrong(f"{name}: expected an integer from 0 to {limit}, got {_shown(value)}")
    return value


def _settings(found: Any) -> dict[str, Setting]:
    if not isinstance(found, dict):
        raise _Wrong(f"settings: expected an object, got {_shown(found)}")
    for name, value in found.items():
        if not isinstance(value, (str, int)):
            raise _Wrong(f"settings.{name[:40]}: expected a number or text, got {_shown(value)}")
    return found


def _seconds(value: Any) -> float:
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise _Wrong(f"seconds: expected a number from 0, got {_shown(value)}")
    return float(min(value, 1e18))


def _history(names: Any, epochs: int, data: bytes) -> dict[str, list[float]]:
    if (
        not isinstance(names, list)
        or len(names) > _MAX_FIGURES
        or not all(isinstance(n, str) and n.isidentifier() and len(n) <= 40 for n in names)
        or len(set(names)) != len(names)
    ):
        raise _Wrong(f"figures: expected up to {_MAX_FIGURES} names, got {_shown(names)}")
    if len(data) != 8 * len(names) * epochs:
        raise _Wrong(
            f"history: expected {len(names)} figures of {epochs} epochs in "
            f"{8 * len(names) * epochs} bytes, got {len(data)}"
        )
    rows = np.frombuffer(data, "<f8").reshape(len(names), epochs)
    if not (np.isfinite(rows) & (rows >= 0)).all():
        raise _Wrong("history: expected finite figures from 0")
    return {name: row.tolist() for name, row in zip(names, rows, strict=True)}


def _shown(value: Any) -> str:
    """A value of unknown size, for a message."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, deep nesting
        return f"{type(value).__name__} too large to show"
    return text if len(text) <= 60 else f"{text[:57]}..."
