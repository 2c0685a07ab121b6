"""Parses answers of the board. Nothing in them is trusted: every field is compared with its
expected value or its bounds, and AnswerError names the first that is wrong."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from byteprop.engine import _raw_anomaly
from byteprop.engine._raw import Engine, const, consts, crc32, status_name, status_text
from byteprop.image import op_names
from byteprop_host.boards.board import SERIAL_LIMITS
from byteprop_host.errors import AnswerError, LinkError
from byteprop_host.link.messages import ANSWER, PROTOCOL_VERSION, Message, type_name

MAX_OBJECT_BYTES = 1 << 24
"""Limit for inputs, outputs and arena of a board: more than any has, and little for a host."""
MAX_NAMES_BYTES = 255
MAX_FEATURES_BYTES = const("BP_MODEL_FEATURES_BYTES")

_HELLO = struct.Struct("<BBIQHHBBIIIIIIH")
_SELECTED = struct.Struct("<IIIIH")
_INFERRED = struct.Struct("<II")
_STATS = struct.Struct("<6I")
STATS_BYTES = _STATS.size
_RESULT = struct.Struct("<QHBII")
_CHECKED = struct.Struct("<IIHHII")
_SAVED = struct.Struct("<IIIIIBH")
_LEARNT = struct.Struct("<QII")
_JUDGED = struct.Struct("<QIBBBB")
_PAIR = struct.Struct("<II")
_U32 = struct.Struct("<I")
_TICKS = {value: name.lower() for name, value in consts("BP_TICK_").items()}


# --- comparing ---


def wrong(kind: int, field: str, expected: object, got: object) -> AnswerError:
    """The error for a field of the answer to a request of that type, or of an unasked frame."""
    message = type_name(kind if kind >= Message.NACK else kind | ANSWER)
    return AnswerError(
        f"the board's {message} is wrong: {field}: expected {expected}, got {got}; its firmware is "
        "damaged, or not byteprop's; flash it again with: byteprop flash --board NAME",
        message=message,
        field=field,
    )


def expect(kind: int, field: str, got: object, expected: object) -> None:
    if got != expected:
        raise wrong(kind, field, expected, got)


def expect_between(kind: int, field: str, got: int, least: int, most: int) -> None:
    if not least <= got <= most:
        raise wrong(kind, field, f"{least} to {most}", got)


def expect_digest(kind: int, field: str, got: int, expected: int) -> None:
    if got != expected:
        raise wrong(kind, field, f"{expected:#010x}", f"{got:#010x}")


def _unpack(kind: int, layout: struct.Struct, data: bytes) -> tuple[int, ...]:
    expect(kind, "bytes after the status", len(data), layout.size)
    return layout.unpack(data)


def parse_nothing(kind: int, data: bytes) -> None:
    """Checks an answer without data: of WRITE and RESET."""
    expect(kind, "bytes after the status", len(data), 0)


def parse_number(kind: int, data: bytes) -> int:
    """The only field of an answer: an offset or a checksum."""
    return _unpack(kind, _U32, data)[0]


def parse_space(kind: int, status: int, data: bytes) -> tuple[int, int] | None:
    """Bytes needed and bytes available, which follow E_SPACE; None with any other status."""
    if status_name(status) != "E_SPACE":
        return None
    needed, available = _unpack(kind, _PAIR, data)
    if needed <= available:
        raise wrong(kind, "bytes needed", f"more than the {available} available", needed)
    return needed, available


# --- HELLO ---


@dataclass(frozen=True)
class DeviceInfo:
    """The board's answer to HELLO."""

    board: str
    cpu: str
    protocol: int
    session: int
    build_id: int
    max_payload: int
    rx_window: int
    slots: int
    slot_bytes: int
    tick: str
    tick_hz: int
    ram_bytes: int
    flash_bytes: int
    pool_bytes: int
    flash_crc32: int
    selected_crc32: int
    ops: frozenset[str] = frozenset()  # of the firmware, by their names in byteprop.ops


def requested_session(payload: bytes) -> int | None:
    """The session that a HELLO requests; None when it is not well-formed."""
    return _U32.unpack_from(payload, 1)[0] if len(payload) == 5 else None


def hello_session(payload: bytes) -> int | None:
    """The session that an answer to HELLO is for; None when it does not contain one."""
    is_ours = len(payload) >= 6 and payload[0] == 0 and payload[1] == PROTOCOL_VERSION
    return _U32.unpack_from(payload, 2)[0] if is_ours else None


