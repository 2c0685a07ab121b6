"""board.toml: what comes with byteprop is whole, and every mistake is named by file and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from byteprop._raw import const
from byteprop.errors import ArgumentError
from byteprop_host.boards import Board, Tick, all_boards, boards_root, load_board, parse_board
from byteprop_host.errors import BoardFileError

GOOD = (boards_root() / "mps2-an386" / "board.toml").read_text(encoding="utf-8")


def _write(folder: Path, text: str, name: str = "mps2-an386") -> Path:
    file = folder / name / "board.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_the_boards_that_come_with_byteprop() -> None:
    names = [b.name for b in all_boards()]
    assert names[0] == "host"
    expected = {"mps2-an386", "mps2-an385", "microbit", "sifive_e", "arduino-uno"}
    assert expected <= set(names)


@pytest.mark.parametrize("board", all_boards(), ids=lambda b: b.name)
def test_what_a_board_names_exists(board: Board) -> None:
    for part in board.build.parts:
        assert (boards_root() / part).is_dir()
    if board.isa:
        assert (boards_root().parent / "csrc" / "isa" / board.isa).is_dir()
    assert const(f"BP_TICK_{board.clock.tick.name}") >= 0
    assert board.url.startswith("https://")


def test_every_tick_kind_has_its_number() -> None:
    assert [const(f"BP_TICK_{t.name}") for t in Tick] == [0, 1, 2, 3]


def test_ticks_become_instructions() -> None:
    board = load_board("mps2-an386")
    # 25 MHz and 64 ns an instruction: 1.6 ticks each.
    assert board.instructions(1600) == pytest.approx(1000.0)
    assert load_board("sifive_e").instructions(77) == 77.0
    assert load_board("host").instructions(77) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("schema = 1", "schema = 2", "schema must be an integer from 1 to 1, not 2"),
        ("schema = 1", "", "schema is missing"),
        ('cpu = "Cortex-M4"', "cpu = 4", "board.cpu must be a string, not 4"),
        ('cpu = "Cortex-M4"', "", "board.cpu is missing"),
        ('cpu = "Cortex-M4"', 'cpu = "x"\nspeed = 3', "board.speed is not a key of board.toml"),
        ('tier = "emulated"', 'tier = "gold"', "board.tier must be one of host, emulated,"),
        ('name = "mps2-an386"', 'name = "other"', "board.name must be the name of its folder"),
        ("ram_bytes = 4_194_304", "ram_bytes = -1", "memory.ram_bytes must be an integer from"),
        ("ram_bytes = 4_194_304", "ram_bytes = true", "memory.ram_bytes must be an integer from"),
        ("pool_bytes = 1_048_576", "pool_bytes = 9_000_000", "memory.pool_bytes and firmware_ram"),
        ("pool_bytes = 1_048_576", "pool_bytes = 6", "memory.pool_bytes must be a multiple of 4"),
        ("rx_window = 2048", "rx_window = 2000", "serial.rx_window must be a power of two"),
        ("slots = 4", 'slots = 4\nusb = ["12"]', "serial.usb must hold ids such as"),
        ("slots = 4", "slots = 4\nusb = 7", "serial.usb must be a list of strings, not 7"),
        ("tick_hz = 25_000_000", "tick_hz = 0", "clock.tick_hz must not be 0"),
        ('BP_UART_IRQ = "0"', "BP_UART_IRQ = 0", "build.defines.BP_UART_IRQ must be a string"),
        ('kind = "qemu"', 'kind = "magic"', r"runner\[0\].kind must be one of qemu, simavr, nat"),
        ('kind = "qemu"', 'kind = "simavr"', r"runner\[0\].mcu is missing"),
        ('kind = "qemu"', 'kind = "command"', r"runner\[0\].program is missing"),
        ('"-kernel", "{elf}"', '"-kernel"', r"emulator.args must hold \{elf\}"),
        ("[[runner]]", "[runner]", "runner must be an array of tables"),
        ("schema = 1", "schema = 1 1", "is not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    file = _write(tmp_path, GOOD.replace(old, new))
    with pytest.raises(BoardFileError, match=message) as caught:
        parse_board(file)
    assert str(file) in str(caught.value)


def test_a_qemu_runner_needs_an_emulator(tmp_path: Path) -> None:
    text = GOOD[: GOOD.index("[emulator]")] + '[[runner]]\nkind = "qemu"\n'
    with pytest.raises(BoardFileError, match="emulator is missing"):
        parse_board(_write(tmp_path, text))


def test_a_board_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(boards_root() / "mps2-an386", tmp_path / "mine")
    text = GOOD.replace('name = "mps2-an386"', 'name = "mine"')
    (tmp_path / "mine" / "board.toml").write_text(text, encoding="utf-8")
    assert load_board(tmp_path / "mine").name == "mine"
    assert load_board(tmp_path / "mine" / "board.toml").name == "mine"
    with pytest.raises(ArgumentError, match=r"board 'mine' is not known; known boards: .*host"):
        load_board("mine")
    monkeypatch.setenv("BYTEPROP_BOARDS", str(tmp_path))
    assert load_board("mine").folder == tmp_path / "mine"
    assert "mine" in [b.name for b in all_boards()]


def test_a_board_with_one_of_its_runners() -> None:
    whole = load_board("arduino-uno")
    assert len(whole.runners) > 1
    for runner in whole.runners:
        board = load_board(f"arduino-uno:{runner.name}")
        assert board.runners == (runner,)
        assert (board.name, board.memory) == (whole.name, whole.memory)
    with pytest.raises(ArgumentError, match="arduino-uno has no runner 'bochs'; it has: simavr"):
        load_board("arduino-uno:bochs")


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(BoardFileError, match="cannot be read"):
        parse_board(tmp_path / "board.toml")
