"""What frames say, in words for people. An odd payload gets no words: no frame is trusted."""

from __future__ import annotations

import struct
from collections.abc import Callable

from byteprop.engine._raw import const, consts, status_name, status_text
from byteprop_host.errors import LinkError
from byteprop_host.link.answers import (
    parse_hello,
    parse_saved,
    parse_selected,
    parse_stats,
    requested_session,
)
from byteprop_host.link.frames import Frame
from byteprop_host.link.messages import ALL_OPS, ANSWER, Message, fault_error, is_answer, type_name

_MOST_VALUES = 10
_RATE_ONE = 1 << 24  # learning rates are in steps of 2^-24
_OBJECTS = {value: name.lower().replace("_", " ") for name, value in consts("BP_OBJ_").items()}
_SOURCES = {const("BP_SOURCE_FLASH"): "flash", const("BP_SOURCE_RAM"): "RAM"}


def frame_text(frame: Frame) -> str:
    """Type, number and meaning of a frame, in columns."""
    number = f"#{frame.seq}" if frame.seq else ""
    return f"{type_name(frame.type):<18} {number:>7}  {meaning(frame)}".rstrip()


def meaning(frame: Frame) -> str:
    """The content of a frame in words."""
    try:
        if is_answer(frame):
            return _answer(frame)
        found = _REQUESTS.get(frame.type)
        return found(frame) if found else ""
    except (struct.error, LinkError, ValueError, IndexError):
        return f"{len(frame.payload)} bytes that do not fit this type"


def _answer(frame: Frame) -> str:
    kind, payload = frame.type - ANSWER, frame.payload
    if not payload:
        return "no status"
    if payload[0] != 0:
        return f"refused: {status_name(payload[0])}, {status_text(payload[0])}"
    found = _ANSWERS.get(kind)
    if found is not None:
        return found(payload)
    return "done" if len(payload) == 1 else f"{len(payload) - 1:,} bytes"


# --- requests ---


def _hello(frame: Frame) -> str:
    session = requested_session(frame.payload)
    return "" if session is None else f"open session {session:08x}"


def _upload(frame: Frame) -> str:
    size, crc = struct.unpack("<II", frame.payload)
    return f"upload a model of {size:,} bytes, crc {crc:08x}"


def _upload_data(frame: Frame) -> str:
    (offset,) = struct.unpack_from("<I", frame.payload)
    return f"{len(frame.payload) - 4:,} bytes of it at {offset:,}"


def _select(frame: Frame) -> str:
    return f"the model in {_SOURCES.get(frame.payload[0], 'an unknown memory')}"


def _write(frame: Frame) -> str:
    obj, _, offset = struct.unpack_from("<BHI", frame.payload)
    return f"{len(frame.payload) - 7:,} bytes to {_object(obj)} at {offset:,}"


def _read(frame: Frame) -> str:
    obj, index, offset, n = struct.unpack("<BHIH", frame.payload)
    return f"{n:,} bytes of {_object(obj, index)} at {offset:,}"


def _digest(frame: Frame) -> str:
    obj, index, offset, n = struct.unpack("<BHII", frame.payload)
    return f"CRC of {n:,} bytes of {_object(obj, index)} at {offset:,}"


def _object(number: int, index: int = 0) -> str:
    name = _OBJECTS.get(number, f"object {number}")
    return f"{name} {index}" if name == "tensor" else name


def _infer(frame: Frame) -> str:
    (n,) = struct.unpack("<H", frame.payload)
    return "all layers" if n == ALL_OPS else f"the first {n} layers"


def _profile(frame: Frame) -> str:
    return f"time each layer from layer {struct.unpack('<H', frame.payload)[0]} on"


def _train(frame: Frame) -> str:
    (rate,) = struct.unpack_from("<I", frame.payload)
    return f"{_target(frame.payload[4:])}, rate {rate / _RATE_ONE:.3g}"


def _evaluate(frame: Frame) -> str:
    return _target(frame.payload)


def _rehearse(frame: Frame) -> str:
    return f"a kept sample, rate {struct.unpack('<I', frame.payload)[0] / _RATE_ONE:.3g}"


def _class(frame: Frame) -> str:
    return f"class {struct.unpack('<H', frame.payload)[0]}"


def _anomaly_begin(frame: Frame) -> str:
    permille, votes, window, shift, ratio, _ = struct.unpack("<HBBBBH", frame.payload)
    drift = f"drift above {ratio / 16:g} by 2^-{shift}" if ratio else "no drift"
    return f"a detector at {permille / 10:g} %, {votes} of {window} windows, {drift}"


def _target(data: bytes) -> str:
    if len(data) == 2:
        return f"class {int.from_bytes(data, 'little')}"
    return f"{len(data) // 4} target values"


def _sync(frame: Frame) -> str:
    return f"the host's next number is {frame.seq}, it has the answers before {frame.ack}"


def _nack(frame: Frame) -> str:
    return f"send again from #{frame.ack}"


def _no_session(frame: Frame) -> str:
    return "the board has no session: it was reset"


