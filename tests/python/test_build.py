"""What the build does without a toolchain: memory, missing tools, flash commands, ELF, HEX."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from pathlib import Path

import pytest

import byteprop
from byteprop.errors import ArgumentError
from byteprop.image import features, without_names
from byteprop_host.boards.board import Board, load_board
from byteprop_host.boards.op_flash import op_flash_bytes
from byteprop_host.boards.runner import Command
from byteprop_host.errors import BuildError, DoesNotFitError, FlashError, ToolMissingError
from byteprop_host.firmware import build as build_module
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import arena_bytes, check_memory, memory_needs
from byteprop_host.firmware.elf import flash_image, intel_hex, read_elf
from byteprop_host.firmware.firmware import Firmware, cache_dir, placed_at_once
from byteprop_host.flash import CommandRunner, FlashCommands, Way, choose, plan, runners, start

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"


@pytest.fixture(scope="module")
def fashion() -> bytes:
    return byteprop.load(MODELS / "fashion_mlp_pertensor.tflite").image


@pytest.fixture
def firmware(tmp_path: Path) -> Firmware:
    return _firmware(load_board("microbit"), tmp_path)


def _firmware(board: Board, folder: Path) -> Firmware:
    elf, hexa, binary = (folder / f"firmware.{s}" for s in ("elf", "hex", "bin"))
    return Firmware(board, elf, hexa, binary, None, 1, 100, 100, 0, {})


def test_fit_is_told_without_a_toolchain(fashion: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert memory_needs(load_board("microbit"), fashion).ok
    uno = load_board("arduino-uno")
    program = uno.memory.firmware_flash_bytes + op_flash_bytes(uno, features(fashion))
    needed = program + len(without_names(fashion))
    with pytest.raises(DoesNotFitError, match=f"needs {needed} bytes of flash, board has 32256"):
        check_memory(uno, fashion)
    with pytest.raises(DoesNotFitError):
        build(uno, fashion)


def test_fit_of_an_upload_counts_image_and_arena(fashion: bytes) -> None:
    board = load_board("microbit")
    uploaded = memory_needs(board, fashion, bake=False)
    image, arena = (len(fashion) + 15) // 16 * 16, (arena_bytes(fashion) + 3) // 4 * 4
    assert uploaded.ram_needed == board.memory.firmware_ram_bytes + image + arena
    assert uploaded.ram_available == board.memory.firmware_ram_bytes + board.memory.pool_bytes
    assert not uploaded.ok
    assert f"needs {uploaded.ram_needed} bytes of RAM, board has" in uploaded.text


def test_fit_at_the_very_limit(fashion: bytes) -> None:
    board = load_board("microbit")
    needed = memory_needs(board, fashion)
    exact = replace(
        board,
        memory=replace(
            board.memory,
            ram_bytes=needed.ram_needed,
            flash_bytes=needed.flash_needed,
        ),
    )
    assert memory_needs(exact, fashion).ok
    for less in ({"ram_bytes": needed.ram_needed - 1}, {"flash_bytes": needed.flash_needed - 1}):
        assert not memory_needs(replace(exact, memory=replace(exact.memory, **less)), fashion).ok


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("mps2-an386", "gcc-arm-none-eabi"),
        ("sifive_e", "gcc-riscv64-unknown-elf"),
        ("arduino-uno", "gcc-avr avr-libc"),
    ],
)
def test_a_missing_compiler_says_what_to_install(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match=f"sudo apt-get install {package}$"):
        build(load_board(name))


def test_a_missing_emulator_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ToolMissingError, match="sudo apt-get install qemu-system-arm"):
        choose(load_board("mps2-an386"))


def test_the_host_takes_no_baked_model(fashion: bytes) -> None:
    with pytest.raises(ArgumentError, match="upload it"):
        build(load_board("host"), fashion)


def test_a_part_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("mps2-an386")
    monkeypatch.setattr(build_module, "compiler", lambda board: Path("/bin/true"))
    lost = replace(board, build=replace(board.build, parts=("soc/nowhere",)))
    with pytest.raises(BuildError, match=r"board\.toml: build\.parts names 'nowhere'"):
        build(lost)


def test_cache_follows_xdg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "byteprop"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "byteprop"


# --- flash tools: exact commands, as dry runs ---


def test_plans_of_the_microbit(firmware: Firmware) -> None:
    board = firmware.board
    hexa = str(firmware.hex)
    by_name = {r.name: r for r in runners(board)}
    assert list(by_name) == ["qemu", "daplink", "pyocd", "openocd"]
    assert by_name["pyocd"].plan(firmware, Way()).commands == (
        ("pyocd", "flash", "-W", "-t", "nrf51", hexa),
    )
    openocd = by_name["openocd"].plan(firmware, Way(probe="0001")).text()
    assert openocd.startswith("openocd -f interface/cmsis-dap.cfg -f target/nrf51.cfg")
    assert "-c 'adapter serial 0001'" in openocd
    assert f"'program {{{hexa}}} verify reset exit'" in openocd
    qemu = by_name["qemu"].plan(firmware, Way()).commands[0]
    assert qemu[:5] == ("qemu-system-arm", "-machine", "microbit", "-kernel", str(firmware.elf))


def test_plan_of_the_uno(tmp_path: Path) -> None:
    board = load_board("arduino-uno")
    firmware = _firmware(board, tmp_path)
    avrdude = next(r for r in runners(board) if r.name == "avrdude")
    assert avrdude.plan(firmware, Way("/dev/ttyACM0")).text() == (
        f"avrdude -p m328p -c arduino -P /dev/ttyACM0 -b 115200 -D -U flash:w:{firmware.hex}:i"
    )
    with pytest.raises(FlashError, match="avrdude needs a port"):
        avrdude.plan(firmware, Way())


def test_a_cable_tool_that_is_missing(firmware: Firmware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    board = replace(firmware.board, runners=firmware.board.runners[2:])
    assert plan(board, firmware, way=Way("/dev/ttyACM0")).runner == "pyocd"
    with pytest.raises(ToolMissingError, match=r"pip install pyocd.*apt-get install openocd"):
        start(board, firmware, way=Way("/dev/ttyACM0"))


def _board_with_command(tmp_path: Path, script: str) -> Board:
    tool = tmp_path / "flashtool"
    tool.write_text("#!/bin/sh\n" + script, encoding="ascii")
    tool.chmod(0o755)
    board = load_board("microbit")
    ours = Command(
        kind="command",
        name="tool",
        install="pip install flashtool",
        program=str(tool),
        flash=("{bin}", "{baud}", "{port}"),
        reset=("reset", "{port}"),
    )
    return replace(board, runners=(ours,))


def _command_runner(board: Board) -> CommandRunner:
    command = board.runners[0]
    assert isinstance(command, Command)
    return CommandRunner(board, command)


def test_a_cable_tool_is_run_with_its_arguments(tmp_path: Path) -> None:
    board = _board_with_command(tmp_path, f'echo "$@" >> {tmp_path}/log\n')
    firmware = _firmware(board, tmp_path)
    with start(board, firmware, way=Way("/dev/ttyX")) as running:
        assert running.port == "/dev/ttyX"
        running.reset()
    with start(board, firmware, way=Way("/dev/ttyX"), write=False):
        pass
    written = (tmp_path / "log").read_text(encoding="ascii").splitlines()
    assert written == [f"{firmware.binary} 115200 /dev/ttyX", "reset /dev/ttyX"]


def test_a_cable_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    board = _board_with_command(
        tmp_path, "seq 100 >&2; echo no probe found >&2; echo remarks; exit 3\n"
    )
    with pytest.raises(FlashError) as caught:
        start(board, _firmware(board, tmp_path), way=Way("/dev/ttyX"))
    first, *quoted, last = str(caught.value).splitlines()
    assert first == "microbit: tool ended with code 3; is the board plugged in?"
    assert quoted == [*map(str, range(90, 101)), "no probe found"]
    assert last.startswith(f"the command was: {tmp_path}/flashtool ")


def test_a_cable_tool_that_waits_for_ever_is_ended(tmp_path: Path) -> None:
    """And so is what it started: a shell's child keeps the pipes open."""
    board = _board_with_command(tmp_path, "sleep 1000; true\n")
    runner = _command_runner(board)
    with pytest.raises(FlashError, match=r"timed out after 0.2 s; unplug the board"):
        runner.run(FlashCommands("tool", ((str(tmp_path / "flashtool"),),)), Way(), 0.2)


