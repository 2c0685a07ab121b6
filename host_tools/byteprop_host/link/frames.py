"""Encodes and decodes frames. COBS and CRC are those of the C library."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from byteprop.engine._raw import cobs_decode, cobs_encode, const, crc32

_HEADER = struct.Struct("<BBHH")
_CRC = struct.Struct("<I")
_MIN_BYTES = const("BP_LINK_HEADER_BYTES") + const("BP_LINK_CRC_BYTES")


@dataclass(frozen=True)
class Frame:
    """One frame. type is a number of `Message`, with the answer bit for answers."""

    type: int
    seq: int = 0
    ack: int = 0
    aux: int = 0
    payload: bytes = b""


def encode_frame(frame: Frame) -> bytes:
    """The bytes on the wire, delimiters included."""
    body = _HEADER.pack(frame.type, frame.aux, frame.seq, frame.ack) + frame.payload
    return b"\0" + cobs_encode(body + _CRC.pack(crc32(body))) + b"\0"


def decode_frame(encoded: bytes) -> Frame | None:
    """The frame between two delimiters; None when it is damaged."""
    raw = cobs_decode(encoded)
    if raw is None or len(raw) < _MIN_BYTES:
        return None
    body = raw[: -_CRC.size]
    if crc32(body) != _CRC.unpack_from(raw, len(body))[0]:
        return None
    kind, aux, seq, ack = _HEADER.unpack_from(body)
    return Frame(kind, seq, ack, aux, body[_HEADER.size :])


class Decoder:
    """Splits a stream into frames. Anything else is counted and dropped."""

    def __init__(self, max_bytes: int = 1 << 17) -> None:
        self._rest = b""
        self._max_bytes = max_bytes
        self.bad_frames = 0

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that these bytes complete."""
        *chunks, rest = (self._rest + data).split(b"\0")
        if len(rest) > self._max_bytes:
            rest = rest[-1:]  # no frame is that long; what follows up to a delimiter fails its CRC
            self.bad_frames += 1
        self._rest = rest
        frames = []
        for chunk in filter(None, chunks):
            frame = decode_frame(chunk)
            if frame is None:
                self.bad_frames += 1
            else:
                frames.append(frame)
        return frames
