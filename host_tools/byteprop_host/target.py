"""The board that a verb uses, and its line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from byteprop_host.boards.board import Board, load_board


@dataclass(frozen=True)
class BoardTarget:
    """port: the serial port that the board is plugged into; None: the one with its USB ids. probe:
    serial number of its debug probe; None: the only one. emulated: use the emulator, even when such
    a board is plugged in. timeout: seconds to wait for a response. wire_log: where to record every
    byte of the line."""

    board: Board
    port: str | None = None
    probe: str | None = None
    emulated: bool = False
    timeout: float = 10.0
    wire_log: Path | None = None

    @staticmethod
    def of(
        board: str | Path | Board = "host",
        *,
        port: str | None = None,
        probe: str | None = None,
        emulated: bool = False,
        timeout: float = 10.0,
        wire_log: Path | None = None,
    ) -> BoardTarget:
        """board: a board, its name or its folder. BoardError when there is no such board."""
        found = board if isinstance(board, Board) else load_board(board)
        return BoardTarget(found, port, probe, emulated, timeout, wire_log)