def _heartbeat(frame: Frame) -> str:
    return f"still computing, layer {struct.unpack('<H', frame.payload)[0]} is done"


def _fault(frame: Frame) -> str:
    return str(fault_error(frame.payload))


_REQUESTS: dict[int, Callable[[Frame], str]] = {
    Message.HELLO: _hello,
    Message.SYNC: _sync,
    Message.LOAD_BEGIN: _upload,
    Message.LOAD_DATA: _upload_data,
    Message.SELECT: _select,
    Message.WRITE: _write,
    Message.READ: _read,
    Message.DIGEST: _digest,
    Message.INFER: _infer,
    Message.PROFILE: _profile,
    Message.ANOMALY_BEGIN: _anomaly_begin,
    Message.TRAIN: _train,
    Message.EVALUATE: _evaluate,
    Message.REMEMBER: _class,
    Message.HOLD: _class,
    Message.REHEARSE: _rehearse,
    Message.IMPRINT: _class,
    Message.REMOVE: _class,
    Message.NACK: _nack,
    Message.NO_SESSION: _no_session,
    Message.HEARTBEAT: _heartbeat,
    Message.FAULT: _fault,
}


# --- answers; the payload begins with the status ---


def _hello_answer(payload: bytes) -> str:
    info = parse_hello(payload)
    return f"{info.board} ({info.cpu}), build {info.build_id:016x}"


def _selected_answer(payload: bytes) -> str:
    found = parse_selected(Message.SELECT, payload[1:], None, None)
    return (
        f"model {found.crc32:08x}, {found.n_ops} layers, {found.input_bytes:,} bytes in, "
        f"{found.output_bytes:,} out, arena {found.arena_bytes:,}"
    )


def _infer_answer(payload: bytes) -> str:
    ticks, crc = struct.unpack_from("<II", payload, 1)
    values = payload[9:]
    outputs = f"outputs {values[:_MOST_VALUES].hex(' ')}" if values else f"outputs crc {crc:08x}"
    return f"{ticks:,} ticks, {outputs}{' ...' if len(values) > _MOST_VALUES else ''}"


def _profile_answer(payload: bytes) -> str:
    ticks = struct.unpack(f"<{(len(payload) - 1) // 4}I", payload[1:])
    shown = ", ".join(f"{t:,}" for t in ticks[:_MOST_VALUES])
    return f"ticks {shown}{' ...' if len(ticks) > _MOST_VALUES else ''}"


def _train_answer(payload: bytes) -> str:
    loss, predicted, correct, steps, ticks = struct.unpack("<QHBII", payload[1:])
    right = "right" if correct else "not right"
    return f"loss {loss:,}, predicted {predicted} ({right}), update {steps:,}, {ticks:,} ticks"


def _checked_answer(payload: bytes) -> str:
    loss, waited, held, right, steps, ticks = struct.unpack("<IIHHII", payload[1:])
    since = f"{waited:,} checks since the least" if waited else "the least so far"
    return f"loss {loss:,} ({since}), {right} of {held} right, update {steps:,}, {ticks:,} ticks"


def _stats_answer(payload: bytes) -> str:
    stats = parse_stats(payload[1:])
    return (
        f"{stats.frames:,} frames, {stats.bad_frames:,} damaged, {stats.repeated:,} repeated, "
        f"{stats.rx_overruns:,} bytes lost, {stats.stack_free:,} of {stats.stack_bytes:,} bytes of "
        "stack free"
    )


def _learnt_answer(payload: bytes) -> str:
    score, ticks, normal = struct.unpack("<QII", payload[1:])
    return f"score {score:,}, learnt from {normal:,}, {ticks:,} ticks"


def _judged_answer(payload: bytes) -> str:
    score, ticks, above, votes, alarm, drifts = struct.unpack("<QIBBBB", payload[1:])
    words = [w for w, is_so in (("above", above), ("alarm", alarm), ("drift", drifts)) if is_so]
    return f"score {score:,}, {votes} votes, {', '.join(words) or 'normal'}, {ticks:,} ticks"


def _saved_answer(payload: bytes) -> str:
    saved = parse_saved(Message.SAVE, payload[1:])
    more = ", a detector" if saved.detector_bytes else ""
    return f"save {saved.sequence} in slot {saved.slot}, {saved.samples:,} samples{more}"


_ANSWERS: dict[int, Callable[[bytes], str]] = {
    Message.HELLO: _hello_answer,
    Message.LOAD_END: _selected_answer,
    Message.SELECT: _selected_answer,
    Message.INFER: _infer_answer,
    Message.PROFILE: _profile_answer,
    Message.ANOMALY_LEARN: _learnt_answer,
    Message.ANOMALY_JUDGE: _judged_answer,
    Message.TRAIN: _train_answer,
    Message.EVALUATE: _train_answer,
    Message.REHEARSE: _train_answer,
    Message.CHECK: _checked_answer,
    Message.STATS: _stats_answer,
    Message.SAVE: _saved_answer,
    Message.RESTORE: _saved_answer,
    Message.SAVE_INFO: _saved_answer,
}