def test_a_cable_tool_that_cannot_be_started(tmp_path: Path) -> None:
    board = _board_with_command(tmp_path, "")
    (tmp_path / "flashtool").chmod(0o644)
    runner = _command_runner(board)
    with pytest.raises(FlashError, match="tool cannot be started: Permission denied"):
        runner.run(FlashCommands("tool", ((str(tmp_path / "flashtool"),),)), Way(), 1.0)
    (tmp_path / "flashtool").unlink()
    with pytest.raises(ToolMissingError, match="flashtool is not installed: pip install flashtool"):
        runner.run(FlashCommands("tool", ((str(tmp_path / "flashtool"),),)), Way(), 1.0)


def test_values_are_filled_in_once(tmp_path: Path) -> None:
    board = _board_with_command(tmp_path, "")
    firmware = _firmware(board, tmp_path)
    text = plan(board, replace(firmware, binary=Path("{port}")), way=Way("/dev/ttyX")).commands[0]
    assert text[1:] == ("{port}", "115200", "/dev/ttyX")


def test_wrong_choices_are_named(firmware: Firmware) -> None:
    with pytest.raises(FlashError, match="expected .*qemu, daplink, pyocd, openocd, got 'magic'"):
        choose(firmware.board, name="magic")
    with pytest.raises(FlashError, match="--port /dev/ttyX"):
        choose(load_board("host"), Way("/dev/ttyX"))
    cable_only = replace(firmware.board, runners=firmware.board.runners[1:])
    with pytest.raises(FlashError, match="has no emulator; plug in the board"):
        choose(cable_only)


