"""A training laid down in a file, to go on from there to the same bits.

Layout, little-endian: magic "BPC1", bytes of the four parts (u32 each), CRC-32 of all that follows,
then the parts: description (JSON), configuration of the trainer, model image, state block.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from byteprop._formats import recognised
from byteprop.errors import ModelError

PathLike = str | os.PathLike[str]

_MAGIC = b"BPC1"
_HEAD = struct.Struct("<4s4II")
_MAX_BYTES = 1 << 31


@dataclass(frozen=True)
class Checkpoint:
    """settings: what the training was asked for; a training that goes on must ask the same.
    epoch, sample: where the next sample stands. progress: sums of the epoch so far and the figures
    of those before."""

    settings: dict[str, Any]
    epoch: int
    sample: int
    progress: dict[str, Any]
    config: bytes
    image: bytes
    state: bytes


def save(path: PathLike, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint; the file is the old one or the new one, never a part of it."""
    description = {
        "settings": checkpoint.settings,
        "epoch": checkpoint.epoch,
        "sample": checkpoint.sample,
        "progress": checkpoint.progress,
    }
    parts = [
        json.dumps(description).encode(), checkpoint.config, checkpoint.image, checkpoint.state,
    ]  # fmt: skip
    sizes = struct.pack("<4I", *map(len, parts))
    body = b"".join(parts)
    crc = zlib.crc32(body, zlib.crc32(sizes))
    _write_atomically(Path(path), _MAGIC + sizes + struct.pack("<I", crc) + body)


def load(path: PathLike) -> Checkpoint:
    """ModelError for a file that is not a whole checkpoint."""
    source = Path(path)
    size = source.stat().st_size
    if not _HEAD.size <= size <= _MAX_BYTES:
        raise ModelError(f"{source}: {size} bytes are no checkpoint")
    data = source.read_bytes()
    magic, *sizes, crc = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        found = recognised(data, source) or f"a file that begins with {magic!r}"
        raise ModelError(f"{source}: expected a checkpoint of a training, got {found}")
    if sum(sizes) != len(data) - _HEAD.size:
        raise ModelError(
            f"{source}: truncated: {sum(sizes)} bytes are announced, {len(data) - _HEAD.size} there"
        )
    body = data[_HEAD.size :]
    if zlib.crc32(body, zlib.crc32(data[4 : 4 + 16])) != crc:
        raise ModelError(f"{source}: damaged: the checksum does not fit")
    parts, at = [], 0
    for n in sizes:
        parts.append(body[at : at + n])
        at += n
    return _understand(source, parts)


def _understand(source: Path, parts: list[bytes]) -> Checkpoint:
    try:
        found = json.loads(parts[0])
        return Checkpoint(
            settings=dict(found["settings"]),
            epoch=int(found["epoch"]),
            sample=int(found["sample"]),
            progress=dict(found["progress"]),
            config=parts[1],
            image=parts[2],
            state=parts[3],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{source}: a checkpoint of another kind: {error}") from None


def _write_atomically(path: Path, data: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=path.name, suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
