"""board.toml: what comes with byteprop is whole, and every mistake is named by file and key."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from byteprop.engine._raw import const
from byteprop.errors import ArgumentError
from byteprop_host.boards.board import (
    Board,
    Proofs,
    Tick,
    Tier,
    all_boards,
    boards_root,
    load_board,
    parse_board,
)
from byteprop_host.boards.new_board import write_new_board
from byteprop_host.cli import main
from byteprop_host.errors import BoardFileError

COMMAND = 'kind = "command"\nprogram = "tool"\ninstall = "x"\nflash = ["{}"]'
GOOD = (boards_root() / "mps2-an386" / "board.toml").read_text(encoding="utf-8")


MODEL = Path(__file__).parents[1] / "data/models/digits_mlp.tflite"


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
        ("schema = 1", "schema = 2", "schema: expected an integer from 1 to 1, got 2"),
        ("schema = 1", "", "schema is missing"),
        ('cpu = "Cortex-M4"', "cpu = 4", "board.cpu: expected a string in one line, got 4"),
        ('cpu = "Cortex-M4"', "", "board.cpu is missing"),
        ('cpu = "Cortex-M4"', 'cpu = ""', "board.cpu: expected a string in one line, got ''"),
        ('cpu = "Cortex-M4"', r'cpu = "\u001b[2J"', "board.cpu: expected a string in one line"),
        ('cpu = "Cortex-M4"', "cpu = 'a\"b'", "board.cpu: expected a string without quotes"),
        (
            'cpu = "Cortex-M4"',
            f"cpu = 0x{'f' * 9000}",
            "board.cpu: expected .* thousands of digits",
        ),
        ("schema = 1", f"schema = {'9' * 9000}", "is not TOML: "),
        ("schema = 1", f"schema = {'[' * 9000}", "is nested too deeply"),
        ("schema = 1", f"schema = {'{a=' * 9000}", "is nested too deeply"),
        ("schema = 1", "schema = 1\n" + "#" * (1 << 20), "expected at most 1,048,576 bytes"),
        (
            "flash_origin = 0x0",
            "flash_origin = 0xFFFFFFF0 # 0x0",
            "memory.flash_bytes and flash_origin",
        ),
        ("ram_bytes =", "ram_byte =", "memory.ram_bytes is missing"),
        ("slots = 4", "slots = 4\nslotbytes = 1", "serial.slotbytes is not a key .*; did you mean"),
        (
            '"-kernel", "{elf}"',
            '"{elf}", "{hex}"',
            r"emulator.args: expected placeholders of {elf}",
        ),
        ('kind = "qemu"', COMMAND.format("{hxe}"), r"runner\[0\].flash: expected placeholders"),
        ('cpu = "Cortex-M4"', 'cpu = "x"\nspeed = 3', "board.speed is not a key of board.toml"),
        ('tier = "emulated"', 'tier = "gold"', "board.tier: expected one of host, emulated,"),
        (
            'name = "mps2-an386"',
            'name = "other"',
            "board.name: expected .*, got 'other'",
        ),
        ("ram_bytes = 4_194_304", "ram_bytes = -1", "memory.ram_bytes: expected an integer from"),
        ("ram_bytes = 4_194_304", "ram_bytes = true", "memory.ram_bytes: expected an integer from"),
        ("pool_bytes = 1_048_576", "pool_bytes = 9_000_000", "memory.pool_bytes and firmware_ram"),
        ("pool_bytes = 1_048_576", "pool_bytes = 6", "memory.pool_bytes: expected a multiple of 4"),
        ("rx_window = 2048", "rx_window = 2000", "serial.rx_window: expected a power of two"),
        ("slots = 4", 'slots = 4\nusb = ["12"]', "serial.usb: expected ids such as"),
        ("slots = 4", "slots = 4\nusb = 7", "serial.usb: expected a list of strings.*, got 7"),
        ("tick_hz = 25_000_000", "tick_hz = 0", "clock.tick_hz: expected .*, got 0"),
        ('BP_UART_IRQ = "0"', "BP_UART_IRQ = 0", "build.defines.BP_UART_IRQ: expected a string"),
        (
            'kind = "qemu"',
            'kind = "magic"',
            r"runner\[0\].kind: expected one of qemu, native",
        ),
        ('kind = "qemu"', 'kind = "simavr"', r"runner\[0\].mcu is missing"),
        ('kind = "qemu"', 'kind = "command"', r"runner\[0\].program is missing"),
        ('"-kernel", "{elf}"', '"-kernel"', r"emulator.args: expected .*\{elf\}"),
        ("[[runner]]", "[runner]", "runner: expected an array of tables"),
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
    with pytest.raises(ArgumentError, match="arduino-uno: expected .*simavr.*, got 'bochs'"):
        load_board("arduino-uno:bochs")
    with pytest.raises(ArgumentError, match=r"; did you mean simavr\?"):
        load_board("arduino-uno:simvar")


def test_an_unknown_board_offers_the_nearest() -> None:
    close = {"microbt": "microbit", "micro:bit": "microbit", "mps2-an3866": "mps2-an386"}
    for typed, meant in close.items():
        with pytest.raises(ArgumentError, match=rf"known boards: .*; did you mean {meant}"):
            load_board(typed)
    with pytest.raises(ArgumentError, match="known boards: [a-z0-9-_, ]*$"):
        load_board("qqqqqq")


def test_a_folder_of_boards_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYTEPROP_BOARDS", str(tmp_path / "none"))
    with pytest.raises(BoardFileError, match="BYTEPROP_BOARDS: expected folders, got .*none'"):
        all_boards()


HOSTILE = ["", "7", "-1", "1e400", "nan", "true", '"text"', '""', r'"\u0000"', "[]", "[[]]", "{}",
    "[1, 2]", '["a", 7]', "99999999999999999999999", "1979-05-27", '{ a = "b" }', "[{}]",
    '"{elf} {x}"', r'["\u001b]0;"]']  # fmt: skip


def test_no_change_of_one_value_gives_another_error(tmp_path: Path) -> None:
    """Every value of a board with all tables, replaced by every kind of another."""
    text = (boards_root() / "microbit" / "board.toml").read_text(encoding="utf-8")
    good = 0
    for line in re.findall(r"^[a-z_A-Z]+ = .*$", text, re.M):
        key = line.partition(" = ")[0]
        for value in HOSTILE:
            file = _write(tmp_path, text.replace(line, f"{key} = {value}", 1), "microbit")
            try:
                parse_board(file)
                good += 1
            except BoardFileError as error:
                assert str(file) in str(error)
                assert len(str(error)) < len(str(file)) + 300
    assert 0 < good < 200  # free texts may be anything


def test_python_310_needs_tomli(tmp_path: Path) -> None:
    """As Python 3.10 is without the extra `host`: no tomli, no pyserial, no rich."""
    program = """
