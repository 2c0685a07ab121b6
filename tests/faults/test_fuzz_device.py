"""Requests that make no sense do no harm: the device program under ASan and UBSan answers every
frame, whatever its type and payload, and still infers rightly afterwards."""

from __future__ import annotations

import os
import pty
import random
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

import byteprop
from byteprop.engine._raw import Engine, Status
from byteprop_host.link import Device, Message

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "tests/data/models/digits_mlp.tflite"
SANITIZERS = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
OWN_RULES = (Message.HELLO, Message.RESET, Message.SYNC)
REQUESTS = [int(m) for m in Message if m not in OWN_RULES and m < 0x70]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sys.path.insert(0, str(ROOT / "runtime"))
    try:
        from build_device import build_host_device
    finally:
        sys.path.pop(0)
    out = tmp_path_factory.mktemp("device") / "byteprop-device"
    try:
        build_host_device(["cc", *SANITIZERS], out)
    except FileNotFoundError:
        pytest.skip("cc is not installed")
    except subprocess.CalledProcessError as error:
        if "cannot find" in error.stderr:
            pytest.skip("cc has no sanitizer libraries")
        raise AssertionError(error.stderr) from error
    return out


@pytest.fixture
def device(program: Path) -> Iterator[Device]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    process = subprocess.Popen([program, str(master)], pass_fds=[master])
    os.close(master)
    try:
        with Device.open(os.ttyname(slave)) as opened:
            yield opened
        assert process.poll() is None, "the device program ended"
    finally:
        os.close(slave)
        process.kill()
        process.wait(10.0)


def number(r: random.Random, n_bytes: int) -> bytes:
    """Small, at a border, or anything."""
    top = (1 << 8 * n_bytes) - 1
    value = r.choice([r.randrange(8), r.randrange(5000), top - r.randrange(4), r.randrange(top)])
    return min(value, top).to_bytes(n_bytes, "little")


def payload_for(r: random.Random, kind: int) -> bytes:
    """Mostly of the right form, with any values in it; else any bytes."""
    forms = {
        Message.LOAD_BEGIN: (4, 4),
        Message.LOAD_DATA: (4,),
        Message.LOAD_END: (),
        Message.SELECT: (1,),
        Message.WRITE: (1, 2, 4),
        Message.READ: (1, 2, 4, 2),
        Message.DIGEST: (1, 2, 4, 4),
        Message.INFER: (2,),
        Message.PROFILE: (2,),
        Message.STATS: (),
    }
    tail = r.randbytes(r.choice([0, 0, 1, 30, 300]))
    if r.random() < 0.2 or kind not in forms:
        return tail
    fields = b"".join(number(r, n) for n in forms[Message(kind)])
    return fields + tail if kind in (Message.LOAD_DATA, Message.WRITE) else fields


def same_as_here(device: Device, image: bytes) -> bool:
    import numpy as np

    device.load_image(image)
    x = np.arange(64, dtype=np.uint8)[None]
    return device.infer(x.tobytes()).output == Engine(image).run(x).tobytes()


@pytest.mark.parametrize("seed", range(4))
def test_any_request_is_answered(device: Device, seed: int) -> None:
    image = byteprop.load(DIGITS).image
    r = random.Random(seed)
    channel = device.session.channel
    assert same_as_here(device, image)
    statuses = set()
    for _ in range(1500):
        kind = r.choice(REQUESTS) if r.random() < 0.95 else r.randrange(6, 0x70)
        seq = channel.submit(kind, payload_for(r, kind), long_answer=True)
        statuses.add(Status(channel.take(seq).status))
        if r.random() < 0.02:
            assert same_as_here(device, image)
    assert {Status.OK, Status.E_RANGE, Status.E_LENGTH, Status.E_UNKNOWN} <= statuses
    assert same_as_here(device, image)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_images_are_refused_or_run(device: Device, seed: int) -> None:
    """The reader of the device trusts nothing, even with a right checksum."""
    import struct
    import zlib

    image = byteprop.load(DIGITS).image
    r = random.Random(100 + seed)
    channel = device.session.channel
    refused = 0
    for _ in range(60):
        bad = bytearray(image)
        at = r.choice([r.randrange(16, 64), r.randrange(16, 600), r.randrange(16, len(bad))])
        bad[at] = r.randrange(256)
        crc = zlib.crc32(bytes(bad[16:]))
        struct.pack_into("<I", bad, 12, crc)
        channel.request(Message.LOAD_BEGIN, struct.pack("<II", len(bad), crc))
        for offset in range(0, len(bad), 2000):
            data = struct.pack("<I", offset) + bytes(bad[offset : offset + 2000])
            channel.request(Message.LOAD_DATA, data)
        end = channel.take(channel.submit(Message.LOAD_END))
        refused += end.status != Status.OK
        if end.status == Status.OK:
            channel.request(Message.INFER, struct.pack("<H", 0xFFFF))
            channel.request(Message.PROFILE, struct.pack("<H", 0))
    assert refused > 0
    assert same_as_here(device, image)
