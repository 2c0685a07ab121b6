"""examples/fleet: boards in processes of their own learn one network together."""

from __future__ import annotations

import sys
from pathlib import Path

from byteprop_host.boards.board import load_board
from emulation import require

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples/fleet"))
import fleet  # noqa: E402


def test_the_mean_of_emulated_boards_is_that_of_the_same_clients_without_boards() -> None:
    require(load_board("mps2-an386"))
    found = fleet.run_rounds("mps2-an386", clients=2, rounds=2)
    assert fleet.same(found, fleet.alone(2, 2))
    assert not fleet.same(found, fleet.alone(2, 1))
    assert fleet.accuracy(found) > 0.7
