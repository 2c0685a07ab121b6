"""Training on a board: samples are streamed, results come back in order, and neither a bad line nor
a reset of the board loses a step or applies one twice.

A checkpoint is image and state, read back from the board every so many samples; samples since then
are kept. After a loss the board goes on from the newest point that both sides know: what it saved
in its own flash, when its checksum is one that this session was told, else the checkpoint, which is
uploaded. What came after is replayed, and its results have to be the ones that were there before.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from byteprop._raw import Engine, const, crc32
from byteprop._raw_train import Config, Counters, plan
from byteprop.errors import ArgumentError
from byteprop_host.errors import FitError, LinkError, RequestError
from byteprop_host.link.channel import SessionLost
from byteprop_host.link.device import Device
from byteprop_host.link.messages import Message

T = TypeVar("T")

_IMAGE = const("BP_OBJ_IMAGE")
_STATE = const("BP_OBJ_TRAIN_STATE")
_INPUTS = const("BP_OBJ_INPUTS")
_RESULT = struct.Struct("<QHBII")
_SAVED = struct.Struct("<IIIIIB")
_BEGUN = struct.Struct("<II")
_ADDRESS = struct.Struct("<BHI")
_COUNTERS = struct.Struct("<7I")
_IMAGE_CRC_AT = 12
_IMAGE_CRC_FROM = 16  # what the checksum in the header covers
_MAX_LOSSES = 20  # of a session, in a row, without a result between them


@dataclass(frozen=True)
class TrainSample:
    """One sample. y: a class, or a target for each output in steps of 2^-16 of its scale."""

    x: bytes
    y: int | Sequence[int]
    lr_q24: int | None  # None: evaluate, learn nothing


@dataclass(frozen=True)
class TrainResult:
    """loss as bp_train_result_t has it; steps: updates so far; ticks: of this sample."""

    loss: int
    predicted: int
    correct: bool
    steps: int
    ticks: int


@dataclass(frozen=True)
class Saved:
    """What lies in the board's flash. crc32 tells one save from another."""

    sequence: int
    image_bytes: int
    state_bytes: int
    crc32: int
    samples: int
    slot: int


@dataclass(frozen=True)
class Checkpoint:
    """Image and state after so many samples of the session."""

    samples: int
    image: bytes
    state: bytes | None  # None: training begins here


@dataclass
class _Open:
    """A sample on its way. `known`: its result from before a loss, which has to come again."""

    sample: TrainSample
    known: TrainResult | None = None
    epoch: int = 0
    seqs: list[int] = field(default_factory=list)


