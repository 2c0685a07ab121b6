"""Where a board has the image that it trains: uploaded to its RAM, or in flash, where it stays and
only the layers that learn are copied, to the end of the training's state."""

from __future__ import annotations

import struct
from dataclasses import replace

from byteprop.engine._raw import Engine, const, crc32
from byteprop.engine._raw_train import Config, Trainer, plan
from byteprop.errors import ArgumentError
from byteprop.image import decode
from byteprop.training.masters import copies_of
from byteprop_host.link.answers import expect_digest
from byteprop_host.link.messages import Message
from byteprop_host.link.session import FLASH, IMAGE_CRC_AT, IMAGE_CRC_FROM, BoardSession

_IMAGE = const("BP_OBJ_IMAGE")
_STATE = const("BP_OBJ_TRAIN_STATE")
_CRC_BYTES = 4


class ImageInRam:
    """The whole image is uploaded. config: as TRAIN_BEGIN takes it; plan: what the board needs for
    it; saved_bytes: of the image in a save. reopens: after a reset nothing but the training's own
    way brings back what was learned, also when it has ended."""

    reopens = False

    def __init__(self, engine: Engine, config: Config) -> None:
        self.config = config
        self.plan = plan(engine, config)
        self.state_bytes = self.plan.state_bytes
        self.image_bytes = len(engine.image)
        self.saved_bytes = self.image_bytes

    def check_fits(self, session: BoardSession, image: bytes) -> None:
        session.check_fits(image)

    def open(self, session: BoardSession, image: bytes) -> None:
        """Makes the board select the image that training begins or goes on with."""
        session.load(image)
        session.release_model()

    def before_restore(self, session: BoardSession) -> None:
        """RESTORE selects the image."""

    def write_state(self, session: BoardSession, image: bytes, state: bytes) -> None:
        session.write(_STATE, state)

    def read(self, session: BoardSession) -> tuple[bytes, bytes]:
        """Image, with its checksum renewed, and state."""
        image = bytearray(session.read(_IMAGE, 0, 0, self.image_bytes))
        state = session.read(_STATE, 0, 0, self.plan.state_bytes)
        struct.pack_into("<I", image, IMAGE_CRC_AT, crc32(bytes(image[IMAGE_CRC_FROM:])))
        return bytes(image), state

    def read_ended(self, session: BoardSession) -> bytes:
        """The image behind TRAIN_END, as the board has it."""
        return session.read(_IMAGE, 0, 0, self.image_bytes)


class ImageInFlash(ImageInRam):
    """base: the image in the board's flash, whatever was learned since."""

    reopens = True

    def __init__(self, base: bytes, config: Config) -> None:
        engine = Engine(base)
        super().__init__(engine, replace(config, in_flash=True))
        self.state_bytes = plan(engine, config).state_bytes
        self.saved_bytes = _CRC_BYTES
        self._base = base

    def check_fits(self, session: BoardSession, image: bytes) -> None:
        """TRAIN_BEGIN knows."""

    def open(self, session: BoardSession, image: bytes) -> None:
        session.select(FLASH, self._base)
        session.release_model()

    def before_restore(self, session: BoardSession) -> None:
        self.open(session, self._base)

    def write_state(self, session: BoardSession, image: bytes, state: bytes) -> None:
        session.write(_STATE, state + copies_of(decode(image), self.config))

    def read(self, session: BoardSession) -> tuple[bytes, bytes]:
        """The image is made here, and the board's is compared with it."""
        state = session.read(_STATE, 0, 0, self.plan.state_bytes)
        image = Trainer(self._base, self.config, state=state).image
        n = len(image) - IMAGE_CRC_FROM
        found = session.digest(_IMAGE, 0, IMAGE_CRC_FROM, n)
        expect_digest(Message.DIGEST, "image as trained", found, crc32(image[IMAGE_CRC_FROM:]))
        return image, state[: self.state_bytes]

    def read_ended(self, session: BoardSession) -> bytes:
        return self.read(session)[0]


def check_base(base: bytes, image: bytes, has_state: bool) -> None:
    """A training begins with the image in flash; what was learned since is in a state."""
    if not has_state and image != base:
        raise ArgumentError(
            "image: expected the one in the board's flash, as there is no state to resume from"
        )