import sys
sys.version_info = (3, 10, 14, "final", 0)
for name in ("tomli", "tomllib", "serial", "rich"):
    sys.modules[name] = None
from byteprop_host.cli import main
sys.exit(main(sys.argv[1:]))
"""
    for verb in (["boards"], ["info", str(MODEL)], ["verify", str(MODEL)]):
        done = subprocess.run(
            [sys.executable, "-c", program, *verb],
            capture_output=True,
            text=True,
            timeout=60.0,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 2
        assert done.stderr.endswith('pip install "byteprop[host]"\n'), done.stderr
        assert done.stderr.count("\n") == 1


def test_an_unreadable_file(tmp_path: Path) -> None:
    with pytest.raises(BoardFileError, match="cannot be read"):
        parse_board(tmp_path / "board.toml")


# --- byteprop boards --new ---


@pytest.mark.parametrize("source", [b.name for b in all_boards() if b.name != "host"])
def test_a_new_board_is_like_its_source(source: str, tmp_path: Path) -> None:
    write_new_board("my-board", source, tmp_path)
    new, old = load_board(tmp_path / "my-board"), load_board(source)
    assert new.name == "my-board" and new.proofs == Proofs() and new.tier is Tier.DESCRIBED
    same = replace(new, name=old.name, title=old.title, tier=old.tier, proofs=old.proofs)
    assert same == old


def test_a_new_board_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "more"
    arguments = ["boards", "--new", "my-board", "--from", "nucleo-f446re", "--into", str(into)]
    assert main(arguments) == 0
    assert f"export BYTEPROP_BOARDS={into}" in capsys.readouterr().out
    monkeypatch.setenv("BYTEPROP_BOARDS", str(into))
    assert load_board("my-board").cpu == "Cortex-M4"
    assert main(arguments) == 2
    assert "is there already; choose another name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--new", "My Board", "--from", "microbit"], "--new: expected small letters"),
        (["--new", "../up", "--from", "microbit"], "--new: expected small letters"),
        (["--new", "b", "--from", "microbitt"], "did you mean microbit"),
        (["--new", "b"], "expected --from BOARD with --new"),
        (["--from", "microbit"], "expected --new NAME with --from"),
    ],
)
def test_what_a_new_board_needs(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["boards", *arguments, "--into", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
