"""Runners of boards on a cable: their commands, what they make of a tool's words, and drives.

The tools here are scripts that print what the real ones print."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from byteprop_host.boards.board import Board, load_board
from byteprop_host.boards.runner import (
    Avrdude,
    Daplink,
    DfuUtil,
    Esptool,
    Openocd,
    Pyocd,
    Runner,
    StFlash,
    Uf2,
)
from byteprop_host.errors import FlashError, ToolMissingError
from byteprop_host.firmware.firmware import Firmware
from byteprop_host.firmware.uf2 import uf2
from byteprop_host.flash import Way, choose, find_board, runners
from byteprop_host.flash.drives import drives
from byteprop_host.flash.udev import udev_rules

OPENOCD = Openocd("openocd", "openocd", config=("board/x.cfg",))
PYOCD = Pyocd("pyocd", "pyocd", target="nrf52833")
ST_FLASH = StFlash("st-flash", "st-flash")
DFU = DfuUtil("dfu-util", "dfu-util", probes=("0483:df11",), address=0x08000000)
AVRDUDE = Avrdude("avrdude", "avrdude", part="m328p", programmer="arduino", baud=115200)
ESPTOOL = Esptool("esptool", "esptool", chip="esp32c3", baud=460800)


def board_with(runner: Runner) -> Board:
    return replace(load_board("microbit"), runners=(runner,), emulator=None)


def firmware_of(board: Board, folder: Path) -> Firmware:
    for suffix in ("elf", "hex", "bin", "uf2"):
        (folder / f"f.{suffix}").write_bytes(bytes(100))
    files = (folder / f"f.{suffix}" for suffix in ("elf", "hex", "bin", "uf2"))
    return Firmware(board, *files, 1, 100, 100, 0, {})


def fake_tool(folder: Path, name: str, said: str, code: int, patch: pytest.MonkeyPatch) -> None:
    tool = folder / "bin" / name
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\nexit {code}\n", encoding="utf-8")
    tool.chmod(0o755)
    patch.setenv("PATH", f"{tool.parent}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("runner", "way", "words"),
    [
        (OPENOCD, Way(probe="S1"), "-f board/x.cfg -c 'adapter serial S1' -c 'gdb_port disabled"),
        (PYOCD, Way(probe="S1"), "pyocd flash -W -u S1 -t nrf52833 "),
        (ST_FLASH, Way(probe="S1"), "st-flash --serial S1 --reset write "),
        (DFU, Way(probe="S1"), "dfu-util -d 0483:df11 -a 0 -S S1 -s 0x08000000:leave -D "),
        (AVRDUDE, Way("/dev/x"), "avrdude -p m328p -c arduino -P /dev/x -b 115200 -D -U flash:w:"),
        (ESPTOOL, Way("/dev/x"), "esptool --chip esp32c3 --port /dev/x --baud 460800 --no-stub "),
    ],
)
def test_plans(runner: Runner, way: Way, words: str, tmp_path: Path) -> None:
    board = board_with(runner)
    (one,) = runners(board)
    assert words in one.plan(firmware_of(board, tmp_path), way).text()


# What the tools print, and a part of the message that users read.
FAILURES = [
    (OPENOCD, 1, "Error: open failed", "the probe is not there or in use"),
    (OPENOCD, 1, "Info : Target voltage: 0.000000\ntarget voltage may be too low", "no power"),
    (OPENOCD, 1, "Can't find nosuch.cfg", "lacks that configuration file"),
    (OPENOCD, 1, "Error: Could not find MEM-AP to control the core", "another chip"),
    (OPENOCD, 0, "** Programming Finished **", "ended without saying that it wrote"),
    (PYOCD, 1, "0001 E No target device available [load_cmd]", "no board found"),
    (PYOCD, 1, "flash erase sector failure (address 0x0; result code 0x1)", "another chip"),
    (PYOCD, 1, "Target type nosuch not recognized", "pip install -U pyocd"),
    (PYOCD, 0, "Erased 0 bytes, programmed 0 bytes, identical 0 bytes", "wrote 0 of 100 bytes"),
    (ST_FLASH, 255, "WARN usb.c: Couldn't find any ST-Link devices", "no probe found"),
    (ST_FLASH, 255, "Can not connect to target. Please use 'connect under reset'", "powered"),
    (ST_FLASH, 0, "unknown chip id! 0x1", "ended without saying"),
    (ST_FLASH, 255, "unknown chip id! 0x1", "another chip"),
    (AVRDUDE, 1, "cannot open port /dev/x: Device or resource busy", "another program uses"),
    (AVRDUDE, 1, "Expected signature for ATmega328P is 1E 95 0F", "another chip"),
    (ESPTOOL, 2, "This chip is ESP32, not ESP32-C3. Wrong --chip argument?", "another chip"),
    (DFU, 74, "Cannot open DFU device 0483:df11 found on devnum 2", "boards --udev"),
    (DFU, 74, "No DFU capable USB device available", "no boot loader found"),
    (DFU, 0, "Opening DFU capable USB device...", "ended without saying"),
    (AVRDUDE, 1, "cannot open port /dev/x: No such file or directory", "the port is not there"),
    (AVRDUDE, 1, "cannot open port /dev/x: Permission denied", "usermod -aG dialout"),
    (AVRDUDE, 1, "stk500_getsync() attempt 10 of 10: not in sync: resp=0x00", "no boot loader"),
    (ESPTOOL, 2, "Could not open /dev/x, the port is busy or doesn't exist.", "busy or not there"),
    (ESPTOOL, 2, "Failed to connect to ESP32-C3: No serial data received.", "hold BOOT"),
]


@pytest.mark.parametrize(("runner", "code", "said", "message"), FAILURES)
def test_failures_have_their_remedy(
    runner: Runner,
    code: int,
    said: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake_tool(tmp_path, runner.name, said, code, monkeypatch)
    board = board_with(replace(runner, probes=()))
    (one,) = runners(board)
    with pytest.raises(FlashError) as caught:
        one.start(firmware_of(board, tmp_path), Way("/dev/x"), write=True, icount=False, timeout=5)
    text = str(caught.value)
    assert text.startswith(f"microbit: {runner.name} ")
    assert message in text.splitlines()[0]
    assert said.splitlines()[-1] in text


SUCCESSES = [
    (OPENOCD, "** Programming Finished **\n** Verify Started **\n** Verified OK **"),
    (PYOCD, "Erased 1024 bytes (1 sector), programmed 96 bytes (1 page), identical 4 bytes"),
    (ST_FLASH, "Flash written and verified! jolly good!"),
    (DFU, "Download done.\nFile downloaded successfully"),
    (AVRDUDE, "avrdude: 100 bytes of flash verified"),
    (ESPTOOL, "Hash of data verified."),
]


@pytest.mark.parametrize(("runner", "said"), SUCCESSES)
def test_success_is_what_the_tool_says(
    runner: Runner, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, runner.name, said, 0, monkeypatch)
    board = board_with(replace(runner, probes=()))
    (one,) = runners(board)
    firmware = firmware_of(board, tmp_path)
    running = one.start(firmware, Way("/dev/x"), write=True, icount=False, timeout=5)
    assert running.port == "/dev/x"


# --- drives ---


def make_drive(folder: Path, patch: pytest.MonkeyPatch, **texts: str) -> Path:
    folder.mkdir()
    for name, text in texts.items():
        (folder / f"{name}.TXT").write_text(text, encoding="ascii")
    patch.setenv("BYTEPROP_DRIVES", str(folder))
    return folder


PICO_TEXT = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"
DAPLINK_TEXT = "# DAPLink Firmware\r\nUnique ID: 99050000abcd\r\nHIC ID: 6e052820\r\n"


def test_a_uf2_drive_takes_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_drive(tmp_path / "RPI-RP2", monkeypatch, INFO_UF2=PICO_TEXT)
    board = board_with(Uf2("uf2", "uf2", board_id="RPI-RP2"))
    (one,) = runners(board)
    firmware = firmware_of(board, tmp_path)
    assert one.is_present()
    assert one.plan(firmware, Way()).commands == (("cp", str(firmware.uf2), str(folder)),)
    one.start(firmware, Way("/dev/x"), write=True, icount=False, timeout=1)
    assert (folder / "f.uf2").read_bytes() == bytes(100)


def test_a_missing_drive_says_how_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BYTEPROP_DRIVES", str(tmp_path))
    board = board_with(Uf2("uf2", "uf2", board_id="RPI-RP2"))
    (one,) = runners(board)
    assert not one.is_present()
    with pytest.raises(FlashError, match="no drive RPI-RP2 is mounted: hold BOOTSEL"):
        one.start(firmware_of(board, tmp_path), Way(), write=True, icount=False, timeout=1)


def test_daplink_reports_its_fail_txt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_drive(
        tmp_path / "MICROBIT",
        monkeypatch,
        DETAILS=DAPLINK_TEXT,
        FAIL="error: The hex file cannot be decoded.\r\n",
    )
    assert [d.unique_id for d in drives()] == ["99050000abcd"]
    board = board_with(Daplink("daplink", "daplink"))
    (one,) = runners(board)
    with pytest.raises(FlashError, match=r"(?s)FAIL.TXT says:\nerror: The hex file.*--board right"):
        one.start(firmware_of(board, tmp_path), Way("/dev/x"), write=True, icount=False, timeout=1)
    with pytest.raises(FlashError, match="its drive is not mounted"):
        one.start(firmware_of(board, tmp_path), Way(probe="1"), write=True, icount=False, timeout=1)


# --- files and rules ---


def test_uf2_blocks() -> None:
    data = bytes(range(256)) + b"\x01\x02\x03"
    blocks = uf2(0x10000000, data, 0xE48BFF56)
    assert len(blocks) == 2 * 512
    for i in range(2):
        block = blocks[512 * i : 512 * (i + 1)]
        head = struct.unpack_from("<8I", block)
        assert head == (
            0x0A324655,
            0x9E5D5157,
            0x2000,
            0x10000000 + 256 * i,
            256,
            i,
            2,
            0xE48BFF56,
        )
        assert struct.unpack_from("<I", block, 508) == (0x0AB16F30,)
    assert blocks[32 : 32 + 256] == data[:256]
    assert blocks[512 + 32 : 512 + 32 + 256] == data[256:] + b"\xff" * 253


def test_uf2_begins_at_a_page() -> None:
    block = uf2(0x10000010, b"\x05", 1)
    assert struct.unpack_from("<I", block, 12) == (0x10000000,)
    assert block[32 : 32 + 17] == b"\xff" * 16 + b"\x05"


def test_udev_rules_name_every_probe() -> None:
    board = board_with(DFU)
    text = udev_rules([board])
    for usb in ("0483", "df11", "0d28", "0204"):
        assert f'"{usb}"' in text
    assert text.count("SUBSYSTEM==") == 2


def test_where_a_board_is_looked_for() -> None:
    emulated = load_board("mps2-an386")
    assert find_board(emulated) is None
    assert find_board(emulated, port="/dev/x") == Way("/dev/x")
    cable = board_with(ST_FLASH)
    assert find_board(cable) == Way()
    assert find_board(cable, probe="S1") == Way(None, "S1")
    assert find_board(load_board("microbit"), emulated=True) is None


# --- what every runner says when something goes wrong ---

TOOLS = (OPENOCD, PYOCD, ST_FLASH, DFU, AVRDUDE, ESPTOOL)


@pytest.mark.parametrize("runner", TOOLS, ids=lambda runner: runner.name)
def test_a_missing_tool_names_what_to_install(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    board = board_with(replace(runner, install="sudo apt-get install it"))
    with pytest.raises(
        ToolMissingError, match=f"microbit: {runner.name} is not installed: sudo apt-get"
    ):
        choose(board, Way("/dev/x"))


@pytest.mark.parametrize("runner", TOOLS, ids=lambda runner: runner.name)
def test_a_tool_that_hangs_is_ended(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_tool(tmp_path, runner.name, "", 0, monkeypatch)
    (tmp_path / "bin" / runner.name).write_text("#!/bin/sh\nexec sleep 60\n", encoding="ascii")
    board = board_with(replace(runner, probes=()))
    (one,) = runners(board)
    monkeypatch.setattr(one, "seconds", 0.1)
    with pytest.raises(FlashError, match="timed out after 0.2 s; unplug the board, plug it in"):
        one.start(
            firmware_of(board, tmp_path), Way("/dev/x"), write=True, icount=False, timeout=0.2
        )


@pytest.mark.parametrize("runner", (AVRDUDE, ESPTOOL), ids=lambda runner: runner.name)
def test_a_port_that_vanishes_was_unplugged(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tmp_path / "ttyACM0"
    port.touch()
    fake_tool(tmp_path, runner.name, "", 1, monkeypatch)
    tool = tmp_path / "bin" / runner.name
    tool.write_text(f"#!/bin/sh\nrm {port}\necho not in sync\nexit 1\n", encoding="ascii")
    board = board_with(runner)
    (one,) = runners(board)
    with pytest.raises(FlashError, match="the board was unplugged: plug it in and write again"):
        one.start(firmware_of(board, tmp_path), Way(str(port)), write=True, icount=False, timeout=5)


DRIVES = [
    (Uf2("uf2", "uf2", board_id="RPI-RP2"), {"INFO_UF2": PICO_TEXT}, "f.uf2"),
    (Daplink("daplink", "daplink"), {"DETAILS": DAPLINK_TEXT}, "f.hex"),
]


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("/dev/full", "the drive is full: unplug the board"),
        ("/proc/self/mem", "was the board unplugged\\? plug it in and repeat"),  # gives EIO
    ],
)
@pytest.mark.parametrize(("runner", "texts", "file"), DRIVES)
def test_a_drive_that_takes_no_more(
    runner: Runner,
    texts: dict[str, str],
    file: str,
    device: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_drive(tmp_path / "DRIVE", monkeypatch, **texts)
    (folder / file).symlink_to(device)
    board = board_with(runner)
    (one,) = runners(board)
    with pytest.raises(FlashError, match=f"0 of 100 bytes were copied to .*; {words}"):
        one.start(firmware_of(board, tmp_path), Way("/dev/x"), write=True, icount=False, timeout=1)


@pytest.mark.parametrize(("runner", "texts", "file"), DRIVES)
def test_two_drives(
    runner: Runner,
    texts: dict[str, str],
    file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_drive = make_drive(tmp_path / "A", monkeypatch, **texts)
    other = {name: text.replace("9905", "9906") for name, text in texts.items()}
    other_drive = make_drive(tmp_path / "B", monkeypatch, **other)
    monkeypatch.setenv("BYTEPROP_DRIVES", f"{one_drive}:{other_drive}")
    board = board_with(runner)
    (one,) = runners(board)
    with pytest.raises(FlashError, match=r"(?s)2 .*drives.* are mounted"):
        one.start(firmware_of(board, tmp_path), Way("/dev/x"), write=True, icount=False, timeout=1)
    assert not (one_drive / file).exists() and not (other_drive / file).exists()


@pytest.mark.parametrize(("runner", "texts", "file"), DRIVES)
def test_a_drive_without_permission(
    runner: Runner,
    texts: dict[str, str],
    file: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = make_drive(tmp_path / "DRIVE", monkeypatch, **texts)
    board = board_with(runner)
    firmware = firmware_of(board, tmp_path)
    true_open = Path.open

    def refuse(self: Path, mode: str = "r", **more: Any) -> Any:
        if self.parent == folder and "w" in mode:
            raise PermissionError(errno.EACCES, "Permission denied")
        return true_open(self, mode, **more)

    monkeypatch.setattr(Path, "open", refuse)
    (one,) = runners(board)
    with pytest.raises(FlashError, match="no permission to write to it: mount it as yourself"):
        one.start(firmware, Way("/dev/x"), write=True, icount=False, timeout=1)


def test_signals_on_a_port_say_what_to_do(tmp_path: Path) -> None:
    board = board_with(AVRDUDE)
    (one,) = runners(board)
    with pytest.raises(FlashError, match="ttyNONE cannot be opened: the port is not there"):
        one.reset(Way(str(tmp_path / "ttyNONE")), 1.0)
