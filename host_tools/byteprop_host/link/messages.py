"""Types of frames and their descriptions; the numbers are those of byteprop/link.h."""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import lru_cache

from byteprop.engine._raw import const, consts, crc32, request_is_pure, status_name
from byteprop.support import paths
from byteprop_host.errors import DeviceFaultError
from byteprop_host.link.frames import Frame

ANSWER = const("BP_MSG_ANSWER")
PROTOCOL_VERSION = const("BP_LINK_VERSION")
ALL_OPS = 0xFFFF


class Message(IntEnum):
    """Types of frames, without the answer bit."""

    HELLO = const("BP_MSG_HELLO")
    ECHO = const("BP_MSG_ECHO")
    RESET = const("BP_MSG_RESET")
    STATS = const("BP_MSG_STATS")
    SYNC = const("BP_MSG_SYNC")
    LOAD_BEGIN = const("BP_MSG_LOAD_BEGIN")
    LOAD_DATA = const("BP_MSG_LOAD_DATA")
    LOAD_END = const("BP_MSG_LOAD_END")
    SELECT = const("BP_MSG_SELECT")
    WRITE = const("BP_MSG_WRITE")
    READ = const("BP_MSG_READ")
    DIGEST = const("BP_MSG_DIGEST")
    INFER = const("BP_MSG_INFER")
    PROFILE = const("BP_MSG_PROFILE")
    RESET_STATE = const("BP_MSG_RESET_STATE")
    ANOMALY_BEGIN = const("BP_MSG_ANOMALY_BEGIN")
    ANOMALY_LEARN = const("BP_MSG_ANOMALY_LEARN")
    ANOMALY_JUDGE = const("BP_MSG_ANOMALY_JUDGE")
    TRAIN_BEGIN = const("BP_MSG_TRAIN_BEGIN")
    TRAIN = const("BP_MSG_TRAIN")
    EVALUATE = const("BP_MSG_EVALUATE")
    TRAIN_END = const("BP_MSG_TRAIN_END")
    REMEMBER = const("BP_MSG_REMEMBER")
    REHEARSE = const("BP_MSG_REHEARSE")
    HOLD = const("BP_MSG_HOLD")
    CHECK = const("BP_MSG_CHECK")
    IMPRINT = const("BP_MSG_IMPRINT")
    REMOVE = const("BP_MSG_REMOVE")
    SAVE = const("BP_MSG_SAVE")
    RESTORE = const("BP_MSG_RESTORE")
    SAVE_INFO = const("BP_MSG_SAVE_INFO")
    TEST_FAULT = const("BP_MSG_TEST_FAULT")
    NACK = const("BP_MSG_NACK")
    NO_SESSION = const("BP_MSG_NO_SESSION")
    HEARTBEAT = const("BP_MSG_HEARTBEAT")
    FAULT = const("BP_MSG_FAULT")


_FAULTS = {value: name for name, value in consts("BP_FAULT_").items()}
_UNASKED = 0xF0

# Requests that do not change the board, and may be executed again.
PURE = frozenset(message for message in Message if request_is_pure(message))


def is_answer(frame: Frame) -> bool:
    return ANSWER <= frame.type < _UNASKED


def type_name(number: int) -> str:
    """INFER, INFER answer, NACK, ... or the number."""
    suffix = ""
    if ANSWER <= number < _UNASKED:
        number, suffix = number - ANSWER, " answer"
    try:
        return str(Message(number).name) + suffix
    except ValueError:
        return f"type {number:#04x}{suffix}"


@lru_cache(maxsize=1)
def _source_names() -> dict[int, str]:
    """CRC of a C file's name -> name, for every source that comes with byteprop."""
    folders = (paths.csrc(), paths.boards())
    return {crc32(f.name.encode()): f.name for d in folders for f in d.rglob("*.[ch]")}


def fault_error(payload: bytes) -> DeviceFaultError:
    """The error for a FAULT frame."""
    if len(payload) < 9:
        return DeviceFaultError("the board reported a fault, and a frame too short to name it")
    cause, pc, address = struct.unpack_from("<BII", payload)
    name = _FAULTS.get(cause, f"cause {cause}").lower()
    if name == "assert":
        file = _source_names().get(pc, f"a file whose name has CRC {pc:#010x}")
        text = f"an assertion failed in {file}, line {address}"
    else:
        text = f"{name} fault at pc {pc:#010x}, address {address:#010x}"
    return DeviceFaultError(
        f"the board reported a fault and reset itself: {text}",
        cause=name,
        pc=pc,
        address=address,
    )


def describe(frame: Frame) -> str:
    """Describes a frame in one line."""
    parts = [type_name(frame.type), f"seq {frame.seq}", f"ack {frame.ack}"]
    if is_answer(frame):
        parts.append(f"free slots {frame.aux}")
        if frame.payload:
            parts.append(status_name(frame.payload[0]))
    elif frame.type == Message.FAULT:
        parts.append(str(fault_error(frame.payload)))
    parts.append(f"{len(frame.payload)} bytes")
    return ", ".join(parts)
