"""The image of a model as boards have it; every verb reports its size and CRC."""

from __future__ import annotations

from dataclasses import dataclass

from byteprop.engine._raw import Engine
from byteprop_host.firmware.capacity import baked_image


@dataclass(frozen=True)
class ModelImage:
    """An image without tensor names. crc32: as in its header, and as the board reports it."""

    data: bytes
    crc32: int

    def __len__(self) -> int:
        return len(self.data)

    @property
    def text(self) -> str:
        return f"{len(self):,} bytes, crc {self.crc32:08x}"


def model_image(image: bytes) -> ModelImage:
    """The image without names, of an image with or without them."""
    bare = baked_image(image)
    return ModelImage(bare, Engine(bare).crc32)
