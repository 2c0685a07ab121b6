"""Frames: the C codec against independent ones, and against damage."""

from __future__ import annotations

import zlib

from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from byteprop.engine._raw import cobs_decode, cobs_encode, const, crc32, request_name
from byteprop_host.link.frames import Decoder, Frame, decode_frame, encode_frame
from byteprop_host.link.messages import PURE, Message

PAYLOADS = st.one_of(
    st.binary(max_size=700),
    st.integers(0, 700).map(bytes),
    st.integers(0, 700).map(lambda n: b"\x55" * n),
    st.lists(st.sampled_from([b"\0", b"\1", b"\xff" * 253, b"\x07" * 254, b"\x09" * 255])).map(
        b"".join
    ),
)
FRAMES = st.builds(
    Frame,
    type=st.integers(0, 255),
    seq=st.integers(0, 0xFFFF),
    ack=st.integers(0, 0xFFFF),
    aux=st.integers(0, 255),
    payload=PAYLOADS,
)


@given(PAYLOADS, st.integers(0, 700))
def test_crc_is_zlibs(data: bytes, cut: int) -> None:
    assert crc32(data) == zlib.crc32(data)
    assert crc32(data[cut:], crc32(data[:cut])) == zlib.crc32(data)


@given(PAYLOADS)
def test_cobs_is_the_packages(data: bytes) -> None:
    encoded = cobs_encode(data)
    assert encoded == cobs.encode(data)
    assert 0 not in encoded
    assert len(encoded) <= len(data) + len(data) // 254 + 1
    assert cobs_decode(encoded) == data


@given(st.binary(max_size=600))
def test_cobs_decoder_refuses_what_the_package_refuses(data: bytes) -> None:
    try:
        expected = cobs.decode(data) if data else None
    except cobs.DecodeError:
        expected = None
    assert cobs_decode(data) == expected


@given(FRAMES)
def test_frame_comes_back(frame: Frame) -> None:
    wire = encode_frame(frame)
    assert wire[0] == wire[-1] == 0
    assert 0 not in wire[1:-1]
    assert Decoder().feed(wire) == [frame]


def test_overhead_is_at_most_14_bytes_up_to_256_of_payload() -> None:
    header_and_crc = const("BP_LINK_HEADER_BYTES") + const("BP_LINK_CRC_BYTES")
    for n in range(257):
        longest = len(encode_frame(Frame(1, 1, 1, 1, b"\x55" * n)))
        assert longest - n <= 14
        assert longest - n >= header_and_crc + 3


@given(FRAMES, st.binary(max_size=50), st.lists(st.integers(1, 40), max_size=20))
def test_frames_are_found_behind_garbage_and_in_any_pieces(
    frame: Frame, garbage: bytes, cuts: list[int]
) -> None:
    decoder = Decoder()
    rest = garbage + encode_frame(frame) + encode_frame(frame)
    found = []
    for size in cuts:
        found += decoder.feed(rest[:size])
        rest = rest[size:]
    found += decoder.feed(rest)
    assert found[-2:] == [frame, frame]


DAMAGE = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 10_000), st.integers(0, 7)),
    st.tuples(st.just("drop"), st.integers(0, 10_000), st.just(0)),
    st.tuples(st.just("double"), st.integers(0, 10_000), st.just(0)),
    st.tuples(st.just("insert"), st.integers(0, 10_000), st.integers(0, 255)),
    st.tuples(st.just("cut"), st.integers(0, 10_000), st.integers(1, 40)),
)


def damaged(wire: bytes, kind: str, where: int, value: int) -> bytes:
    at = where % len(wire)
    head, byte, tail = wire[:at], wire[at], wire[at + 1 :]
    return {
        "flip": head + bytes([byte ^ 1 << (value & 7)]) + tail,
        "drop": head + tail,
        "double": head + bytes([byte, byte]) + tail,
        "insert": head + bytes([value, byte]) + tail,
        "cut": head + wire[at + value :],
    }[kind]


@given(st.lists(FRAMES, min_size=1, max_size=3), st.lists(DAMAGE, min_size=1, max_size=3))
def test_damage_never_makes_another_frame(
    frames: list[Frame], damages: list[tuple[str, int, int]]
) -> None:
    """What is accepted was sent, in that order; one frame may be found twice where only a delimiter
    was doubled around it. Only a CRC collision, once in 2^32, could break this."""
    wire = b"".join(map(encode_frame, frames))
    for kind, where, value in damages:
        wire = damaged(wire, kind, where, value)
    rest = iter(frames)
    for found in Decoder().feed(wire + b"\0"):
        assert found in rest


@given(st.binary(max_size=2000))
def test_any_bytes_are_harmless(data: bytes) -> None:
    decoder = Decoder(max_bytes=500)
    for frame in decoder.feed(data):
        assert encode_frame(frame).strip(b"\0") in data
    decode_frame(data.replace(b"\0", b"\1"))


def test_endless_garbage_is_not_kept() -> None:
    decoder = Decoder(max_bytes=1000)
    for _ in range(100):
        assert decoder.feed(b"\x55" * 999) == []
        assert len(decoder._rest) <= 1000
    assert decoder.bad_frames > 0
    frame = Frame(2, 1, 1, 0, b"after all")
    assert decoder.feed(encode_frame(frame)) == [frame]


def test_requests_are_those_that_the_board_dispatches() -> None:
    """HELLO and SYNC belong to the session itself, the others are sent by the board."""
    session = {Message.HELLO, Message.SYNC}
    unasked = {Message.NACK, Message.NO_SESSION, Message.HEARTBEAT, Message.FAULT}
    dispatched = {Message(n): request_name(n) for n in range(256) if request_name(n) != "?"}
    assert dispatched == {m: m.name for m in Message if m not in session | unasked}
    assert {m.name for m in PURE} == {"ECHO", "READ", "DIGEST", "STATS"}