def parse_hello(payload: bytes) -> DeviceInfo:
    """Raises LinkError when it is no answer to HELLO of this protocol version."""
    if len(payload) < 2:
        raise wrong(Message.HELLO, "bytes", f"at least {_HELLO.size}", len(payload))
    if payload[1] != PROTOCOL_VERSION:
        raise LinkError(
            f"the board speaks protocol version {payload[1]}, this byteprop version "
            f"{PROTOCOL_VERSION}; flash the board again: byteprop flash --board NAME"
        )
    if payload[0] != 0:
        raise LinkError(f"the board refused HELLO: {status_text(payload[0])}")
    features_at = const("BP_HELLO_FEATURES") + 1
    least, most = features_at + 4, features_at + MAX_FEATURES_BYTES + MAX_NAMES_BYTES
    expect_between(Message.HELLO, "bytes", len(payload), least, most)
    names_at = features_at + payload[features_at - 1]
    expect_between(Message.HELLO, "bytes of ops", names_at - features_at, 0, MAX_FEATURES_BYTES)
    expect_between(Message.HELLO, "bytes", len(payload), names_at + 4, names_at + MAX_NAMES_BYTES)
    fields = _HELLO.unpack_from(payload)
    board, cpu = _names(payload[names_at:])
    info = DeviceInfo(
        board=board,
        cpu=cpu,
        protocol=fields[1],
        session=fields[2],
        build_id=fields[3],
        max_payload=fields[4],
        rx_window=fields[5],
        slots=fields[6],
        tick=_TICKS.get(fields[7], ""),
        tick_hz=fields[8],
        ram_bytes=fields[9],
        flash_bytes=fields[10],
        pool_bytes=fields[11],
        flash_crc32=fields[12],
        selected_crc32=fields[13],
        slot_bytes=fields[14],
        ops=op_names(payload[features_at:names_at]),
    )
    if not info.tick:
        raise wrong(Message.HELLO, "tick", f"0 to {max(_TICKS)}", fields[7])
    _check_limits(info, len(payload))
    return info


def _check_limits(info: DeviceInfo, hello_bytes: int) -> None:
    """Checks the bounds of board.toml, and that no answer is longer than the largest payload."""
    least, most = SERIAL_LIMITS["max_payload"]
    least = max(least, hello_bytes)
    expect_between(Message.HELLO, "largest payload", info.max_payload, least, most)
    expect_between(Message.HELLO, "receive window", info.rx_window, *SERIAL_LIMITS["rx_window"])
    expect_between(Message.HELLO, "slots", info.slots, *SERIAL_LIMITS["slots"])
    least_slot = SERIAL_LIMITS["slot_bytes"][0]
    expect_between(Message.HELLO, "slot", info.slot_bytes, least_slot, info.max_payload)


def _names(raw: bytes) -> tuple[str, str]:
    board, _, rest = raw.partition(b"\0")
    cpu, _, after = rest.partition(b"\0")
    if raw.count(b"\0") != 2 or after:
        raise wrong(Message.HELLO, "names", "two texts with a 0 after each", ascii(raw[:32]))
    return _name("name of the board", board), _name("name of the CPU", cpu)


def _name(field: str, raw: bytes) -> str:
    """Names go to the terminal, so control characters and escape sequences are refused."""
    text = raw.decode("utf-8", "replace")
    if not text or not text.isprintable() or "\N{REPLACEMENT CHARACTER}" in text:
        raise wrong(Message.HELLO, field, "printable text", ascii(raw[:32]))
    return text


# --- models and inference ---


@dataclass(frozen=True)
class Selected:
    """The selected model, as the board reports it."""

    crc32: int
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    n_ops: int


@dataclass(frozen=True)
class InferAnswer:
    """output: all outputs, one after the other; b"" when they are too long for the answer. crc: the
    board's digest of them."""

    output: bytes
    ticks: int
    crc: int


@dataclass(frozen=True)
class Stats:
    """Counters of the board since its reset; stack figures are 0 where they are not measured."""

    frames: int
    bad_frames: int
    repeated: int
    rx_overruns: int
    stack_free: int
    stack_bytes: int


def parse_selected(kind: int, data: bytes, model: Engine | None, crc: int | None) -> Selected:
    """model: the expected model, if known; crc: else its checksum, if known."""
    selected = Selected(*_unpack(kind, _SELECTED, data))
    if model is not None:
        _check_selected(kind, selected, model)
        return selected
    if crc is not None:
        expect_digest(kind, "model CRC", selected.crc32, crc)
    for name in ("arena", "input", "output"):
        got = getattr(selected, f"{name}_bytes")
        expect_between(kind, f"{name} bytes", got, 0 if name == "arena" else 1, MAX_OBJECT_BYTES)
    return selected


def _check_selected(kind: int, got: Selected, model: Engine) -> None:
    expect_digest(kind, "model CRC", got.crc32, model.crc32)
    expect(kind, "arena bytes", got.arena_bytes, model.arena_bytes)
    expect(kind, "input bytes", got.input_bytes, model.input_bytes)
    expect(kind, "output bytes", got.output_bytes, model.output_bytes)
    expect(kind, "number of ops", got.n_ops, model.n_ops)


def check_outputs(output: bytes, crc: int) -> None:
    expect_digest(Message.INFER, "CRC-32 of all outputs", crc, crc32(output))


def parse_inferred(data: bytes, n_outputs: int) -> InferAnswer:
    """n_outputs: bytes of outputs that the answer must contain."""
    kind = Message.INFER
    expect(kind, "bytes after the status", len(data), _INFERRED.size + n_outputs)
    ticks, crc = _INFERRED.unpack_from(data)
    answer = InferAnswer(data[_INFERRED.size :], ticks, crc)
    if n_outputs:
        check_outputs(answer.output, crc)
    return answer


