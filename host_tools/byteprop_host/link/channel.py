"""Requests over a line that loses bytes: a session with sequence numbers, a window of bytes and of
answer slots, and retransmission.

Only the host has timers. The board executes requests in order and once; it sends NACK when one is
missing. The line keeps order, so an answer to one transmission is also news of all earlier ones:
what was sent before and is still unanswered was lost, and is sent again. In doubt (NACK, or
silence) the host sends a SYNC. It is short, and once it is answered the board's receive ring has
nothing left that was sent before, so that sending again never overflows the ring.
"""

from __future__ import annotations

import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from byteprop.engine._raw import Status, const, status_name, status_text
from byteprop_host.errors import LinkError, RequestError
from byteprop_host.link.answers import (
    DeviceInfo,
    expect,
    expect_between,
    hello_session,
    parse_hello,
    wrong,
)
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import (
    ANSWER,
    PROTOCOL_VERSION,
    PURE,
    Message,
    describe,
    fault_error,
    is_answer,
    type_name,
)
from byteprop_host.link.transport import Transport

_SEQ_MASK = 0xFFFF
_MIN_RTO = 0.05
_MAX_RTO = 2.0
_HELLO_EVERY = 0.1
_HELLO_AT_LEAST_EVERY = 0.5
_KEPT_RAW_BYTES = 48
_MAX_TRANSMISSIONS = 100
BUSY_TIMEOUTS = 10
"""Time-outs to wait for an answer while the board shows other signs of life."""
SYNC_BYTES = 13
FRAME_OVERHEAD = const("BP_LINK_HEADER_BYTES") + const("BP_LINK_CRC_BYTES") + 3


# Frames up to this many bytes pass any usable line. If this many more of the longer ones are lost
# than pass, the session ends, and the next one uses shorter frames.
_SHORT_BYTES = 64
_LONG_LOSSES = 6
_RETRANSMITTED_AT_ONCE = 4


# Payload bytes of frames that the board sends without a request.
_UNASKED_BYTES = {Message.NACK: 0, Message.NO_SESSION: 0, Message.HEARTBEAT: 2}


class SessionLost(Exception):
    """The session is over: the board was reset, it is in a session that another program has opened,
    or the line is too bad for frames of this length. Unanswered requests are sent again in a new
    session. Never leaves this package."""


@dataclass(frozen=True)
class Answer:
    """status is the code of the C library; data follows it."""

    request: int
    status: int
    data: bytes

    def checked(self) -> bytes:
        """The data; RequestError when the status is not OK."""
        if self.status == 0:
            return self.data
        name = status_name(self.status)
        raise RequestError(
            f"the board refused {type_name(self.request)}: {status_text(self.status)} ({name})",
            status=name,
        )


@dataclass
class _Pending:
    type: int
    payload: bytes
    wire_bytes: int
    long_answer: bool
    order: int = 0  # of its last transmission, among all
    sent: float = 0.0
    transmissions: int = 0

    @property
    def is_long(self) -> bool:
        return self.long_answer or self.wire_bytes > _SHORT_BYTES + FRAME_OVERHEAD + 2


class _RoundTrip:
    """Time-outs from measurements: the smoothed time of an answer, and its deviation."""

    def __init__(self, first_guess: float) -> None:
        self._mean: float | None = None
        self._deviation = 0.0
        self._first_guess = first_guess

    def measured(self, seconds: float) -> None:
        if self._mean is None:
            self._mean, self._deviation = seconds, seconds / 2
            return
        self._deviation += (abs(seconds - self._mean) - self._deviation) / 4
        self._mean += (seconds - self._mean) / 8

    @property
    def mean(self) -> float:
        return self._first_guess if self._mean is None else self._mean

    @property
    def timeout(self) -> float:
        return min(max(self.mean + 4 * self._deviation, _MIN_RTO), _MAX_RTO)


