"""Whether a model fits a board, as a row of a table."""

from __future__ import annotations

from dataclasses import dataclass

from byteprop_host.boards import Board
from byteprop_host.build import check_fit
from byteprop_host.errors import FitError


@dataclass(frozen=True)
class FitRow:
    board: str
    ok: bool
    text: str


def fit_row(board: Board, image: bytes) -> FitRow:
    """The numbers of `check_fit`, without raising."""
    try:
        fit = check_fit(board, image)
    except FitError as error:
        return FitRow(board.name, False, str(error))
    return FitRow(board.name, fit.ok, fit.text)