class TrainingSession:
    """Training of one image on one board; the board's firmware has to be built with training.

    checkpoint_every: samples between checkpoints read back over the line. save_every: samples
    between saves to the board's own flash (0: none), which are quicker, if the board has a place
    for them.
    """

    def __init__(
        self,
        device: Device,
        image: bytes,
        config: Config,
        *,
        checkpoint_every: int = 2000,
        save_every: int = 0,
        resume: Checkpoint | None = None,
    ) -> None:
        self.config = config
        self.plan = plan(image, config)
        self.results_repeated = 0  # samples that were replayed
        self.restored_from_flash = 0
        self.restored_from_host = 0
        self._device = device
        self._checkpoint = resume or Checkpoint(0, bytes(image), None)
        self._checkpoint_every = checkpoint_every
        self._save_every = save_every
        self._input_bytes = Engine(image).input_bytes
        self._done = self._checkpoint.samples  # training samples whose results have arrived
        self._since: deque[tuple[TrainSample, TrainResult]] = deque()  # since the checkpoint
        self._saves: dict[int, int] = {}  # crc of a save -> samples done by then
        self._epoch = -1
        self._begun = False
        self._lost = 0
        self._begin()

    # --- what the callers want ---

    def train(self, samples: Iterable[TrainSample]) -> Iterator[TrainResult]:
        """Results in order. While one sample is computed the next ones are on their way."""
        queue: deque[_Open] = deque()
        try:
            yield from self._stream(iter(samples), queue)
        finally:
            if queue:  # given up in the middle: the board may have learnt what nobody counted
                self._epoch = -1

    def _stream(self, source: Iterator[TrainSample], queue: deque[_Open]) -> Iterator[TrainResult]:
        more = True
        while more or queue:
            try:
                self._ensure()
                self._submit_again(queue)
                if more and not self._is_due(queue):
                    more = self._submit_next(source, queue)
                    if more and not self._is_answered(queue[0]):
                        continue
                if queue:
                    yield self._finish(queue)
                else:
                    self._keep()
            except SessionLost:
                self._on_loss()
        if self._is_due(queue):
            self._recovering(self._keep)

    def evaluate(self, samples: Iterable[TrainSample]) -> Iterator[TrainResult]:
        """As train, but nothing is learnt whatever the samples' rates are."""
        return self.train(TrainSample(s.x, s.y, None) for s in samples)

    def digests(self) -> tuple[int, int]:
        """CRC-32 of the image behind its header's checksum, and of the state, at this step."""
        return self._recovering(
            lambda: (
                self._digest(_IMAGE, _IMAGE_CRC_FROM, self._image_bytes - _IMAGE_CRC_FROM),
                self._digest(_STATE, 0, self.plan.state_bytes),
            )
        )

    def counters(self) -> Counters:
        """What the board counted so far."""
        return self._recovering(
            lambda: Counters(*_COUNTERS.unpack(self._device._read(_STATE, 0, 0, _COUNTERS.size)))
        )

    def checkpoint(self) -> Checkpoint:
        """Image and state as they are now, read back and checked."""
        self._recovering(self._read_checkpoint)
        return self._checkpoint

    def save(self) -> Saved:
        """Saves to the board's flash. RequestError E_UNSUPPORTED where there is none for it."""
        return self._recovering(self._save)

    def end(self) -> bytes:
        """Does the update of a batch that is not full, and gives the trained image. After this only
        evaluation is possible."""
        image = self._recovering(self._end)
        self._device._image = image
        self._device._source = const("BP_SOURCE_RAM")
        return image

    @property
    def samples(self) -> int:
        """Training samples that the board has learnt from."""
        return self._done

    # --- sessions, losses ---

    @property
    def _image_bytes(self) -> int:
        return len(self._checkpoint.image)

    def _recovering(self, action: Callable[[], T]) -> T:
        while True:
            try:
                self._ensure()
                return action()
            except SessionLost:
                self._on_loss()

    def _on_loss(self) -> None:
        self._device.sessions_lost += 1
        self._lost += 1
        if self._lost == _MAX_LOSSES:
            raise self._device._resets_again_and_again() from None

    def _begin(self) -> None:
        self._device._check_fits(self._checkpoint.image)
        self._recovering(lambda: None)

    def _ensure(self) -> None:
        """A session in which the board has learnt from exactly the samples that are done."""
        device = self._device
        if device._channel.established and device._channel.epoch == self._epoch:
            return
        device._forget_model()
        device._ensure_session()
        replay = self._restore_flash()
        if replay is None:
            self._upload()
            replay = list(self._since)
        self._replay(replay)
        self._begun = True
        self._epoch = device._channel.epoch

    def _restore_flash(self) -> list[tuple[TrainSample, TrainResult]] | None:
        """What is to be replayed after what the board had saved; None when that is of no use."""
        if not self._saves:
            return None
        try:
            saved = self._saved(Message.SAVED)
        except RequestError:
            return None
        at = self._saves.get(saved.crc32)
        if at is None or at < self._checkpoint.samples:
            return None
        self._saved(Message.RESTORE)
        self.restored_from_flash += 1
        return list(self._since)[at - self._checkpoint.samples :]

    def _upload(self) -> None:
        device = self._device
        device._image = self._checkpoint.image
        device._upload(None)
        answer = device._channel.take(
            device._channel.submit(Message.TRAIN_BEGIN, self.config.pack())
        )
        if answer.status and len(answer.data) == _BEGUN.size:
            needed, available = _BEGUN.unpack(answer.data)
            raise FitError(
                f"training does not fit: needs {needed} bytes of RAM for image, arena and "
                f"training, {device.info.board} has {available}"
            )
        _, state = _BEGUN.unpack(answer.checked())
        if state != self.plan.state_bytes:
            raise LinkError(
                f"the board plans {state} bytes of state, this byteprop {self.plan.state_bytes}; "
                "flash the board anew"
            )
        self.restored_from_host += self._begun
        if self._checkpoint.state is not None:
            self._write(_STATE, self._checkpoint.state)

    def _replay(self, samples: Iterable[tuple[TrainSample, TrainResult]]) -> None:
        queue: deque[_Open] = deque()
        for sample, result in samples:
            queue.append(_Open(sample, result))
            self._submit(queue[-1])
            while self._is_answered(queue[0]):
                self._take_again(queue.popleft())
                if not queue:
                    break
        while queue:
            self._take_again(queue.popleft())

    def _take_again(self, item: _Open) -> None:
        assert item.known is not None
        self.results_repeated += 1
        result = self._take(item)
        if (result.loss, result.steps) != (item.known.loss, item.known.steps):
            raise LinkError(
                "the board learnt differently when samples were repeated after a loss: "
                f"{result} where there was {item.known}"
            )

    # --- samples ---

    def _submit_next(self, source: Iterator[TrainSample], queue: deque[_Open]) -> bool:
        sample = next(source, None)
        if sample is None:
            return False
        if len(sample.x) != self._input_bytes:
            raise ArgumentError(f"x: wanted {self._input_bytes} bytes, got {len(sample.x)}")
        queue.append(_Open(sample))
        self._submit(queue[-1])
        return True

    def _submit_again(self, queue: Iterable[_Open]) -> None:
        for item in queue:
            if item.epoch != self._device._channel.epoch:
                self._submit(item)

    def _submit(self, item: _Open) -> None:
        sample = item.sample
        y = struct.pack("<H", sample.y) if isinstance(sample.y, int) else _targets(sample.y)
        rate = b"" if sample.lr_q24 is None else struct.pack("<I", sample.lr_q24)
        kind = Message.EVALUATE if sample.lr_q24 is None else Message.TRAIN
        channel = self._device._channel
        item.seqs = [*self._device._submit_inputs(sample.x), channel.submit(kind, rate + y)]
        item.epoch = channel.epoch

    def _is_answered(self, item: _Open) -> bool:
        channel = self._device._channel
        return item.epoch == channel.epoch and channel.has(item.seqs[-1])

    def _take(self, item: _Open) -> TrainResult:
        channel = self._device._channel
        if item.epoch != channel.epoch:
            raise SessionLost
        while len(item.seqs) > 1:
            channel.take(item.seqs[0]).checked()
            item.seqs.pop(0)
        loss, predicted, correct, steps, ticks = _RESULT.unpack(
            channel.take(item.seqs[0]).checked()
        )
        return TrainResult(loss, predicted, bool(correct), steps, ticks)

    def _finish(self, queue: deque[_Open]) -> TrainResult:
        result = self._take(queue[0])
        item = queue.popleft()
        self._lost = 0
        if item.sample.lr_q24 is not None:
            self._since.append((item.sample, result))
            self._done += 1
        return result

    # --- checkpoints ---

    def _is_due(self, queue: deque[_Open]) -> bool:
        """Whether the line has to run empty for a checkpoint or a save."""
        ahead = self._done + sum(item.sample.lr_q24 is not None for item in queue)
        return self._is_checkpoint_due(ahead) or self._is_save_due(ahead)

    def _is_checkpoint_due(self, samples: int) -> bool:
        return samples - self._checkpoint.samples >= self._checkpoint_every

    def _is_save_due(self, samples: int) -> bool:
        last = max(self._saves.values(), default=self._checkpoint.samples)
        return self._save_every > 0 and samples - last >= self._save_every

    def _keep(self) -> None:
        if self._is_save_due(self._done):
            self._save()
        if self._is_checkpoint_due(self._done):
            self._read_checkpoint()

    def _save(self) -> Saved:
        saved = self._saved(Message.SAVE)
        self._saves[saved.crc32] = self._done
        return saved

    def _saved(self, kind: Message) -> Saved:
        return Saved(*_SAVED.unpack(self._device._channel.request(kind)))

    def _read_checkpoint(self) -> None:
        image = bytearray(self._device._read(_IMAGE, 0, 0, self._image_bytes))
        state = self._device._read(_STATE, 0, 0, self.plan.state_bytes)
        crc = self._digest(_IMAGE, _IMAGE_CRC_FROM, self._image_bytes - _IMAGE_CRC_FROM)
        read = crc32(bytes(image[_IMAGE_CRC_FROM:]))
        if (crc, self._digest(_STATE, 0, len(state))) != (read, crc32(state)):
            raise LinkError("what was read back has another digest than the board's memory")
        struct.pack_into("<I", image, _IMAGE_CRC_AT, crc)
        self._checkpoint = Checkpoint(self._done, bytes(image), state)
        self._since.clear()

    def _digest(self, obj: int, offset: int, n: int) -> int:
        payload = _ADDRESS.pack(obj, 0, offset) + struct.pack("<I", n)
        (crc,) = struct.unpack("<I", self._device._channel.request(Message.DIGEST, payload))
        return int(crc)

    def _write(self, obj: int, data: bytes) -> None:
        chunk = self._device._chunk(_ADDRESS.size, len(data))
        channel = self._device._channel
        seqs = [
            channel.submit(Message.WRITE, _ADDRESS.pack(obj, 0, at) + data[at : at + chunk])
            for at in range(0, len(data), chunk)
        ]
        for seq in seqs:
            channel.take(seq).checked()

    def _end(self) -> bytes:
        (crc,) = struct.unpack("<I", self._device._channel.request(Message.TRAIN_END))
        image = self._device._read(_IMAGE, 0, 0, self._image_bytes)
        if crc32(image[_IMAGE_CRC_FROM:]) != crc:
            raise LinkError("the trained image was read back with another checksum than told")
        self._read_checkpoint()
        return image


def _targets(y: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(y)}i", *y)