class Channel:
    """One line to one board. epoch: number of the session; requests do not outlive theirs."""

    def __init__(
        self,
        transport: Transport,
        *,
        baud: int,
        timeout: float,
        quiet: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """quiet: seconds without a byte in which the board's boot loader gives way to its program;
        0: it has none that would take what is sent."""
        self.info: DeviceInfo | None = None
        self.epoch = 0
        self.established = False
        self.wire_bytes = 0
        self.retransmissions = 0
        self._transport = transport
        self._timeout = timeout
        self._quiet = quiet
        self._clock = clock
        self._baud = baud
        self._decoder = Decoder()
        self._raw = b""
        self._raw_bytes = 0
        self._last_frame: Frame | None = None
        self._round_trip = _RoundTrip(0.25)
        self._frame_limit = 0xFFFF
        self._long_losses = 0
        self._forget()

    def _forget(self) -> None:
        self._pending: dict[int, _Pending] = {}  # by sequence number, oldest first
        self._answers: dict[int, Answer] = {}
        self._next_seq = 1
        self._order = 0
        self._heard = self._clock()
        self._progress = self._heard  # when a request was answered, or the first one sent
        self._stepped = self._heard  # when the line was last read
        self._asked = self._heard
        self._timeouts = 0
        self._syncs: dict[int, int] = {}  # number of an open SYNC -> its order

    # --- HELLO ---

    def hello(self) -> DeviceInfo:
        """Opens a new session; repeats HELLO until the board answers. LinkError shows what arrived
        instead."""
        self.established = False
        session = self._new_session_id()
        request = encode_frame(
            Frame(Message.HELLO, payload=struct.pack("<BI", PROTOCOL_VERSION, session))
        )
        self._raw, self._raw_bytes, self._last_frame = b"", 0, None
        if self._quiet:
            self._await_hello(session, self._clock() + self._quiet)
        deadline = self._clock() + self._timeout
        every = max(_HELLO_EVERY, 2 * self._quiet)
        while self._clock() < deadline:
            self._write(request)
            info = self._await_hello(session, min(self._clock() + every, deadline))
            if info is not None:
                self._begin(info)
                return info
            every = every * 1.5 if self._quiet else min(every * 1.5, _HELLO_AT_LEAST_EVERY)
        raise LinkError(self._why_no_answer())

    def _new_session_id(self) -> int:
        recorded: Callable[[], int] | None = getattr(self._transport, "next_session_id", None)
        return recorded() if recorded else secrets.randbits(32)

    def _await_hello(self, session: int, until: float) -> DeviceInfo | None:
        while (wait := until - self._clock()) > 0:
            for frame in self._read(wait):
                self._last_frame = frame
                if frame.type == Message.HELLO | ANSWER:
                    other = hello_session(frame.payload)
                    if other is None or other == session:
                        return parse_hello(frame.payload)
        return None

    def _begin(self, info: DeviceInfo) -> None:
        self._forget()
        window = 10 * info.rx_window / self._baud
        if self.info is None:
            self._round_trip = _RoundTrip(0.25 + window)
        self.info = info
        self.epoch += 1
        self.established = True

    def _why_no_answer(self) -> str:
        text = f"no answer from {self._transport.name} in {self._timeout:g} s: "
        if self._last_frame is not None:
            if self._last_frame.type == Message.FAULT:
                return text + str(fault_error(self._last_frame.payload))
            return text + (
                f"frames arrive, but none answers HELLO; the last: {describe(self._last_frame)}"
            )
        if not self._raw:
            return text + (
                "nothing was received. Is it the right port, is the board powered, and does it "
                "have byteprop's firmware? Try: byteprop flash --board NAME"
            )
        printable = bytes(b if 32 <= b < 127 else 46 for b in self._raw).decode("ascii")
        shown = f"the last of {self._raw_bytes} bytes: {self._raw.hex(' ')} |{printable}|"
        text_bytes = sum(b in b"\t\r\n" or 32 <= b < 127 for b in self._raw)
        if text_bytes * 10 >= len(self._raw) * 9:
            return text + (
                f"the received bytes are text of another program; {shown}. "
                "Try: byteprop flash --board NAME"
            )
        return text + (
            f"the received bytes are not frames; the baud rate may be wrong (now {self._baud}); "
            f"{shown}. "
            "Try another rate, or: byteprop flash --board NAME"
        )

    # --- requests ---

    def submit(self, kind: int, payload: bytes = b"", *, long_answer: bool = False) -> int:
        """Sends a request as soon as the window has room; returns its sequence number.

        long_answer: the answer may be longer than a slot, so the board would execute a repeated
        request again; hence nothing that changes the board is sent before it has arrived.
        """
        self._check_established()
        request = _Pending(kind, payload, _wire_bytes(payload), long_answer)
        while not self._has_room(request):
            self._step()
        seq = self._next_seq
        self._next_seq = (seq + 1) & _SEQ_MASK
        self._answers.pop(seq, None)  # of the request 65,536 before, if it was not taken
        if not self._pending:
            self._heard = self._progress = self._clock()
        self._pending[seq] = request
        self._transmit(seq, request)
        return seq

    def request(self, kind: int, payload: bytes = b"", *, long_answer: bool = False) -> bytes:
        """Sends a request and waits for its answer's data."""
        return self.take(self.submit(kind, payload, long_answer=long_answer)).checked()

    def take(self, seq: int) -> Answer:
        """Waits for an answer; each can be taken once."""
        while seq not in self._answers:
            self._check_established()
            self._step()
        return self._answers.pop(seq)

    def has(self, seq: int) -> bool:
        return seq in self._answers

    def _check_established(self) -> None:
        if not self.established:
            raise SessionLost

    @property
    def limits(self) -> DeviceInfo:
        if self.info is None:
            raise SessionLost
        return self.info

    @property
    def max_payload(self) -> int:
        """The largest payload of the board, or less if long frames do not pass the line."""
        return min(self.limits.max_payload, self._frame_limit)

    def _has_room(self, request: _Pending) -> bool:
        if not self._pending:
            return True
        info = self.limits
        if len(self._pending) >= info.slots:
            return False
        if request.type not in PURE and any(p.long_answer for p in self._pending.values()):
            return False
        on_wire = sum(p.wire_bytes for p in self._pending.values())
        return on_wire + request.wire_bytes + SYNC_BYTES <= info.rx_window

    # --- the line ---

    def _write(self, data: bytes) -> None:
        self.wire_bytes += len(data)
        self._transport.write(data)

    def _read(self, wait: float) -> list[Frame]:
        data = self._transport.read(max(wait, 0.0))
        if data:
            self.wire_bytes += len(data)
            self._raw_bytes += len(data)
            self._raw = (self._raw + data)[-_KEPT_RAW_BYTES:]
        return self._decoder.feed(data)

    def _transmit(self, seq: int, request: _Pending) -> None:
        self._order += 1
        request.order = self._order
        request.transmissions += 1
        oldest = next(iter(self._pending))
        self._write(encode_frame(Frame(request.type, seq, ack=oldest, payload=request.payload)))
        request.sent = self._clock()

    def _sync(self) -> None:
        self._order += 1
        number = self._order & _SEQ_MASK
        self._syncs[number] = self._order
        oldest = next(iter(self._pending), self._next_seq)
        self._write(encode_frame(Frame(Message.SYNC, number, ack=oldest)))

    def _retransmit_before(self, order: int) -> None:
        """Sends lost requests again: the board has handled everything sent before `order`.

        Only the oldest few, because the board drops everything behind a gap; the SYNC behind them
        shows whether they arrived.
        """
        lost = [seq for seq, request in self._pending.items() if request.order < order]
        if not lost:
            return
        self._check_line(self._pending[lost[0]])
        for seq in lost[:_RETRANSMITTED_AT_ONCE]:
            self.retransmissions += 1
            self._transmit(seq, self._pending[seq])
        self._sync()

    def _check_line(self, lost: _Pending) -> None:
        """Ends the session if too few long frames pass; a new session uses shorter ones."""
        if lost.transmissions >= _MAX_TRANSMISSIONS:
            self.established = False
            raise LinkError(
                f"{self._transport.name}: the line loses too many frames: "
                f"{type_name(lost.type)} was sent {_MAX_TRANSMISSIONS} times. Use a shorter cable "
                "or a lower baud rate"
            )
        if not lost.is_long or self.max_payload < 2 * _SHORT_BYTES:
            return
        self._long_losses += 1
        if self._long_losses >= _LONG_LOSSES:
            self._frame_limit = max(self.max_payload // 4, _SHORT_BYTES)
            self._long_losses = 0
            self.established = False
            raise SessionLost

    def _step(self) -> None:
        """Waits for something to happen, and handles it."""
        now = self._clock()
        self._leave_out(now - self._stepped, now)
        for frame in self._read(self._due() - now):
            self._on_frame(frame)
        self._stepped = now = self._clock()
        self._check_progress(now)
        if self._pending and now >= self._due():
            self._on_timeout(now)

    def _due(self) -> float:
        """When to send a SYNC for the requests that are unanswered."""
        since = max(self._heard, self._asked, max(p.sent for p in self._pending.values()))
        return since + min(self._round_trip.timeout * 2.0**self._timeouts, _MAX_RTO)

    def _leave_out(self, away: float, now: float) -> None:
        """Time that the caller spent elsewhere does not count as silence of the board."""
        self._heard = min(self._heard + away, now)
        self._progress = min(self._progress + away, now)

    def _check_progress(self, now: float) -> None:
        """Signs of life such as HEARTBEAT prolong the wait, but not for ever."""
        patience = BUSY_TIMEOUTS * self._timeout
        if now - self._progress > patience:
            self.established = False
            last = "" if self._last_frame is None else f", the last: {describe(self._last_frame)}"
            raise LinkError(
                f"{self._transport.name}: the board has answered no request for {patience:g} s, "
                f"though frames arrive{last}; unanswered: {self._unanswered()}. Reset the board, "
                "or give it more time with --timeout"
            )

    def _unanswered(self) -> str:
        return ", ".join(type_name(p.type) for p in self._pending.values())

    def _on_timeout(self, now: float) -> None:
        if now - self._heard > self._timeout:
            self.established = False
            raise LinkError(
                f"{self._transport.name}: the board stopped answering {self._timeout:g} s ago; "
                f"unanswered: {self._unanswered()}. Reset the board and try again"
            )
        self._timeouts = min(self._timeouts + 1, 6)
        self._asked = now
        self._sync()

    def _on_frame(self, frame: Frame) -> None:
        self._last_frame = frame
        try:
            if is_answer(frame):
                self._on_answer(frame)
            else:
                self._on_unasked(frame)
        except (LinkError, SessionLost):
            self.established = False
            raise

    def _on_unasked(self, frame: Frame) -> None:
        if frame.type == Message.FAULT:
            raise fault_error(frame.payload)
        if frame.type not in _UNASKED_BYTES:
            return
        expect(frame.type, "bytes", len(frame.payload), _UNASKED_BYTES[Message(frame.type)])
        if frame.type == Message.NO_SESSION:
            raise SessionLost
        self._check_session(frame)
        self._heard = self._clock()
        if frame.type == Message.HEARTBEAT:
            self._timeouts = 0
        elif not self._syncs:
            self._sync()

    def _check_session(self, frame: Frame) -> None:
        """Raises SessionLost unless the board expects one of our requests next: otherwise another
        program has opened a session."""
        oldest = next(iter(self._pending), self._next_seq)
        if (frame.ack - oldest) & _SEQ_MASK > (self._next_seq - oldest) & _SEQ_MASK:
            raise SessionLost

    def _on_sync(self, frame: Frame) -> None:
        order = self._syncs.get(frame.seq)
        if order is not None:
            expect(Message.SYNC, "payload", frame.payload, b"\0")
            self._check_session(frame)
            self._heard = self._clock()
            self._timeouts = 0
            self._syncs = {n: o for n, o in self._syncs.items() if o > order}
            self._retransmit_before(order)

    def _on_answer(self, frame: Frame) -> None:
        if frame.type == Message.SYNC | ANSWER:
            self._on_sync(frame)
            return
        if frame.type == Message.HELLO | ANSWER:
            if hello_session(frame.payload) not in (None, self.limits.session):
                raise SessionLost  # another program has connected
            return
        request = self._pending.get(frame.seq)
        if request is None:
            return  # answered before
        self._check_answer(frame, request)
        del self._pending[frame.seq]
        self._heard = self._progress = self._clock()
        self._timeouts = 0
        if request.is_long and request.transmissions == 1:
            self._long_losses = max(self._long_losses - 1, 0)
        self._answers[frame.seq] = Answer(request.type, frame.payload[0], frame.payload[1:])
        if request.transmissions == 1:  # else it is not known which transmission was answered
            self._round_trip.measured(self._heard - request.sent)
            self._retransmit_before(request.order)

    def _check_answer(self, frame: Frame, request: _Pending) -> None:
        """Checks the fields that all answers have; the caller checks the others."""
        kind, limits = request.type, self.limits
        if frame.type != kind | ANSWER:
            raise wrong(kind, "type", f"{kind | ANSWER:#04x}", f"{frame.type:#04x}")
        expect_between(kind, "bytes", len(frame.payload), 1, limits.max_payload)
        expect_between(kind, "status", frame.payload[0], 0, len(Status) - 1)
        expect_between(kind, "free slots", frame.aux, 0, limits.slots)
        behind = (self._next_seq - frame.seq) & _SEQ_MASK
        if not 1 <= (frame.ack - frame.seq) & _SEQ_MASK <= behind:
            expected = f"{(frame.seq + 1) & _SEQ_MASK} to {self._next_seq}"
            raise wrong(kind, "request expected next", expected, frame.ack)


def _wire_bytes(payload: bytes) -> int:
    return len(payload) + len(payload) // 254 + 1 + FRAME_OVERHEAD
