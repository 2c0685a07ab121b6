"""A session with a board: models, objects in its memory, and the loop that recovers a lost session.
Inference and training are its clients.

`submit` and the methods below it raise SessionLost when the board is reset; call them in an action
that `recovering` repeats.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from byteprop.engine._raw import Engine, const, crc32
from byteprop.errors import ArgumentError, UnsupportedOpError
from byteprop.image import features
from byteprop_host.errors import DoesNotFitError, LinkError
from byteprop_host.firmware.capacity import pool_needs
from byteprop_host.link.answers import (
    STATS_BYTES,
    DeviceInfo,
    Selected,
    Stats,
    expect,
    expect_between,
    expect_digest,
    parse_nothing,
    parse_number,
    parse_selected,
    parse_space,
    parse_stats,
)
from byteprop_host.link.channel import FRAME_OVERHEAD, SYNC_BYTES, Answer, Channel, SessionLost
from byteprop_host.link.messages import Message
from byteprop_host.link.transport import Transport

ByteProgress = Callable[[int, int], None]
T = TypeVar("T")

FLASH = const("BP_SOURCE_FLASH")
RAM = const("BP_SOURCE_RAM")
IMAGE_CRC_AT = const("BP_HEADER_CRC32")
IMAGE_CRC_FROM = const("BP_MODEL_CRC_FROM")
_IMAGE_ARENA_AT = const("BP_HEADER_ARENA_BYTES")
_ADDRESS = struct.Struct("<BHI")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
MAX_LOST_SESSIONS = 20  # in a row, without a result between them


class BoardSession:
    """An open line to a board, and the model to select again after a reset."""

    def __init__(
        self,
        transport: Transport,
        *,
        baud: int = 115_200,
        timeout: float = 10.0,
        board: str | None = None,
        quiet: float = 0.0,
    ) -> None:
        """board: the name that the board must report. quiet: see Channel."""
        self.channel = Channel(transport, baud=baud, timeout=timeout, quiet=quiet)
        self.sessions_lost = 0
        self._transport = transport
        self._board = board
        self._image: bytes | None = None
        self._opened: tuple[bytes, Engine] | None = None  # the last image that was compared
        self._source: int | None = None
        self._selected: Selected | None = None
        self._model_epoch = 0  # in which the model was selected
        self.selections = 0
        self._reopen: Callable[[], object] | None = None
        self.connect()

    def close(self) -> None:
        self._transport.close()

    # --- what is known ---

    @property
    def info(self) -> DeviceInfo:
        """The board's answer to HELLO, with the model selected since."""
        crc = self._selected.crc32 if self._selected else self.channel.limits.selected_crc32
        return replace(self.channel.limits, selected_crc32=crc)

    @property
    def selected(self) -> Selected:
        if self._selected is None:
            raise ArgumentError("no model is selected; call load_image or select first")
        return self._selected

    @property
    def epoch(self) -> int:
        """Number of the session; requests do not outlive theirs."""
        return self.channel.epoch

    # --- recovery ---

    def connect(self) -> None:
        """Sends HELLO unless a session is open."""
        if self.channel.established:
            return
        before = self.channel.info
        info = self.channel.hello()
        if before is not None and info.build_id != before.build_id:
            self.channel.established = False
            raise LinkError(
                f"{self._transport.name}: another board or firmware answers: expected build "
                f"{before.build_id:016x}, got {info.build_id:016x}; start again"
            )
        if self._board is not None and info.board != self._board:
            raise LinkError(
                f"{self._transport.name} is a {info.board} ({info.cpu}), not a {self._board}; "
                f"use another --port, or --board {info.board}"
            )

    def restore(self) -> None:
        """Opens a session if necessary, and selects the same model again."""
        if (reopen := self._reopen) is not None:
            try:
                reopen()
            finally:
                self._reopen = reopen
            return
        self.connect()
        if self._source is None or self._model_epoch == self.epoch:
            return
        if self._source == RAM and self._image is not None:
            self.load(self._image)
        else:
            self.select(self._source, self._image)

    def recovering(self, action: Callable[[], T], restore: Callable[[], object] | None = None) -> T:
        """Returns the action's result. The action is repeated when the session is lost during it;
        `restore` (default: that of this class) runs before each attempt."""
        for _ in range(MAX_LOST_SESSIONS):
            try:
                (restore or self.restore)()
                return action()
            except SessionLost:
                self.sessions_lost += 1
        raise LinkError(
            f"{self._transport.name}: the board resets again and again, or another program "
            f"talks to it: {MAX_LOST_SESSIONS} sessions were lost in a row. Is its power supply "
            "stable? Is the port open elsewhere?"
        )

    # --- requests ---

    def submit(self, kind: int, payload: bytes = b"", *, answer_bytes: int = 0) -> int:
        """Sends a request; returns its number. answer_bytes: at most, after the status."""
        is_long = answer_bytes + 1 > self.channel.limits.slot_bytes
        return self.channel.submit(kind, payload, long_answer=is_long)

    def take(self, seq: int) -> bytes:
        """Waits for an answer; returns its bytes after the status. RequestError if refused."""
        return self.channel.take(seq).checked()

    def has(self, seq: int) -> bool:
        return self.channel.has(seq)

    def request(self, kind: int, payload: bytes = b"", *, answer_bytes: int = 0) -> bytes:
        return self.take(self.submit(kind, payload, answer_bytes=answer_bytes))

    def _chunk(self, address_bytes: int, total: int) -> int:
        """Data bytes per frame: all if they fit one frame, else so many that two frames fit the
        window, so that one is received while the other is handled."""
        most = self.channel.max_payload
        if total > most - address_bytes:
            window = self.channel.limits.rx_window
            most = min(most, max((window - SYNC_BYTES) // 2 - FRAME_OVERHEAD - window // 508, 32))
        return most - address_bytes

    # --- objects in the board's memory ---

    def submit_write(self, obj: int, data: bytes, index: int = 0, *, offset: int = 0) -> list[int]:
        """Sends data for an object (BP_OBJ_x), from an offset on; `finish_write` waits for the
        answers."""
        chunk = self._chunk(_ADDRESS.size, len(data))
        return [
            self.submit(
                Message.WRITE, _ADDRESS.pack(obj, index, offset + at) + data[at : at + chunk]
            )
            for at in range(0, len(data), chunk)
        ]

    def finish_write(self, seqs: Iterable[int]) -> None:
        for seq in seqs:
            parse_nothing(Message.WRITE, self.take(seq))

    def write(self, obj: int, data: bytes) -> None:
        self.finish_write(self.submit_write(obj, data))

    def read(self, obj: int, index: int, offset: int, n: int, *, crc: int | None = None) -> bytes:
        """n bytes of an object, compared with their digest: crc, else the board is asked for it."""
        data = b"".join(self._pieces(obj, index, offset, n))
        expected = self.digest(obj, index, offset, n) if crc is None else crc
        expect_digest(Message.READ, f"CRC-32 of the {n} bytes read", crc32(data), expected)
        return data

    def _pieces(self, obj: int, index: int, offset: int, n: int) -> Iterator[bytes]:
        chunk = self.channel.max_payload - 1
        open_requests: deque[tuple[int, int]] = deque()
        for at in range(0, n, chunk):
            size = min(chunk, n - at)
            payload = _ADDRESS.pack(obj, index, offset + at) + _U16.pack(size)
            seq = self.submit(Message.READ, payload, answer_bytes=size)
            open_requests.append((seq, size))
            if len(open_requests) == self.channel.limits.slots:
                yield self._piece(*open_requests.popleft())
        while open_requests:
            yield self._piece(*open_requests.popleft())

    def _piece(self, seq: int, size: int) -> bytes:
        data = self.take(seq)
        expect(Message.READ, "bytes after the status", len(data), size)
        return data

    def digest(self, obj: int, index: int, offset: int, n: int) -> int:
        """CRC-32 of n bytes of an object."""
        payload = _ADDRESS.pack(obj, index, offset) + _U32.pack(n)
        return parse_number(Message.DIGEST, self.request(Message.DIGEST, payload))

    # --- models ---

    @property
    def expected_image(self) -> bytes | None:
        """The selected image, wherever it is, if this program knows it."""
        return self._image

    @property
    def image(self) -> bytes | None:
        """The image in the board's RAM, if this program uploaded it."""
        return self._image if self._source == RAM else None

    def forget_model(self) -> None:
        """Deselects the model, so that a reset does not restore it."""
        self.release_model()
        self._selected = None

    def release_model(self) -> None:
        """Stops restoring the selected model after a reset, because training changes it."""
        self._image = None
        self._source = None
        self._reopen = None

    def adopt_reopened(self, reopen: Callable[[], object]) -> None:
        """Notes that the board has a trained model that `reopen` makes again after a reset."""
        self._reopen = reopen

    def adopt_image(self, image: bytes) -> None:
        """Notes that the board has this trained image in RAM now."""
        self._image = image
        self._source = RAM
        self._model_epoch = self.epoch

    def adopt_restored(self) -> bool:
        """Notes that the board has restored the selected model from its own flash; False if only
        the way of `adopt_reopened` makes it again."""
        if self._reopen is None:
            self._model_epoch = self.epoch
        return self._reopen is None

    def check_fits(self, image: bytes) -> None:
        """Raises DoesNotFitError when image and arena are larger than the board's pool."""
        if len(image) < _IMAGE_ARENA_AT + 4:
            raise ArgumentError(f"image: expected a model image, got {len(image)} bytes")
        (arena,) = _U32.unpack_from(image, _IMAGE_ARENA_AT)
        needed = pool_needs(len(image), arena)
        if needed > self.channel.limits.pool_bytes:
            raise self._no_space(needed, self.channel.limits.pool_bytes)

    def _no_space(self, needed: int, available: int) -> DoesNotFitError:
        return DoesNotFitError(
            f"the model does not fit: needs {needed} bytes of RAM for image and arena, "
            f"{self.info.board} has {available}; bake it into flash with: byteprop build --model"
        )

    def load(self, image: bytes, progress: ByteProgress | None = None) -> Selected:
        """Uploads an image into RAM and selects it; resumes an earlier upload of the same one.
        UnsupportedOpError names the ops that the firmware lacks, before anything is sent."""
        self._check_ops(image)
        crc = _U32.unpack_from(image, IMAGE_CRC_AT)[0]
        begin = self.submit(Message.LOAD_BEGIN, struct.pack("<II", len(image), crc))
        offset = parse_number(Message.LOAD_BEGIN, self._with_space(self.channel.take(begin)))
        expect_between(Message.LOAD_BEGIN, "next offset", offset, 0, len(image))
        self._send_image(image, offset, progress)
        return self._take_selected(Message.LOAD_END, b"", RAM, image)

    def _check_ops(self, image: bytes) -> None:
        missing = features(image) - self.info.ops
        if missing:
            raise UnsupportedOpError(
                f"the model needs {', '.join(sorted(missing))}, and the firmware of "
                f"{self.info.board} has {', '.join(sorted(self.info.ops)) or 'no ops'}; add to "
                "build.ops of its board.toml, or bake the model into flash with: "
                "byteprop build --model"
            )

    def _with_space(self, answer: Answer) -> bytes:
        space = parse_space(answer.request, answer.status, answer.data)
        if space is not None:
            raise self._no_space(*space)
        return answer.checked()

    def _send_image(self, image: bytes, offset: int, progress: ByteProgress | None) -> None:
        chunk = self._chunk(_U32.size, len(image))
        sent: deque[tuple[int, int]] = deque()  # requests, and the offsets behind their data
        while offset < len(image) or sent:
            if offset < len(image):
                data = image[offset : offset + chunk]
                seq = self.submit(Message.LOAD_DATA, _U32.pack(offset) + data)
                offset += len(data)
                sent.append((seq, offset))
            while sent and (offset >= len(image) or self.has(sent[0][0])):
                seq, end = sent.popleft()
                done = parse_number(Message.LOAD_DATA, self.take(seq))
                expect(Message.LOAD_DATA, "next offset", done, end)
                if progress is not None:
                    progress(done, len(image))

    def select(self, source: int, image: bytes | None = None) -> Selected:
        """Selects the model in flash or RAM. image: the expected model, if known."""
        return self._take_selected(Message.SELECT, bytes([source]), source, image)

    def opened(self, image: bytes) -> Engine:
        """The image, checked by the C library once and not after every reset."""
        if self._opened is None or self._opened[0] is not image:
            self._opened = (image, Engine(image))
        return self._opened[1]

    def _take_selected(
        self, kind: Message, payload: bytes, source: int, image: bytes | None
    ) -> Selected:
        data = self._with_space(self.channel.take(self.submit(kind, payload)))
        crc = self.channel.limits.flash_crc32 if source == FLASH else None
        model = None if image is None else self.opened(image)
        self._selected = parse_selected(kind, data, model, crc)
        self._image = image
        # An upload of another program cannot be restored after a reset.
        self._source = source if source == FLASH or image is not None else None
        self._model_epoch = self.epoch
        self.selections += 1
        return self._selected

    # --- the board itself ---

    def echo(self, data: bytes) -> bytes:
        answer = self.request(Message.ECHO, data, answer_bytes=len(data))
        if answer != data:
            expect(Message.ECHO, "bytes", ascii(answer[:32]), ascii(data[:32]))
        return answer

    def stats(self) -> Stats:
        return parse_stats(self.request(Message.STATS, answer_bytes=STATS_BYTES))

    def reset(self) -> None:
        """Resets the board. The next action opens a new session and selects the model again."""
        try:
            if self.channel.established:
                parse_nothing(Message.RESET, self.request(Message.RESET))
        except SessionLost:
            pass  # it has been reset, and only the answer was lost
        self.channel.established = False
