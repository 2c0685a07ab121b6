"""A board on a line, as an object. Everything here survives a lossy line and a reset of the board:
the session is opened anew, the model loaded again, and what was interrupted is repeated."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO, TypeVar

from byteprop._raw import const, crc32
from byteprop.errors import ArgumentError
from byteprop_host.errors import FitError, LinkError, RequestError
from byteprop_host.link.channel import FRAME_OVERHEAD, SYNC_BYTES, Channel, SessionLost
from byteprop_host.link.messages import ALL_OPS, DeviceInfo, Message
from byteprop_host.link.transport import Transport, open_transport
from byteprop_host.link.wirelog import WireLog

Progress = Callable[[int, int], None]
T = TypeVar("T")

_INPUTS = const("BP_OBJ_INPUTS")
_OUTPUTS = const("BP_OBJ_OUTPUTS")
_TENSOR = const("BP_OBJ_TENSOR")
_IMAGE = const("BP_OBJ_IMAGE")
_FLASH = const("BP_SOURCE_FLASH")
_RAM = const("BP_SOURCE_RAM")

_ADDRESS = struct.Struct("<BHI")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_SELECTED = struct.Struct("<IIIIH")
_INFERRED = struct.Struct("<II")
_SPACE = struct.Struct("<II")
_STATS = struct.Struct("<6I")
_IMAGE_CRC_AT = 12
_IMAGE_ARENA_AT = 20
_MAX_LOST_SESSIONS = 20  # in a row, without an answer between them


@dataclass(frozen=True)
class Selected:
    """The model that answers, as the board sees it."""

    crc32: int
    arena_bytes: int
    input_bytes: int
    output_bytes: int
    n_ops: int


@dataclass(frozen=True)
class InferAnswer:
    """output: all outputs, one after the other. crc is the board's digest of them."""

    output: bytes
    ticks: int
    crc: int


@dataclass(frozen=True)
class StreamAnswer:
    """As InferAnswer, but output is None when it is too long to come with the answer."""

    output: bytes | None
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


@dataclass
class _Sample:
    inputs: bytes
    epoch: int = 0
    writes: list[int] = field(default_factory=list)
    infer: int = 0


