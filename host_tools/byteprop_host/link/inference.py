"""Inference on a board: one sample, a stream of samples, or op by op."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from byteprop.engine._raw import const
from byteprop.errors import ArgumentError
from byteprop_host.link.answers import (
    InferAnswer,
    parse_inferred,
    parse_partly_inferred,
    parse_profile,
)
from byteprop_host.link.channel import SessionLost
from byteprop_host.link.messages import ALL_OPS, Message
from byteprop_host.link.session import BoardSession
from byteprop_host.link.steps import Steps

INPUTS = const("BP_OBJ_INPUTS")
OUTPUTS = const("BP_OBJ_OUTPUTS")
TENSOR = const("BP_OBJ_TENSOR")
_U16 = struct.Struct("<H")
_INFERRED_BYTES = 1 + 4 + 4  # status, ticks, digest


@dataclass
class _Sample:
    inputs: bytes
    epoch: int = 0
    writes: list[int] = field(default_factory=list)
    infer: int = 0


@dataclass
class _Fed:
    """An input that comes part by part. The board has the first `sent` bytes, in this session."""

    inputs: bytearray = field(default_factory=bytearray)
    sent: int = 0
    sample: _Sample = field(default_factory=lambda: _Sample(b""))


class _Stream:
    """Samples that were sent and are not answered yet. Those of a lost session are sent again."""

    def __init__(self, client: InferenceClient, samples: Iterable[bytes]) -> None:
        self._client = client
        self._source = iter(samples)
        self._open: deque[_Sample] = deque()
        self._has_more = True

    def __iter__(self) -> Iterator[InferAnswer]:
        session = self._client.session
        while self._has_more or self._open:
            answer = session.recovering(self._advance)
            if answer is not None:
                yield answer

    def _advance(self) -> InferAnswer | None:
        """Sends one more sample; returns the answer to the oldest one, if it is there or next."""
        self._submit_again()
        if self._open and self._is_answered(self._open[0]):
            return self._finish()
        if self._has_more:
            self._submit_next()
            return None
        return self._finish()

    def _submit_again(self) -> None:
        for sample in self._open:
            if sample.epoch != self._client.session.epoch:
                self._client.start(sample)

    def _submit_next(self) -> None:
        inputs = next(self._source, None)
        if inputs is None:
            self._has_more = False
            return
        self._client.check_inputs(inputs)
        self._open.append(_Sample(bytes(inputs)))
        self._client.start(self._open[-1])

    def _is_answered(self, sample: _Sample) -> bool:
        session = self._client.session
        return sample.epoch == session.epoch and session.has(sample.infer)

    def _finish(self) -> InferAnswer | None:
        if not self._open:
            return None
        answer = self._client.finish(self._open[0])
        self._client.set_arena(self._open[-1].inputs, ALL_OPS)
        self._client.steps.is_answered(self._open.popleft().inputs)
        return answer


class InferenceClient:
    """arena: the inputs and the number of ops of the last run, repeated after a reset."""

    def __init__(self, session: BoardSession) -> None:
        self.session = session
        self.steps = Steps(session)
        self.arena: tuple[bytes, int] | None = None
        self._arena_epoch = 0
        self._arena_is_step = False
        self._fed = _Fed()

    # --- whole models ---

    def infer(self, inputs: bytes) -> InferAnswer:
        """One sample: all inputs, one after the other. Its outputs are always whole."""
        self.check_inputs(inputs)
        sample = _Sample(bytes(inputs))
        return self.session.recovering(lambda: self._infer_whole(sample))

    def infer_stream(
        self, samples: Iterable[bytes], *, whole: bool = False
    ) -> Iterator[InferAnswer]:
        """Answers in order; while one sample is computed, the next ones are on their way.

        whole: fetch outputs that are too long to come with the answer, one sample at a time.
        """
        if whole and not self._outputs_in_answer():
            return map(self.infer, samples)
        return iter(_Stream(self, samples))

    def _outputs_in_answer(self) -> int:
        """Bytes of outputs that an answer contains: all of them, or none if they are too long."""
        n = self.session.selected.output_bytes
        return n if _INFERRED_BYTES + n <= self.session.channel.limits.slot_bytes else 0

    def _infer_whole(self, sample: _Sample) -> InferAnswer:
        self.start(sample)
        return self._whole_answer(sample)

    def _whole_answer(self, sample: _Sample) -> InferAnswer:
        answer = self.finish(sample)
        self.set_arena(sample.inputs, ALL_OPS)
        if not answer.output:
            n = self.session.selected.output_bytes
            output = self.session.read(OUTPUTS, 0, 0, n, crc=answer.crc)
            answer = InferAnswer(output, answer.ticks, answer.crc)
        self.steps.is_answered(sample.inputs)
        return answer

    def check_inputs(self, inputs: bytes) -> None:
        expected = self.session.selected.input_bytes
        if len(inputs) != expected:
            raise ArgumentError(f"inputs: expected {expected} bytes, got {len(inputs)}")

    def start(self, sample: _Sample) -> None:
        """Submits the requests of a sample, the next step of a model with state."""
        self.steps.restore()
        self._submit(sample, ALL_OPS)

    # --- part by part ---

    def feed(self, data: bytes) -> InferAnswer | None:
        """The next bytes of a sample, while the board computes; the answer, if they are the last.
        Other inferences may come in between: the board then gets the sample's bytes again."""
        fed = self._fed
        expected = self.session.selected.input_bytes - len(fed.inputs)
        if len(data) > expected:
            raise ArgumentError(
                f"inputs: expected at most {expected} bytes, which are left of this sample, "
                f"got {len(data)}"
            )
        fed.inputs += data
        self.session.recovering(lambda: self._send(fed))
        if len(data) < expected:
            return None
        self._fed = _Fed()
        return self.session.recovering(lambda: self._finish_fed(fed))

    def forget_fed(self) -> None:
        """The next bytes begin a sample."""
        self._fed = _Fed()

    def _send(self, fed: _Fed) -> None:
        """What the board does not have yet. Of answers, those that are there are taken."""
        sample = fed.sample
        if fed.sent == 0 or sample.epoch != self.session.epoch:
            self.steps.restore()
            fed.sent, sample.writes, sample.epoch = 0, [], self.session.epoch
        data = bytes(fed.inputs[fed.sent :])
        sample.writes += self.session.submit_write(INPUTS, data, offset=fed.sent)
        fed.sent = len(fed.inputs)
        while sample.writes and self.session.has(sample.writes[0]):
            self.session.finish_write([sample.writes.pop(0)])

    def _finish_fed(self, fed: _Fed) -> InferAnswer:
        sample = fed.sample
        self._send(fed)
        sample.inputs = bytes(fed.inputs)
        sample.infer = self.session.submit(Message.INFER, _U16.pack(ALL_OPS))
        return self._whole_answer(sample)

    # --- requests ---

    def _submit(self, sample: _Sample, n_ops: int) -> None:
        self._fed.sent = 0
        sample.writes = self.session.submit_write(INPUTS, sample.inputs)
        sample.infer = self.session.submit(Message.INFER, _U16.pack(n_ops))
        sample.epoch = self.session.epoch

    def finish(self, sample: _Sample) -> InferAnswer:
        return parse_inferred(self._take(sample), self._outputs_in_answer())

    def _take(self, sample: _Sample) -> bytes:
        if sample.epoch != self.session.epoch:
            raise SessionLost
        self.session.finish_write(sample.writes)
        return self.session.take(sample.infer)

    # --- state ---

    def reset_state(self) -> None:
        """The next step is the first."""
        self.arena = None
        self.session.recovering(self.steps.reset)

    def read_state(self) -> bytes:
        """All tensors of state, as the next step finds them."""
        return self.session.recovering(self._read_state)

    def _read_state(self) -> bytes:
        self.steps.restore()
        parts = (self.session.read(TENSOR, t, 0, n) for t, n in self.steps.tensors())
        return b"".join(parts)

    # --- parts of models ---

    def infer_upto(self, inputs: bytes, n_ops: int) -> None:
        """Runs the first n_ops ops only, so that a tensor between can be read."""
        self.check_inputs(inputs)
        if not 0 <= n_ops <= self.session.selected.n_ops:
            raise ArgumentError(f"n_ops: expected 0 to {self.session.selected.n_ops}, got {n_ops}")
        self.arena = None
        self._arena_is_step = False
        self.session.recovering(lambda: self._fill_arena(bytes(inputs), n_ops))

    def _fill_arena(self, inputs: bytes, n_ops: int) -> None:
        self.steps.try_again(last=self._arena_is_step)
        sample = _Sample(inputs)
        self._submit(sample, n_ops)
        data = self._take(sample)
        if n_ops == ALL_OPS:
            parse_inferred(data, self._outputs_in_answer())
        else:
            parse_partly_inferred(data)
        self.set_arena(inputs, n_ops, is_step=self._arena_is_step)

    def set_arena(self, inputs: bytes, n_ops: int, *, is_step: bool = True) -> None:
        """is_step: the arena is that after the last step, and not of ops out of turn."""
        self.arena = (inputs, n_ops)
        self._arena_epoch = self.session.epoch
        self._arena_is_step = is_step

    def _restore(self) -> None:
        """Selects the model and repeats the last run, so that the arena is the same."""
        self.session.restore()
        if self.arena is not None and self._arena_epoch != self.session.epoch:
            self._fill_arena(*self.arena)

    def profile(self, inputs: bytes | None = None) -> list[int]:
        """Ticks of every op. inputs: None: those of the last inference."""
        if inputs is None:
            if self.arena is None:
                raise ArgumentError(
                    "inputs: expected some, as there was no inference before, got none"
                )
            inputs = self.arena[0]
        self.check_inputs(inputs)
        fixed = bytes(inputs)
        return self.session.recovering(lambda: self._profile(fixed))

    def _profile(self, inputs: bytes) -> list[int]:
        n_ops = self.session.selected.n_ops
        most = (self.session.channel.limits.slot_bytes - 1) // 4
        ticks: list[int] = []
        while len(ticks) < n_ops:
            self.steps.try_again()
            self._fed.sent = 0
            writes = self.session.submit_write(INPUTS, inputs)
            data = self.session.request(Message.PROFILE, _U16.pack(len(ticks)))
            self.session.finish_write(writes)
            ticks += parse_profile(data, min(n_ops - len(ticks), most))
        self.set_arena(inputs, ALL_OPS, is_step=False)
        return ticks

    def read(self, obj: int, index: int, offset: int, n: int) -> bytes:
        """n bytes of an object as the last run left it, compared with their digest."""
        return self.session.recovering(
            lambda: self.session.read(obj, index, offset, n), self._restore
        )

    def digest(self, obj: int, index: int, offset: int, n: int) -> int:
        """CRC-32 of n bytes of an object as the last run left it."""
        return self.session.recovering(
            lambda: self.session.digest(obj, index, offset, n), self._restore
        )
