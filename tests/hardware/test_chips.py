"""The whole firmware of boards that no other emulator runs, on the chips of models/plain.py:
Unicorn executes the instructions at the addresses of the chip, and the UART is strict."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("unicorn", reason="emulates the chips")
sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop.engine._raw import const
from byteprop_host.boards.board import Board, load_board
from byteprop_host.errors import ToolMissingError
from byteprop_host.firmware.build import build, compiler
from byteprop_host.link import Device
from models.chip import Chip
from models.plain import BOARDS, load

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
CHIPS = (
    "arduino-nano-33-ble",
    "bluepill",
    "microbit-v2",
    "nrf52840-dk",
    "nucleo-g071rb",
    "nucleo-l432kc",
)
_STEP = 4_000  # instructions between two looks at the line
_FLASH = const("BP_SOURCE_FLASH")


class ChipLine:
    """The transport to a chip in this process. The chip runs while the host waits."""

    def __init__(self, name: str, chip: Chip) -> None:
        self.name = name
        self._chip = chip

    def read(self, wait: float) -> bytes:
        line, end = self._chip.uart.line, time.monotonic() + wait
        while not line.from_chip:
            self._chip.run(_STEP)
            asleep = self._chip.core.is_asleep() and not line.to_chip and not line.from_chip
            if asleep or time.monotonic() > end:
                break
        return line.taken()

    def write(self, data: bytes) -> None:
        self._chip.uart.line.to_chip += data

    def close(self) -> None:
        pass


@contextmanager
def running(name: str, image: bytes | None) -> Iterator[tuple[Chip, Device]]:
    """The board's firmware on its chip, which must not have done anything wrong at the end."""
    board = load_board(name)
    chip = BOARDS[name]()
    load(chip, _program(board, image), board.memory.flash_origin)
    line = ChipLine(name, chip)
    with Device(line, baud=board.serial.baud, timeout=60.0, board=name) as device:
        yield chip, device
    assert chip.faults == []


def _program(board: Board, image: bytes | None) -> bytes:
    try:
        compiler(board)
    except ToolMissingError as missing:
        pytest.skip(str(missing))
    made = build(board, image).binary
    assert made is not None
    return made.read_bytes()


def _vectors(name: str, n: int) -> tuple[bytes, list[bytes], list[bytes]]:
    """The image, inputs, and the answers of TensorFlow Lite that are stored beside the model."""
    image = byteprop.load(MODELS / f"{name}.tflite").image
    with np.load(MODELS / f"{name}.vectors.npz") as stored:
        x, y = stored["x"][:n], stored["y"][:n]
    return image, [a.tobytes() for a in x], [a.tobytes() for a in y]


@pytest.mark.parametrize("model", ["digits_mlp", "conv/net_fashion_cnn"])
@pytest.mark.parametrize("name", CHIPS)
def test_a_baked_model_gives_the_reference_bytes(name: str, model: str) -> None:
    image, inputs, outputs = _vectors(model, 3)
    with running(name, image) as (chip, device):
        device.select(_FLASH)
        assert [device.infer(x).output for x in inputs] == outputs
        chip.reset()
        assert [a.output for a in device.infer_stream(inputs)] == outputs
        assert device.stats().rx_overruns == 0


@pytest.mark.parametrize("name", CHIPS)
def test_an_uploaded_model_gives_the_reference_bytes(name: str) -> None:
    image, inputs, outputs = _vectors("digits_mlp", 2)
    with running(name, None) as (_, device):
        device.load_image(image)
        assert [device.infer(x).output for x in inputs] == outputs
        data = bytes(i * 7 & 0xFF for i in range(device.info.max_payload - 1))
        assert device.echo(data) == data