def parse_partly_inferred(data: bytes) -> None:
    """Checks the answer to a run of some of the ops: no digest and no outputs."""
    answer = parse_inferred(data, 0)
    expect_digest(Message.INFER, "CRC-32 of all outputs", answer.crc, 0)


def parse_profile(data: bytes, n_ops: int) -> list[int]:
    """n_ops: number of ops that the answer must contain."""
    expect(Message.PROFILE, "bytes after the status", len(data), 4 * n_ops)
    return list(struct.unpack(f"<{n_ops}I", data))


def parse_stats(data: bytes) -> Stats:
    kind = Message.STATS
    stats = Stats(*_unpack(kind, _STATS, data))
    expect_between(kind, "least free bytes of the stack", stats.stack_free, 0, stats.stack_bytes)
    return stats


# --- training ---


@dataclass(frozen=True)
class TrainResult:
    """loss as bp_train_result_t has it; steps: updates so far; ticks: of this sample."""

    loss: int
    predicted: int
    correct: bool
    steps: int
    ticks: int


@dataclass(frozen=True)
class CheckResult(TrainResult):
    """loss: the mean of the samples that are held out, in 1/256 bit; correct: it is the least so
    far, else there were `waited` checks since then. held: samples, of which `right` are right."""

    waited: int
    held: int
    right: int


@dataclass(frozen=True)
class FlashSave:
    """A save in the board's flash. crc32 identifies it."""

    sequence: int
    image_bytes: int
    state_bytes: int
    crc32: int
    samples: int
    slot: int
    detector_bytes: int = 0


def parse_begun(data: bytes, memory_bytes: int, state_bytes: int) -> None:
    """Checks that host and board plan the same memory, which the same training needs."""
    memory, state = _unpack(Message.TRAIN_BEGIN, _PAIR, data)
    expect(Message.TRAIN_BEGIN, "memory bytes", memory, memory_bytes)
    expect(Message.TRAIN_BEGIN, "state bytes", state, state_bytes)


def parse_result(kind: int, data: bytes, label: int | None, n_outputs: int) -> TrainResult:
    """label: the class of the sample; None for targets, where predicted and correct are 0."""
    loss, predicted, correct, steps, ticks = _unpack(kind, _RESULT, data)
    expect_between(kind, "predicted", predicted, 0, 0 if label is None else n_outputs - 1)
    expect(kind, "correct", correct, int(predicted == label))
    return TrainResult(loss, predicted, bool(correct), steps, ticks)


def parse_rehearsed(data: bytes, n_outputs: int) -> TrainResult:
    """As parse_result; only the board's store knows the class."""
    kind = Message.REHEARSE
    loss, predicted, correct, steps, ticks = _unpack(kind, _RESULT, data)
    expect_between(kind, "predicted", predicted, 0, n_outputs - 1)
    expect_between(kind, "correct", correct, 0, 1)
    return TrainResult(loss, predicted, bool(correct), steps, ticks)


def parse_checked(data: bytes) -> CheckResult:
    kind = Message.CHECK
    loss, waited, held, right, steps, ticks = _unpack(kind, _CHECKED, data)
    expect_between(kind, "samples held out", held, 1, 65535)
    expect_between(kind, "right", right, 0, held)
    return CheckResult(loss, 0, waited == 0, steps, ticks, waited, held, right)


def parse_saved(kind: int, data: bytes) -> FlashSave:
    saved = FlashSave(*_unpack(kind, _SAVED, data))
    expect_between(kind, "slot", saved.slot, 0, 1)
    if saved.detector_bytes not in (0, _raw_anomaly.STATE_BYTES):
        expected = f"0 or {_raw_anomaly.STATE_BYTES}"
        raise wrong(kind, "detector bytes", expected, saved.detector_bytes)
    return saved


# --- anomalies ---


@dataclass(frozen=True)
class Learnt:
    """The score of one window of a machine in order."""

    score: int
    ticks: int


@dataclass(frozen=True)
class Judged:
    """A window and what the board's detector says of it."""

    verdict: _raw_anomaly.Verdict
    ticks: int


def parse_learnt(data: bytes, score: int, normal: int) -> Learnt:
    """score, normal: as the host's own detector has them."""
    kind = Message.ANOMALY_LEARN
    found, ticks, learnt = _unpack(kind, _LEARNT, data)
    expect(kind, "score", found, score)
    expect(kind, "scores learnt from", learnt, normal)
    return Learnt(found, ticks)


def parse_judged(data: bytes, verdict: _raw_anomaly.Verdict) -> Judged:
    """verdict: of the host's own detector."""
    kind = Message.ANOMALY_JUDGE
    score, ticks, above, votes, alarm, drifts = _unpack(kind, _JUDGED, data)
    expect(kind, "score", score, verdict.score)
    expect(kind, "above", above, int(verdict.above))
    expect(kind, "votes", votes, verdict.votes)
    expect(kind, "alarm", alarm, int(verdict.alarm))
    expect(kind, "drifts", drifts, int(verdict.drifts))
    return Judged(verdict, ticks)
