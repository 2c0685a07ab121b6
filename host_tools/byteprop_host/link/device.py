"""A board on a line, as an object. It survives a lossy line and resets of the board: the session is
opened again, the model loaded again, and the interrupted action repeated."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from byteprop.engine._raw import const
from byteprop_host import activity
from byteprop_host.link.answers import DeviceInfo, InferAnswer, Selected, Stats
from byteprop_host.link.inference import OUTPUTS, TENSOR, InferenceClient
from byteprop_host.link.session import FLASH, RAM, BoardSession, ByteProgress
from byteprop_host.link.transport import Transport, open_transport
from byteprop_host.link.wirelog import FrameTrace, WireLog

_IMAGE = const("BP_OBJ_IMAGE")


class Device:
    """An open board. Use it as a context manager, or close it. session: the lower level."""

    def __init__(
        self,
        transport: Transport,
        *,
        baud: int = 115_200,
        timeout: float = 10.0,
        board: str | None = None,
        quiet: float = 0.0,
    ) -> None:
        self.session = BoardSession(transport, baud=baud, timeout=timeout, board=board, quiet=quiet)
        self._inference = InferenceClient(self.session)

    @classmethod
    def open(
        cls,
        port: str,
        *,
        baud: int = 115_200,
        timeout: float = 10.0,
        log: BinaryIO | None = None,
        board: str | None = None,
        quiet: float = 0.0,
    ) -> Device:
        """Opens a serial port or `socket://host:port` and sends HELLO until the board answers.

        timeout: seconds without a sign of life until LinkError; ten times as long while the board
        shows signs of life but does not answer. log: file for a wire log. board: the name that the
        board must report. quiet: seconds of silence in which the board's boot loader starts the
        program.
        """
        transport = open_transport(port, baud=baud, timeout=timeout)
        try:
            if activity.FRAMES.isEnabledFor(logging.DEBUG):
                transport = FrameTrace(transport)
            logged = transport if log is None else WireLog(transport, log)
            return cls(logged, baud=baud, timeout=timeout, board=board, quiet=quiet)
        except BaseException:
            transport.close()
            raise

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.session.close()

    # --- what is known ---

    @property
    def info(self) -> DeviceInfo:
        """The board's answer to HELLO, with the model selected since."""
        return self.session.info

    @property
    def selected(self) -> Selected:
        return self.session.selected

    @property
    def wire_bytes(self) -> int:
        """Bytes sent and received."""
        return self.session.channel.wire_bytes

    @property
    def retransmissions(self) -> int:
        return self.session.channel.retransmissions

    @property
    def sessions_lost(self) -> int:
        return self.session.sessions_lost

    # --- models ---

    def load_image(self, image: bytes, progress: ByteProgress | None = None) -> Selected:
        """Uploads a model image into the board's RAM and selects it; resumes an earlier upload of
        the same image."""
        image = bytes(image)
        self.session.check_fits(image)
        self._forget_model()
        return self.session.recovering(lambda: self.session.load(image, progress))

    def select(self, source: int = FLASH, image: bytes | None = None) -> Selected:
        """Selects the model in flash (BP_SOURCE_FLASH) or the uploaded one (BP_SOURCE_RAM).

        image: the expected model; AnswerError when the board reports another one.
        """
        expected = self.session.image if image is None and source == RAM else image
        self._forget_model()
        return self.session.recovering(lambda: self.session.select(source, expected))

    def _forget_model(self) -> None:
        self.session.forget_model()
        self._inference.arena = None
        self._inference.forget_fed()
        self._inference.steps.forget()

    # --- inference ---

    def infer(self, inputs: bytes) -> InferAnswer:
        """One sample: all inputs, one after the other. Its outputs are always whole."""
        return self._inference.infer(inputs)

    def feed(self, data: bytes) -> InferAnswer | None:
        """The next bytes of one sample, any number of them; the answer, if they are the last. The
        board computes meanwhile, if the model is fed row by row. After a reset of the board, or
        another inference, it gets the bytes of this sample again."""
        return self._inference.feed(data)

    def infer_stream(
        self, samples: Iterable[bytes], *, whole: bool = False
    ) -> Iterator[InferAnswer]:
        """Answers in order; while one sample is computed, the next ones are on their way.

        whole: fetch outputs that are too long to come with the answer, one sample at a time.
        """
        return self._inference.infer_stream(samples, whole=whole)

    def infer_upto(self, inputs: bytes, n_ops: int) -> None:
        """Runs the first n_ops ops only, so that a tensor between can be read."""
        self._inference.infer_upto(inputs, n_ops)

    def profile(self, inputs: bytes | None = None) -> list[int]:
        """Ticks of every op. inputs: None: those of the last inference."""
        return self._inference.profile(inputs)

    # --- state ---

    def reset_state(self) -> None:
        """Forgets all inferences so far, as `byteprop.Model.reset` does."""
        self._inference.reset_state()

    def read_state(self) -> bytes:
        """What the next inference begins with, read from the board: all tensors of state, one after
        the other. Of a model whose image is known."""
        return self._inference.read_state()

    def write_state(self, state: bytes) -> None:
        """The next inference begins with this state: all tensors of state, one after the other.
        Of a model whose image is known."""
        self._inference.steps.set(state)

    # --- memory of the board ---

    def read_tensor(self, index: int, n: int) -> bytes:
        """The first n bytes of a tensor as the last inference left it."""
        return self._inference.read(TENSOR, index, 0, n)

    def read_outputs(self) -> bytes:
        """All outputs of the last inference, one after the other."""
        return self._inference.read(OUTPUTS, 0, 0, self.selected.output_bytes)

    def read_image(self, offset: int, n: int) -> bytes:
        """Bytes of the selected model's image."""
        return self._inference.read(_IMAGE, 0, offset, n)

    def digest_tensor(self, index: int, n: int) -> int:
        """CRC-32 of the first n bytes of a tensor."""
        return self.digest(TENSOR, index, 0, n)

    def digest(self, obj: int, index: int, offset: int, n: int) -> int:
        """CRC-32 of n bytes of an object (BP_OBJ_x)."""
        return self._inference.digest(obj, index, offset, n)

    # --- the board itself ---

    def echo(self, data: bytes) -> bytes:
        """Sends bytes there and back; at most info.max_payload - 1."""
        payload = bytes(data)
        return self.session.recovering(lambda: self.session.echo(payload))

    def stats(self) -> Stats:
        return self.session.recovering(self.session.stats)

    def reset(self) -> None:
        """Resets the board. The next call opens a new session and loads the model again."""
        self.session.reset()
