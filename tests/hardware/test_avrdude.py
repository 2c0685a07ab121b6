"""avrdude, unmodified, writes through the boot loaders of Arduino's boards, which run in simavr."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from byteprop_host.boards.board import boards_root, load_board
from byteprop_host.firmware.build import build
from stand import BYTEPROP, Result, need, run_with

HERE = Path(__file__).resolve().parent
MODELS = HERE.parent / "data" / "models"
MODEL = str(MODELS / "digits_mlp.tflite")
BOOT_LOADERS = Path("/usr/share/arduino/hardware/arduino/avr/bootloaders")

# By board: the USB ids of its serial port, the chip, and the address of its boot loader.
BOARDS = {
    "arduino-uno": ("2341:0043", "atmega328p", 0x7E00),
    "arduino-mega": ("2341:0042", "atmega2560", 0x3E000),
}
# Debian compiles Optiboot into more than the 512 bytes that it has; without flashes of the LED it
# fits there.
OPTIBOOT = [
    *("avr-gcc", "-Os", "-fno-inline-small-functions", "-fno-split-wide-types", "-mrelax"),
    *("-mmcu=atmega328p", "-DF_CPU=16000000L", "-DBAUD_RATE=115200", "-DLED_START_FLASHES=0"),
    *("-Wl,--section-start=.text=0x7e00", "-Wl,--section-start=.version=0x7ffe", "-nostdlib"),
    str(BOOT_LOADERS / "optiboot" / "optiboot.c"),
]


@pytest.fixture(scope="session")
def avr_board(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program that is an Arduino."""
    need("avrdude", "avr-gcc", "avr-objcopy")
    if not BOOT_LOADERS.is_dir():
        pytest.skip("not installed: arduino-core-avr, which has the boot loaders")
    cc = shutil.which("cc")
    made = tmp_path_factory.mktemp("avr") / "avr_board"
    source = HERE / "models" / "avr_board.c"
    line = f"-I{boards_root() / 'simulators'}"
    command = [str(cc), "-std=c99", "-O2", line, str(source), "-lsimavr", "-o", str(made)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "simavr" in done.stderr and "No such file" in done.stderr:
        pytest.skip("not installed: libsimavr-dev")
    assert done.returncode == 0, done.stderr
    make_boot_loaders(made.parent)
    return str(made)


def make_boot_loaders(folder: Path) -> None:
    elf = str(folder / "optiboot.elf")
    subprocess.run([*OPTIBOOT, "-o", elf], check=True, capture_output=True)
    copy = ["avr-objcopy", "-O", "binary", "-j", ".text", "-j", ".version"]
    subprocess.run([*copy, elf, str(folder / "arduino-uno.bin")], check=True)
    stk500 = str(BOOT_LOADERS / "stk500v2" / "stk500boot_v2_mega2560.hex")
    read = ["avr-objcopy", "-I", "ihex", "-O", "binary"]
    subprocess.run([*read, stk500, str(folder / "arduino-mega.bin")], check=True)


def plugged(board: str, program: str | None, **changes: Any) -> dict[str, Any]:
    usb, mcu, address = BOARDS[board]
    device: dict[str, Any] = {"kind": "serial", "serial": "AVR0001", "usb": usb, "port": "ttyACM0"}
    if program is not None:
        hz = str(load_board(board).clock.hz)
        boot = str(Path(program).with_name(f"{board}.bin"))
        device["program"] = [program, mcu, hz, boot, hex(address), "{fd}", "{dump}"]
    return {**device, **changes}


def firmware_of(board: str) -> bytes:
    import byteprop

    made = build(load_board(board), byteprop.load(MODEL).image).binary
    assert made is not None
    return made.read_bytes()


def flash(board: str, *more: str) -> list[str]:
    return [BYTEPROP, "flash", "--board", f"{board}:avrdude", "--model", MODEL, *more]


@pytest.mark.parametrize("board", BOARDS)
def test_every_byte_is_written_and_the_model_verified(
    board: str, avr_board: str, tmp_path: Path
) -> None:
    """The second command finds the firmware of the first on the same chip, and writes nothing."""
    verify = [BYTEPROP, "verify", MODEL, "--board", board, "-n", "2", "--no-report"]
    result = run_with(
        [plugged(board, avr_board)],
        flash(board, "--port", "/dev/ttyACM0"),
        verify,
        folder=tmp_path,
    )
    written, verified = result.runs
    assert written.code == 0, written.text
    assert verified.code == 0, verified.text
    assert verified.out.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
    firmware = firmware_of(board)
    memory = result.devices[0].memory
    address = BOARDS[board][2]
    assert memory[: len(firmware)] == firmware
    assert set(memory[len(firmware) : address]) <= {0xFF}


@pytest.mark.parametrize("board", BOARDS)
def test_verify_alone_finds_the_port_and_writes(board: str, avr_board: str, tmp_path: Path) -> None:
    verify = [BYTEPROP, "verify", MODEL, "--board", board, "-n", "2", "--no-report"]
    result = run_with([plugged(board, avr_board)], verify, folder=tmp_path)
    (run,) = result.runs
    assert run.code == 0, run.text
    assert run.out.startswith("identical: 2 of 2 samples, 20 of 20 output bytes")
    firmware = firmware_of(board)
    assert result.devices[0].memory[: len(firmware)] == firmware


def test_a_pulse_of_dtr_resets(avr_board: str, tmp_path: Path) -> None:
    result = run_with(
        [plugged("arduino-uno", avr_board)],
        [BYTEPROP, "flash", "--board", "arduino-uno", "--port", "/dev/ttyACM0", "--reset"],
        folder=tmp_path,
    )
    assert result.runs[0].out == "arduino-uno: reset\n", result.runs[0].text
    assert result.devices[0].state["resets"] == 1


def test_another_board_of_the_family(avr_board: str, tmp_path: Path) -> None:
    """Its boot loader speaks the other protocol."""
    device = plugged("arduino-uno", avr_board)
    result = run_with([device], write("arduino-mega", "/dev/ttyACM0"), folder=tmp_path)
    assert "no boot loader answers: is --board right?" in failed(result)


def test_the_chosen_board_of_two_is_written(avr_board: str, tmp_path: Path) -> None:
    two = [
        plugged("arduino-uno", avr_board),
        plugged("arduino-uno", avr_board, serial="AVR0002", port="ttyACM1"),
    ]
    result = run_with(two, flash("arduino-uno", "--probe", "AVR0002"), folder=tmp_path)
    assert result.runs[0].code == 0, result.runs[0].text
    firmware = firmware_of("arduino-uno")
    first, second = (d.memory[: len(firmware)] for d in result.devices)
    assert second == firmware
    assert set(first) == {0xFF}


# --- what goes wrong ---

# byteprop itself looks first whether the board answers; here the tool meets the fault.
WRITE = """
import sys
from byteprop_host.boards.board import boards_root, load_board
from byteprop_host.errors import FlashError
from byteprop_host.firmware.build import build
from byteprop_host.flash import Way, start
board = load_board(sys.argv[1])
try:
    start(board, build(board), way=Way(sys.argv[2] if sys.argv[2:] else None), runner="avrdude")
except FlashError as error:
    sys.exit(str(error))
"""


def write(board: str, *port: str) -> list[str]:
    return [sys.executable, "-c", WRITE, board, *port]


def failed(result: Result) -> str:
    (run,) = result.runs
    assert run.code == 1, run.text
    assert "Traceback" not in run.err
    return run.err.splitlines()[0]


def test_no_board(avr_board: str, tmp_path: Path) -> None:
    text = failed(run_with([], write("arduino-uno"), folder=tmp_path))
    assert "has no serial port on this computer" in text and "2341:0043" in text


def test_two_boards_are_listed(avr_board: str, tmp_path: Path) -> None:
    two = [
        plugged("arduino-uno", None),
        plugged("arduino-uno", None, serial="AVR0002", port="ttyACM1"),
    ]
    result = run_with(two, write("arduino-uno"), folder=tmp_path)
    assert "2 serial ports may be the board's; choose one:" in failed(result)
    assert "--port /dev/ttyACM1" in result.runs[0].err


def test_a_port_that_is_not_there(avr_board: str, tmp_path: Path) -> None:
    device = plugged("arduino-uno", None)
    text = failed(run_with([device], write("arduino-uno", "/dev/ttyACM7"), folder=tmp_path))
    assert "avrdude ended with code 1; the port is not there" in text


@pytest.mark.parametrize(
    ("state", "words"),
    [("forbidden", "usermod -aG dialout"), ("busy", "another program uses the port")],
)
def test_a_port_that_cannot_be_opened(
    state: str, words: str, avr_board: str, tmp_path: Path
) -> None:
    device = plugged("arduino-uno", None, port_state=state)
    assert words in failed(run_with([device], write("arduino-uno"), folder=tmp_path))


@pytest.mark.slow  # avrdude asks for a minute
def test_nothing_answers(avr_board: str, tmp_path: Path) -> None:
    device = plugged("arduino-uno", None)
    text = failed(run_with([device], write("arduino-uno"), folder=tmp_path))
    assert "no boot loader answers: is --board right?" in text