def test_a_full_disk_names_the_compiled_file(tmp_path: Path) -> None:
    target = tmp_path / "cache" / "firmware.bin"
    with pytest.raises(OSError, match="No space") as caught, placed_at_once(target):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(target)
    assert list(target.parent.iterdir()) == []


# --- ELF and HEX ---


def test_intel_hex_of_known_bytes() -> None:
    text = intel_hex(0x2001FFF0, bytes(range(16)) + b"\xaa")
    assert text.splitlines() == [
        ":020000042001D9",
        ":10FFF000000102030405060708090A0B0C0D0E0F89",
        ":020000042002D8",
        ":01000000AA55",
        ":00000001FF",
    ]


def _elf(loads: list[tuple[int, bytes]]) -> bytes:
    """The smallest ELF file with these segments and one section for each."""
    names = b"\0.text\0.shstrtab\0"
    at = 52 + 32 * len(loads)
    segments, sections, body = b"", b"\0" * 40, b""
    for address, data in loads:
        place = at + len(body)
        segments += struct.pack("<8I", 1, place, address, address, len(data), len(data), 5, 4)
        sections += struct.pack("<10I", 1, 1, 2, address, place, len(data), 0, 0, 4, 0)
        body += data
    sections += struct.pack("<10I", 7, 3, 0, 0, at + len(body), len(names), 0, 0, 1, 0)
    head = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 40, 1, 0, 52, at + len(body) + len(names),
        0, 52, 32, len(loads), 40, len(loads) + 2, len(loads) + 1,
    )  # fmt: skip
    return head + segments + body + names + sections


def test_elf_segments_become_one_image(tmp_path: Path) -> None:
    file = tmp_path / "x.elf"
    file.write_bytes(_elf([(0x1000, b"abcd"), (0x1008, b"ef")]))
    elf = read_elf(file)
    assert flash_image(elf) == (0x1000, b"abcd\xff\xff\xff\xffef")
    assert elf.section_bytes(".text") == 6


@pytest.mark.parametrize("cut", [0, 4, 40, 60, 100, 150])
def test_a_damaged_elf_file(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "x.elf"
    file.write_bytes(_elf([(0x1000, b"abcd")])[:cut])
    with pytest.raises(BuildError, match=r"x\.elf"):
        read_elf(file)
