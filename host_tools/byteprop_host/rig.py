"""A rig: several boards that one command runs on, from a rig.toml, by name, or all there are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from byteprop.errors import ArgumentError
from byteprop_host.boards.board import Board, all_boards, load_board
from byteprop_host.boards.toml_table import Table, read_toml
from byteprop_host.errors import ToolMissingError
from byteprop_host.flash import choose, find_board, is_plugged_in, runners
from byteprop_host.target import BoardTarget

SCHEMA = 1
ALL = "all"
_KEYS = ("name", "board", "port", "probe", "emulated")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class RigBoard:
    """A board of a rig. name: what results call it. board_argument: as --board takes it."""

    name: str
    board_argument: str
    target: BoardTarget

    @property
    def board(self) -> Board:
        return self.target.board


@dataclass(frozen=True)
class Rig:
    """name: for reports. left_out: boards that were asked for by "all" and cannot be run here, each
    with the reason."""

    name: str
    boards: tuple[RigBoard, ...]
    left_out: tuple[tuple[str, str], ...] = ()


def read_rig(file: Path, *, timeout: float = 10.0) -> Rig:
    """Reads and checks a rig.toml. Raises BoardFileError naming file and key."""
    root = Table(read_toml(file), file, "")
    root.integer("schema", SCHEMA, SCHEMA)
    tables = root.tables("board")
    root.finish(("schema", "board"))
    if not tables:
        raise root.wrong("board", "at least one entry", [])
    boards: list[RigBoard] = []
    for table in tables:
        entry = _entry(table, timeout)
        _check_apart(table, entry, boards)
        boards.append(entry)
    return Rig(file.stem, tuple(boards))


def _entry(t: Table, timeout: float) -> RigBoard:
    argument = t.text("board")
    try:
        board = load_board(argument)
    except ArgumentError as error:
        raise t.error("board", f"is not usable: {error}") from None
    name = t.text("name", board.name)
    if not _NAME.fullmatch(name):
        raise t.wrong("name", "letters, digits, '-', '_' and '.'", name)
    target = BoardTarget(
        board,
        port=t.text("port", "") or None,
        probe=t.text("probe", "") or None,
        emulated=t.boolean("emulated", False),
        timeout=timeout,
    )
    if target.emulated and (target.port or target.probe):
        raise t.error("emulated", "is true, but there is a port or a probe; expected one of them")
    t.finish(_KEYS)
    return RigBoard(name, argument, target)


def _check_apart(t: Table, entry: RigBoard, others: Sequence[RigBoard]) -> None:
    """Raises BoardFileError when two entries would be one board."""
    for other in others:
        a, b = entry.target, other.target
        if entry.name == other.name:
            raise t.wrong("name", "a name of its own", entry.name)
        for key in ("port", "probe"):
            if getattr(a, key) is not None and getattr(a, key) == getattr(b, key):
                raise t.wrong(key, f"another {key} than that of {other.name}", getattr(a, key))
        is_same = a.board.name == b.board.name and not (a.emulated or b.emulated)
        if is_same and not all(x.port or x.probe for x in (a, b)):
            raise t.error(
                "board",
                f"is the same as that of {other.name}; expected a port or a probe for each of "
                "them, or emulated = true",
            )


def rig_of(names: str, *, emulated: bool = False, timeout: float = 10.0) -> Rig:
    """The boards of a list with commas, or "all": those that are plugged in or have an emulator
    that is installed. emulated: emulators only."""
    if names == ALL:
        return _all_boards(emulated, timeout)
    arguments = [name.strip() for name in names.split(",")]
    entries = [_named(argument, load_board(argument), emulated, timeout) for argument in arguments]
    for i, entry in enumerate(entries):
        if entry.name in [e.name for e in entries[:i]]:
            raise ArgumentError(f"board: expected each board once, got {entry.name} twice")
    return Rig("boards", tuple(entries))


def _named(argument: str, board: Board, emulated: bool, timeout: float) -> RigBoard:
    _, colon, runner = argument.rpartition(":")
    name = f"{board.name}-{runner}" if colon and "/" not in argument else board.name
    return RigBoard(name, argument, BoardTarget(board, emulated=emulated, timeout=timeout))


def _all_boards(emulated: bool, timeout: float) -> Rig:
    boards: list[RigBoard] = []
    left_out: list[tuple[str, str]] = []
    for board in all_boards():
        reason = _why_not(board, emulated)
        if reason:
            left_out.append((board.name, reason))
        else:
            boards.append(_named(board.name, board, emulated, timeout))
    return Rig("all", tuple(boards), tuple(left_out))


def _why_not(board: Board, emulated: bool) -> str:
    """Why a board can be run neither on a cable nor by an emulator; "" when it can."""
    is_on_cable = any(r.is_cable for r in runners(board)) and not emulated
    if is_on_cable and is_plugged_in(board):
        return ""
    if all(r.is_cable for r in runners(board)):
        return "no emulator" if emulated else "no emulator, and not plugged in"
    try:
        choose(board, find_board(board, emulated=True))
    except ToolMissingError as error:
        return str(error)
    return ""