class Device:
    """An open board. Use as a context manager, or close it."""

    def __init__(
        self,
        transport: Transport,
        *,
        baud: int = 115_200,
        timeout: float = 10.0,
        board: str | None = None,
    ) -> None:
        self._transport = transport
        self._channel = Channel(transport, baud=baud, timeout=timeout)
        self._board = board
        self._image: bytes | None = None
        self._source: int | None = None
        self._selected: Selected | None = None
        self._arena: tuple[bytes, int] | None = None  # inputs and number of ops last run
        self.sessions_lost = 0
        self._info = self._hail()

    @classmethod
    def open(
        cls,
        port: str,
        *,
        baud: int = 115_200,
        timeout: float = 10.0,
        log: BinaryIO | None = None,
        board: str | None = None,
    ) -> Device:
        """Opens a serial port or `socket://host:port` and hails until the board answers.

        timeout: seconds without a sign of life until LinkError. log: gets a wire log. board: the
        name that the board has to tell.
        """
        transport = open_transport(port, baud=baud, timeout=timeout)
        try:
            logged = transport if log is None else WireLog(transport, log)
            return cls(logged, baud=baud, timeout=timeout, board=board)
        except BaseException:
            transport.close()
            raise

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    # --- what is known ---

    @property
    def info(self) -> DeviceInfo:
        """What the board told when it was hailed, and the model selected since."""
        crc = self._selected.crc32 if self._selected else self._info.selected_crc32
        return replace(self._info, selected_crc32=crc)

    @property
    def selected(self) -> Selected:
        if self._selected is None:
            raise ArgumentError("no model is selected; call load_image or select first")
        return self._selected

    @property
    def wire_bytes(self) -> int:
        """Bytes sent and received."""
        return self._channel.wire_bytes

    @property
    def retransmissions(self) -> int:
        return self._channel.retransmissions

    # --- session ---

    def _hail(self) -> DeviceInfo:
        info = self._channel.hail()
        if self._board is not None and info.board != self._board:
            raise LinkError(
                f"{self._transport.name} is a {info.board} ({info.cpu}), not a {self._board}; "
                f"give another port, or --board {info.board}"
            )
        return info

    def _restore(self) -> None:
        """After a reset: a new session in the state in which the old one was."""
        self._info = self._hail()
        if self._source == _RAM:
            self._upload(None)
        elif self._source is not None:
            self._select(self._source)
        if self._arena is not None:
            self._start_infer(_Sample(self._arena[0]), self._arena[1], wait=True)

    def _ensure_session(self) -> None:
        if not self._channel.established:
            self._restore()

    def _recovering(self, action: Callable[[], T]) -> T:
        """Repeats the action when the board was reset in the middle of it."""
        for _ in range(_MAX_LOST_SESSIONS):
            try:
                self._ensure_session()
                return action()
            except SessionLost:
                self.sessions_lost += 1
        raise self._resets_again_and_again()

    def _resets_again_and_again(self) -> LinkError:
        return LinkError(
            f"{self._transport.name}: the board resets itself again and again; "
            "is its power supply stable?"
        )

    # --- models ---

    def load_image(self, image: bytes, progress: Progress | None = None) -> Selected:
        """Uploads a model image into the board's RAM and selects it; goes on where an earlier
        upload of the same image stopped."""
        image = bytes(image)
        self._check_fits(image)
        self._forget_model()
        self._image = image
        selected = self._recovering(lambda: self._upload(progress))
        self._source = _RAM
        return selected

    def select(self, source: int = _FLASH) -> Selected:
        """Selects the model in flash (BP_SOURCE_FLASH) or the uploaded one (BP_SOURCE_RAM)."""
        self._forget_model()
        selected = self._recovering(lambda: self._select(source))
        self._source = source if source == _FLASH or self._image is not None else None
        return selected

    def _forget_model(self) -> None:
        self._source = None
        self._selected = None
        self._arena = None

    def _chunk(self, address_bytes: int, total: int) -> int:
        """Data bytes of a frame: all when they fit one, else such that two frames fit the window,
        so that one is received while the other is handled."""
        most = self._channel.max_payload
        if total > most - address_bytes:
            window = self._info.rx_window
            most = min(most, max((window - SYNC_BYTES) // 2 - FRAME_OVERHEAD - window // 508, 32))
        return most - address_bytes

    def _check_fits(self, image: bytes) -> None:
        if len(image) < _IMAGE_ARENA_AT + 4:
            raise ArgumentError(f"image: {len(image)} bytes are no model image")
        (arena,) = _U32.unpack_from(image, _IMAGE_ARENA_AT)
        needed = -(-len(image) // 16) * 16 + arena
        if needed > self._info.pool_bytes:
            raise self._no_space(needed, self._info.pool_bytes)

    def _no_space(self, needed: int, available: int) -> FitError:
        return FitError(
            f"the model does not fit: needs {needed} bytes of RAM for image and arena, "
            f"{self._info.board} has {available}; bake it into flash with: byteprop build --model"
        )

    def _upload(self, progress: Progress | None) -> Selected:
        image = self._image
        if image is None:
            raise ArgumentError("no image was uploaded by this program")
        channel = self._channel
        (crc,) = _U32.unpack_from(image, _IMAGE_CRC_AT)
        begin = channel.take(
            channel.submit(Message.LOAD_BEGIN, struct.pack("<II", len(image), crc))
        )
        (offset,) = _U32.unpack(self._with_space(begin.status, begin.data, begin.checked))
        self._send_image(image, offset, progress)
        end = channel.take(channel.submit(Message.LOAD_END))
        return self._take_selected(self._with_space(end.status, end.data, end.checked))

    def _with_space(self, status: int, data: bytes, checked: Callable[[], bytes]) -> bytes:
        try:
            return checked()
        except RequestError as error:
            if error.status == "E_SPACE" and len(data) == _SPACE.size:
                raise self._no_space(*_SPACE.unpack(data)) from None
            raise

    def _send_image(self, image: bytes, offset: int, progress: Progress | None) -> None:
        chunk = self._chunk(_U32.size, len(image))
        sent: deque[int] = deque()
        while offset < len(image) or sent:
            if offset < len(image):
                data = image[offset : offset + chunk]
                sent.append(self._channel.submit(Message.LOAD_DATA, _U32.pack(offset) + data))
                offset += len(data)
            while sent and (offset >= len(image) or self._channel.has(sent[0])):
                (done,) = _U32.unpack(self._channel.take(sent.popleft()).checked())
                if progress is not None:
                    progress(done, len(image))

    def _select(self, source: int) -> Selected:
        answer = self._channel.take(self._channel.submit(Message.SELECT, bytes([source])))
        return self._take_selected(self._with_space(answer.status, answer.data, answer.checked))

    def _take_selected(self, data: bytes) -> Selected:
        self._selected = Selected(*_SELECTED.unpack(data))
        return self._selected

    # --- inference ---

    def infer(self, inputs: bytes) -> InferAnswer:
        """One sample: all inputs, one after the other."""
        self._check_inputs(inputs)
        answer = self._recovering(lambda: self._infer_whole(bytes(inputs)))
        return answer

    def infer_stream(self, samples: Iterable[bytes]) -> Iterator[StreamAnswer]:
        """Answers in order; while one sample is computed, the next ones are on their way."""
        source = iter(samples)
        open_samples: deque[_Sample] = deque()
        more = True
        lost = 0
        while more or open_samples:
            try:
                self._ensure_session()
                for sample in open_samples:
                    if sample.epoch != self._channel.epoch:
                        self._start_infer(sample)
                if more:
                    more = self._take_next(source, open_samples)
                while open_samples and (not more or self._is_answered(open_samples[0])):
                    answer = self._finish_infer(open_samples[0])
                    self._arena = (open_samples[-1].inputs, ALL_OPS)
                    open_samples.popleft()
                    lost = 0
                    yield answer
            except SessionLost:
                self.sessions_lost += 1
                lost += 1
                self._arena = None
                if lost == _MAX_LOST_SESSIONS:
                    raise self._resets_again_and_again() from None

    def _take_next(self, source: Iterator[bytes], open_samples: deque[_Sample]) -> bool:
        inputs = next(source, None)
        if inputs is None:
            return False
        self._check_inputs(inputs)
        open_samples.append(_Sample(bytes(inputs)))
        self._start_infer(open_samples[-1])
        return True

    def _is_answered(self, sample: _Sample) -> bool:
        return sample.epoch == self._channel.epoch and self._channel.has(sample.infer)

    def _check_inputs(self, inputs: bytes) -> None:
        wanted = self.selected.input_bytes
        if len(inputs) != wanted:
            raise ArgumentError(f"inputs: wanted {wanted} bytes, got {len(inputs)}")

    def _start_infer(self, sample: _Sample, n_ops: int = ALL_OPS, *, wait: bool = False) -> None:
        """Submits a sample's requests. wait: and waits for the answers, which nobody needs."""
        sample.writes = self._submit_inputs(sample.inputs)
        sample.infer = self._channel.submit(Message.INFER, _U16.pack(n_ops))
        sample.epoch = self._channel.epoch
        if wait:
            self._finish_infer(sample)

    def _submit_inputs(self, inputs: bytes) -> list[int]:
        chunk = self._chunk(_ADDRESS.size, len(inputs))
        return [
            self._channel.submit(
                Message.WRITE, _ADDRESS.pack(_INPUTS, 0, at) + inputs[at : at + chunk]
            )
            for at in range(0, len(inputs), chunk)
        ]

    def _finish_infer(self, sample: _Sample) -> StreamAnswer:
        if sample.epoch != self._channel.epoch:
            raise SessionLost
        while sample.writes:
            self._channel.take(sample.writes[0]).checked()
            sample.writes.pop(0)
        data = self._channel.take(sample.infer).checked()
        ticks, crc = _INFERRED.unpack_from(data)
        return StreamAnswer(data[_INFERRED.size :] or None, ticks, crc)

    def _infer_whole(self, inputs: bytes) -> InferAnswer:
        sample = _Sample(inputs)
        self._start_infer(sample)
        answer = self._finish_infer(sample)
        self._arena = (inputs, ALL_OPS)
        output = answer.output
        if output is None:
            output = self._read(_OUTPUTS, 0, 0, self.selected.output_bytes)
        if crc32(output) != answer.crc:
            raise LinkError(
                f"the outputs read have digest {crc32(output):#010x}, the board says "
                f"{answer.crc:#010x}; its memory does not hold still"
            )
        return InferAnswer(output, answer.ticks, answer.crc)

    def infer_upto(self, inputs: bytes, n_ops: int) -> None:
        """Runs the first n_ops ops only, so that a tensor between can be read."""
        self._check_inputs(inputs)
        if not 0 <= n_ops <= self.selected.n_ops:
            raise ArgumentError(f"n_ops: wanted 0 .. {self.selected.n_ops}, got {n_ops}")
        self._arena = None

        def run() -> None:
            self._start_infer(_Sample(bytes(inputs)), n_ops, wait=True)

        self._recovering(run)
        self._arena = (bytes(inputs), n_ops)

    def profile(self, inputs: bytes | None = None) -> list[int]:
        """Ticks of every op. Inputs: those given, else those of the last inference."""
        if inputs is None:
            if self._arena is None:
                raise ArgumentError("inputs: none given, and nothing was inferred before")
            inputs = self._arena[0]
        self._check_inputs(inputs)
        fixed = bytes(inputs)
        ticks = self._recovering(lambda: self._profile(fixed))
        self._arena = (fixed, ALL_OPS)
        return ticks

    def _profile(self, inputs: bytes) -> list[int]:
        ticks: list[int] = []
        while len(ticks) < self.selected.n_ops:
            writes = self._submit_inputs(inputs)
            data = self._channel.request(Message.PROFILE, _U16.pack(len(ticks)))
            for seq in writes:
                self._channel.take(seq).checked()
            ticks += struct.unpack(f"<{len(data) // 4}I", data)
        return ticks

    # --- memory of the board ---

    def read_tensor(self, index: int, n: int) -> bytes:
        """The first n bytes of a tensor as the last inference left it."""
        return self._recovering(lambda: self._read(_TENSOR, index, 0, n))

    def read_outputs(self) -> bytes:
        """All outputs of the last inference, one after the other."""
        n = self.selected.output_bytes
        return self._recovering(lambda: self._read(_OUTPUTS, 0, 0, n))

    def read_image(self, offset: int, n: int) -> bytes:
        """Bytes of the selected model's image."""
        return self._recovering(lambda: self._read(_IMAGE, 0, offset, n))

    def _read(self, obj: int, index: int, offset: int, n: int) -> bytes:
        slot_bytes = self._info.slot_bytes
        chunk = self._channel.max_payload - 1
        seqs = []
        for at in range(0, n, chunk):
            size = min(chunk, n - at)
            payload = _ADDRESS.pack(obj, index, offset + at) + _U16.pack(size)
            is_long = size + 1 > slot_bytes
            seqs.append(self._channel.submit(Message.READ, payload, long_answer=is_long))
        return b"".join(self._channel.take(seq).checked() for seq in seqs)

    def digest_tensor(self, index: int, n: int) -> int:
        """CRC-32 of the first n bytes of a tensor."""
        return self.digest(_TENSOR, index, 0, n)

    def digest(self, obj: int, index: int, offset: int, n: int) -> int:
        """CRC-32 of n bytes of an object (BP_OBJ_x)."""
        payload = _ADDRESS.pack(obj, index, offset) + _U32.pack(n)
        data = self._recovering(lambda: self._channel.request(Message.DIGEST, payload))
        return int(_U32.unpack(data)[0])

    # --- the board itself ---

    def echo(self, data: bytes) -> bytes:
        """Sends bytes there and back; at most info.max_payload - 1."""
        payload = bytes(data)
        is_long = len(payload) + 1 > self._info.slot_bytes
        return self._recovering(
            lambda: self._channel.request(Message.ECHO, payload, long_answer=is_long)
        )

    def stats(self) -> Stats:
        return self._recovering(
            lambda: Stats(
                *_STATS.unpack(self._channel.request(Message.STATS, long_answer=True))
            )
        )

    def reset(self) -> None:
        """Resets the board. The next call opens a new session and loads the model again."""
        try:
            if self._channel.established:
                self._channel.request(Message.RESET)
        except SessionLost:
            pass  # it has been reset, and only the answer was lost
        self._channel.established = False
