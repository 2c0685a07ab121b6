"""A detector of anomalies on a board: windows are streamed, scores and verdicts come back in order.

The host makes every step too, from the same bytes, and compares each answer with its own. So it
knows the detector's state after every answer, and writes it to a board that has lost it.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from byteprop.engine import _raw_anomaly
from byteprop.engine._raw import Engine, const, crc32
from byteprop.engine._raw_anomaly import Config, Detector
from byteprop.errors import ArgumentError
from byteprop_host.errors import DoesNotFitError
from byteprop_host.link.answers import (
    FlashSave,
    Judged,
    Learnt,
    expect,
    expect_digest,
    parse_judged,
    parse_learnt,
    parse_nothing,
    parse_saved,
    parse_space,
)
from byteprop_host.link.channel import SessionLost
from byteprop_host.link.device import Device
from byteprop_host.link.inference import INPUTS
from byteprop_host.link.messages import Message

T = TypeVar("T")
A = TypeVar("A")

_DETECTOR = const("BP_OBJ_DETECTOR")
_CONFIG = struct.Struct("<HBBBBH")


@dataclass
class _Open:
    """A window that was sent."""

    row: bytes
    epoch: int = 0
    seqs: list[int] = field(default_factory=list)


@dataclass
class _Stream(Generic[A]):
    """Windows on their way to the detector; one is computed while the next ones are sent."""

    session: DetectorSession
    kind: Message
    finish: Callable[[bytes, bytes], A]
    source: Iterator[bytes]
    queue: deque[_Open] = field(default_factory=deque)
    has_more: bool = True

    def __iter__(self) -> Iterator[A]:
        try:
            while self.has_more or self.queue:
                answer = self.session.recovering(self._advance)
                if answer is not None:
                    yield answer
        finally:
            if self.queue:  # stopped early: the board may be ahead
                self.session.forget()

    def _advance(self) -> A | None:
        for item in self.queue:
            if item.epoch != self.session.epoch:
                self._submit(item)
        if self.has_more:
            row = next(self.source, None)
            self.has_more = row is not None
            if row is not None:
                self.queue.append(_Open(row))
                self._submit(self.queue[-1])
                if not self.session.has(self.queue[0].seqs[-1]):
                    return None
        return self._finish_first() if self.queue else None

    def _submit(self, item: _Open) -> None:
        item.seqs = self.session.submit(self.kind, item.row)
        item.epoch = self.session.epoch

    def _finish_first(self) -> A:
        item = self.queue[0]
        if item.epoch != self.session.epoch:
            raise SessionLost
        data = self.session.take(item.seqs)
        self.queue.popleft()
        return self.finish(data, item.row)


class DetectorSession:
    """A detector that watches the model which the board has selected, whose firmware must be built
    with `anomaly`.

    image: that model, as the board has it now, trained or not. config or state: a detector that
    has learnt nothing, or one to go on with. AnswerError when the board decides otherwise than
    this computer.
    """

    def __init__(
        self,
        device: Device,
        image: bytes,
        config: Config | None = None,
        *,
        state: bytes | None = None,
    ) -> None:
        self._session = device.session
        self._engine = Engine(image)
        self._twin = Detector(config or Config(), state=state)
        self._epoch = -1
        self.config = self._twin.config
        self.restored_from_flash = 0
        self._saved: tuple[FlashSave, bytes] | None = None
        self.recovering(lambda: None)

    # --- public ---

    def learn(self, rows: Iterable[bytes]) -> Iterator[Learnt]:
        """Learns the threshold from windows of a machine in order; each is all bytes of the
        model's input."""
        return iter(_Stream(self, Message.ANOMALY_LEARN, self._learnt, iter(rows)))

    def judge(self, rows: Iterable[bytes]) -> Iterator[Judged]:
        """Judges windows in their order."""
        return iter(_Stream(self, Message.ANOMALY_JUDGE, self._judged, iter(rows)))

    @property
    def state(self) -> bytes:
        """The detector after the last answer; the same bytes here and on the board."""
        return self._twin.state

    @property
    def threshold(self) -> int:
        """The score up to which a window is normal."""
        return self._twin.threshold

    def digest(self) -> int:
        """CRC-32 of the board's detector, compared with this computer's."""
        n = len(self.state)
        found = self.recovering(lambda: self._session.digest(_DETECTOR, 0, 0, n))
        expect_digest(Message.DIGEST, "detector", found, crc32(self.state))
        return found

    def save(self) -> FlashSave:
        """Saves model and detector to the board's flash. RequestError E_UNSUPPORTED where there is
        none for it."""
        saved = self.recovering(lambda: self._request_save(Message.SAVE))
        self._saved = (saved, self.state)
        return saved

    def restore(self) -> FlashSave:
        """The detector as it was saved last, from the board's flash."""
        if self._saved is None:
            raise ArgumentError("restore: expected a save of this session, got none")
        saved, state = self._saved

        def action() -> FlashSave:
            found = self._request_save(Message.RESTORE)
            expect(Message.RESTORE, "save", found, saved)
            digest = self._session.digest(_DETECTOR, 0, 0, len(state))
            expect_digest(Message.DIGEST, "detector", digest, crc32(state))
            return found

        restored = self._session.recovering(action, self._session.connect)
        self._twin = Detector(self.config, state=state)
        self._epoch = self._session.epoch if self._session.adopt_restored() else -1
        self.restored_from_flash += 1
        return restored

    # --- sessions, losses ---

    @property
    def epoch(self) -> int:
        return self._session.epoch

    def forget(self) -> None:
        """The board's detector is not known, and is written before the next step."""
        self._epoch = -1

    def recovering(self, action: Callable[[], T]) -> T:
        return self._session.recovering(action, self._ensure)

    def _ensure(self) -> None:
        """Opens a session in which the board's detector has done exactly what is done here."""
        self._session.restore()
        if self._epoch == self._session.epoch:
            return
        config = _CONFIG.pack(*vars(self.config).values(), 0)
        answer = self._session.channel.take(self._session.submit(Message.ANOMALY_BEGIN, config))
        space = parse_space(answer.request, answer.status, answer.data)
        if space is not None:
            raise DoesNotFitError(
                f"the detector does not fit: needs {space[0]} bytes of RAM for the model and a "
                f"copy of its input, {self._session.info.board} has {space[1]}"
            )
        parse_nothing(Message.ANOMALY_BEGIN, answer.checked())
        if self._twin.normal:
            self._session.write(_DETECTOR, self.state)
        self._epoch = self._session.epoch

    # --- requests ---

    def submit(self, kind: Message, row: bytes) -> list[int]:
        """Sends a window and what is to be done with it."""
        if len(row) != self._engine.input_bytes:
            raise ArgumentError(
                f"window: expected {self._engine.input_bytes} bytes, got {len(row)}"
            )
        return [*self._session.submit_write(INPUTS, row), self._session.submit(kind)]

    def has(self, seq: int) -> bool:
        return self._session.has(seq)

    def take(self, seqs: list[int]) -> bytes:
        self._session.finish_write(seqs[:-1])
        return self._session.take(seqs[-1])

    def _request_save(self, kind: Message) -> FlashSave:
        saved = parse_saved(kind, self._session.request(kind))
        expect(kind, "detector bytes", saved.detector_bytes, len(self.state))
        return saved

    # --- the same here ---

    def _score(self, row: bytes) -> int:
        x = np.frombuffer(row, np.uint8).reshape(1, -1)
        return int(_raw_anomaly.scores(self._engine, x, self._engine.run(x))[0])

    def _learnt(self, data: bytes, row: bytes) -> Learnt:
        score = self._score(row)
        self._twin.learn(score)
        return parse_learnt(data, score, self._twin.normal)

    def _judged(self, data: bytes, row: bytes) -> Judged:
        return parse_judged(data, self._twin.judge(self._score(row)))
