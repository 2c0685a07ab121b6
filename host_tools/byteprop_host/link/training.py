"""Training on a board: samples are streamed, results come back in order, and neither a bad line nor
a reset of the board loses a step or applies one twice.

A checkpoint is image and state, read back from the board every so many samples; the samples since
then are kept. After a loss the board resumes from the newest point that both sides know: the save
in its own flash, if this session has seen its checksum, else the checkpoint, which is uploaded.
Later samples are replayed, and their results must be the same as before.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from byteprop.engine._raw import Engine, const, crc32
from byteprop.engine._raw_train import Config, Counters
from byteprop.errors import ArgumentError
from byteprop_host.errors import DoesNotFitError, LinkError, RequestError
from byteprop_host.link.answers import (
    FlashSave,
    TrainResult,
    expect,
    expect_between,
    expect_digest,
    parse_begun,
    parse_checked,
    parse_nothing,
    parse_number,
    parse_rehearsed,
    parse_result,
    parse_saved,
    parse_space,
)
from byteprop_host.link.channel import SessionLost
from byteprop_host.link.device import Device
from byteprop_host.link.inference import INPUTS
from byteprop_host.link.messages import Message
from byteprop_host.link.session import IMAGE_CRC_AT, IMAGE_CRC_FROM
from byteprop_host.link.trained_image import ImageInFlash, ImageInRam, check_base

T = TypeVar("T")

_IMAGE = const("BP_OBJ_IMAGE")
_STATE = const("BP_OBJ_TRAIN_STATE")
_COUNTERS = struct.Struct("<7I")


@dataclass(frozen=True)
class TrainSample:
    """One sample. y: a class, or a target for each output in steps of 2^-16 of its scale."""

    x: bytes
    y: int | Sequence[int]
    lr_q24: int | None  # None: evaluate, learn nothing

    @property
    def request(self) -> Message:
        return Message.EVALUATE if self.lr_q24 is None else Message.TRAIN

    @property
    def payload(self) -> bytes:
        y = struct.pack("<H", self.y) if isinstance(self.y, int) else _targets(self.y)
        return (b"" if self.lr_q24 is None else struct.pack("<I", self.lr_q24)) + y

    @property
    def learns(self) -> bool:
        return self.lr_q24 is not None

    def parse(self, data: bytes, n_outputs: int, steps: int) -> TrainResult:
        label = self.y if isinstance(self.y, int) else None
        return parse_result(self.request, data, label, n_outputs)


@dataclass(frozen=True)
class HeadStep:
    """One step with features that the board keeps. request: REMEMBER keeps the features of x under
    a label, REHEARSE learns from one that is kept, IMPRINT and REMOVE begin and end a class. HOLD
    keeps them apart, and CHECK judges by those: its result is a CheckResult."""

    request: Message
    label: int = 0
    x: bytes = b""
    lr_q24: int = 0

    @property
    def payload(self) -> bytes:
        if self.request == Message.REHEARSE:
            return struct.pack("<I", self.lr_q24)
        if self.request == Message.CHECK:
            return b""
        return struct.pack("<H", self.label)

    @property
    def learns(self) -> bool:
        return self.request == Message.REHEARSE

    def parse(self, data: bytes, n_outputs: int, steps: int) -> TrainResult:
        """steps: updates so far, which nothing but REHEARSE changes."""
        if self.request == Message.REHEARSE:
            return parse_rehearsed(data, n_outputs)
        if self.request == Message.CHECK:
            return parse_checked(data)
        parse_nothing(self.request, data)
        return TrainResult(0, 0, False, steps, 0)


Step = TrainSample | HeadStep


@dataclass(frozen=True)
class DeviceCheckpoint:
    """Image and state after so many samples of the session."""

    samples: int
    image: bytes
    state: bytes | None  # None: training begins here

    @property
    def steps(self) -> int:
        """Updates so far: the first counter of the state."""
        return 0 if self.state is None else int(struct.unpack_from("<I", self.state)[0])


@dataclass
class _Open:
    """A sample that was sent. known: its result before a loss, which must be repeated."""

    sample: Step
    known: TrainResult | None = None
    epoch: int = 0
    seqs: list[int] = field(default_factory=list)


class TrainingSession:
    """Training of one image on one board, whose firmware must be built with training.

    checkpoint_every: samples between checkpoints read back over the line. save_every: samples
    between saves to the board's own flash (0: none), which are quicker, if the board has room
    for them. base: the image in the board's flash, if that is what is trained; None: `image` is
    uploaded. Then only the layers that learn are in RAM.
    """

    def __init__(
        self,
        device: Device,
        image: bytes,
        config: Config,
        *,
        checkpoint_every: int = 2000,
        save_every: int = 0,
        resume: DeviceCheckpoint | None = None,
        base: bytes | None = None,
    ) -> None:
        self.config = config
        engine = Engine(image)
        self._place = ImageInRam(engine, config) if base is None else ImageInFlash(base, config)
        self.plan = self._place.plan
        self.results_repeated = 0  # samples that were replayed
        self.restored_from_flash = 0
        self.restored_from_host = 0
        self._session = device.session
        self._checkpoint = resume or DeviceCheckpoint(0, bytes(image), None)
        self._checkpoint_every = checkpoint_every
        self._save_every = save_every
        self._input_bytes = engine.input_bytes
        self._output_bytes = engine.output_bytes
        self._done = self._checkpoint.samples  # training samples whose results have arrived
        self._since: deque[tuple[Step, TrainResult]] = deque()  # since the checkpoint
        self._before = 0  # steps of this session before the checkpoint
        self._steps = self._checkpoint.steps
        self._saves: dict[int, tuple[FlashSave, int]] = {}  # with steps so far, by checksum
        self._epoch = -1
        self._begun = False
        self._has_ended = False
        if base is not None:
            check_base(base, self._checkpoint.image, self._checkpoint.state is not None)
        self._place.check_fits(self._session, self._checkpoint.image)
        self._recovering(lambda: None)

    # --- public ---

    def train(self, samples: Iterable[Step]) -> Iterator[TrainResult]:
        """Results in order; of what only changes the head they are empty. While one sample is
        computed, the next ones are being sent."""
        queue: deque[_Open] = deque()
        try:
            yield from self._stream(iter(samples), queue)
        finally:
            if queue:  # stopped early: the board may have trained on samples without a result
                self._epoch = -1

    def _stream(self, source: Iterator[Step], queue: deque[_Open]) -> Iterator[TrainResult]:
        has_more = True

        def advance() -> TrainResult | None:
            """Sends one more sample; returns the result of the oldest one, if there or next."""
            nonlocal has_more
            self._submit_again(queue)
            if has_more and not self._is_due(queue):
                has_more = self._submit_next(source, queue)
                if has_more and not self._is_answered(queue[0]):
                    return None
            if queue:
                return self._finish(queue)
            self._keep()
            return None

        while has_more or queue:
            result = self._recovering(advance)
            if result is not None:
                yield result
        if self._is_due(queue):
            self._recovering(self._keep)

    def evaluate(self, samples: Iterable[TrainSample]) -> Iterator[TrainResult]:
        """Results in order, without training, whatever the samples' rates are."""
        return self.train(TrainSample(s.x, s.y, None) for s in samples)

    def digests(self) -> tuple[int, int]:
        """CRC-32 of the image behind its header's checksum, and of the state, at this step."""
        return self._recovering(
            lambda: (
                self._session.digest(_IMAGE, 0, IMAGE_CRC_FROM, self._image_bytes - IMAGE_CRC_FROM),
                self._session.digest(_STATE, 0, 0, self._place.state_bytes),
            )
        )

    def counters(self) -> Counters:
        """The board's counters so far."""
        return self._recovering(
            lambda: Counters(*_COUNTERS.unpack(self._session.read(_STATE, 0, 0, _COUNTERS.size)))
        )

    def checkpoint(self) -> DeviceCheckpoint:
        """Image and state as they are now, read back and checked."""
        self._recovering(self._read_checkpoint)
        return self._checkpoint

    def save(self) -> FlashSave:
        """Saves to the board's flash. RequestError E_UNSUPPORTED where there is none for it."""
        return self._recovering(self._save)

    def end(self) -> bytes:
        """Applies the update of a batch that is not full, and returns the trained image. Only
        evaluation is possible after this."""
        image = self._recovering(self._end)
        self._has_ended = True
        if self._place.reopens:
            self._session.adopt_reopened(self._ensure)
        else:
            self._session.adopt_image(image)
        return image

    @property
    def samples(self) -> int:
        """Training samples that the board has trained on."""
        return self._done

    # --- sessions, losses ---

    @property
    def _image_bytes(self) -> int:
        return len(self._checkpoint.image)

    def _recovering(self, action: Callable[[], T]) -> T:
        return self._session.recovering(action, self._ensure)

    def _ensure(self) -> None:
        """Opens a session in which the board has trained on exactly the samples that are done."""
        session = self._session
        session.connect()
        if session.epoch == self._epoch:
            return
        session.forget_model()
        replay = self._restore_flash()
        if replay is None:
            self._upload()
            replay = list(self._since)
        self._replay(replay)
        self._begun = True
        self._epoch = session.epoch
        if self._has_ended and self._place.reopens:
            session.adopt_reopened(self._ensure)

    def _restore_flash(self) -> list[tuple[Step, TrainResult]] | None:
        """Samples to replay after the board's save; None if it cannot be used."""
        if not self._saves:
            return None
        try:
            found = self._saved(Message.SAVE_INFO)
        except RequestError:
            return None
        saved, steps = self._saves.get(found.crc32, (None, 0))
        if saved is None or steps < self._before:
            return None
        expect(Message.SAVE_INFO, "save", found, saved)
        self._place.before_restore(self._session)
        expect(Message.RESTORE, "save", self._saved(Message.RESTORE), saved)
        self.restored_from_flash += 1
        n = steps - self._before
        self._steps = self._since[n - 1][1].steps if n else self._checkpoint.steps
        return list(self._since)[n:]

    def _upload(self) -> None:
        session = self._session
        self._place.open(session, self._checkpoint.image)
        config = self._place.config.pack()
        answer = session.channel.take(session.submit(Message.TRAIN_BEGIN, config))
        space = parse_space(answer.request, answer.status, answer.data)
        if space is not None:
            raise DoesNotFitError(
                f"training does not fit: needs {space[0]} bytes of RAM for image, arena and "
                f"training, {session.info.board} has {space[1]}"
            )
        parse_begun(answer.checked(), self.plan.memory_bytes, self.plan.state_bytes)
        self.restored_from_host += self._begun
        self._steps = self._checkpoint.steps
        if self._checkpoint.state is not None:
            self._place.write_state(session, self._checkpoint.image, self._checkpoint.state)

    def _replay(self, samples: Iterable[tuple[Step, TrainResult]]) -> None:
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
                f"samples repeated after a loss: expected {item.known} as before, got {result}; "
                "start the training again"
            )

    # --- samples ---

    def _submit_next(self, source: Iterator[Step], queue: deque[_Open]) -> bool:
        sample = next(source, None)
        if sample is None:
            return False
        takes = self._input_bytes if _has_inputs(sample) else 0
        if len(sample.x) != takes:
            raise ArgumentError(f"x: expected {takes} bytes, got {len(sample.x)}")
        queue.append(_Open(sample))
        self._submit(queue[-1])
        return True

    def _submit_again(self, queue: Iterable[_Open]) -> None:
        for item in queue:
            if item.epoch != self._session.epoch:
                self._submit(item)

    def _submit(self, item: _Open) -> None:
        sample = item.sample
        writes = self._session.submit_write(INPUTS, sample.x) if sample.x else []
        item.seqs = [*writes, self._session.submit(sample.request, sample.payload)]
        item.epoch = self._session.epoch

    def _is_answered(self, item: _Open) -> bool:
        return item.epoch == self._session.epoch and self._session.has(item.seqs[-1])

    def _take(self, item: _Open) -> TrainResult:
        if item.epoch != self._session.epoch:
            raise SessionLost
        self._session.finish_write(item.seqs[:-1])
        data = self._session.take(item.seqs[-1])
        result = item.sample.parse(data, self._output_bytes, self._steps)
        self._check_steps(item.sample, result.steps)
        return result

    def _check_steps(self, sample: Step, steps: int) -> None:
        """Expects one update per sample, at most one if there are batches, none when evaluating."""
        most = self._steps + sample.learns
        least = most if self.config.batch == 1 else self._steps
        expect_between(sample.request, "steps", steps, least, most)
        self._steps = steps

    def _finish(self, queue: deque[_Open]) -> TrainResult:
        result = self._take(queue[0])
        item = queue.popleft()
        if item.sample.request != Message.EVALUATE:
            self._since.append((item.sample, result))
            self._done += item.sample.learns
        return result

    # --- checkpoints ---

    def _is_due(self, queue: deque[_Open]) -> bool:
        """Whether to wait for all results, for a checkpoint or a save."""
        ahead = self._done + sum(item.sample.learns for item in queue)
        return self._is_checkpoint_due(ahead) or self._is_save_due(ahead)

    def _is_checkpoint_due(self, samples: int) -> bool:
        return samples - self._checkpoint.samples >= self._checkpoint_every

    def _is_save_due(self, samples: int) -> bool:
        last = max((s.samples for s, _ in self._saves.values()), default=self._checkpoint.samples)
        return self._save_every > 0 and samples - last >= self._save_every

    def _keep(self) -> None:
        if self._is_save_due(self._done):
            self._save()
        if self._is_checkpoint_due(self._done):
            self._read_checkpoint()

    def _save(self) -> FlashSave:
        saved = self._saved(Message.SAVE)
        expect(Message.SAVE, "image bytes", saved.image_bytes, self._place.saved_bytes)
        expect(Message.SAVE, "state bytes", saved.state_bytes, self.plan.state_bytes)
        expect(Message.SAVE, "samples", saved.samples, self._done)
        self._saves[saved.crc32] = (saved, self._before + len(self._since))
        return saved

    def _saved(self, kind: Message) -> FlashSave:
        return parse_saved(kind, self._session.request(kind))

    def _read_checkpoint(self) -> None:
        image, state = self._place.read(self._session)
        self._checkpoint = DeviceCheckpoint(self._done, image, state)
        self._steps = self._checkpoint.steps
        self._before += len(self._since)
        self._since.clear()

    def _end(self) -> bytes:
        crc = parse_number(Message.TRAIN_END, self._session.request(Message.TRAIN_END))
        image = self._place.read_ended(self._session)
        in_header = struct.unpack_from("<I", image, IMAGE_CRC_AT)[0]
        for found in (crc32(image[IMAGE_CRC_FROM:]), in_header):
            expect_digest(Message.TRAIN_END, "image CRC", crc, found)
        self._read_checkpoint()
        return image


def _has_inputs(step: Step) -> bool:
    return isinstance(step, TrainSample) or step.request in (Message.REMEMBER, Message.HOLD)


def _targets(y: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(y)}i", *y)
