"""Saves the trained model in the board's flash, resets the board, reads it back and compares."""

from __future__ import annotations

from byteprop_host.boards.board import Board
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.capacity import TrainingNeeds
from byteprop_host.link import Device, TrainingSession
from byteprop_host.training.compare import Trained
from byteprop_host.training.plan import can_save
from byteprop_host.training.result import SaveCheck


def check_save(board: Board, plan: TrainingNeeds) -> None:
    """Raises DoesNotFitError if the board cannot save what it learns."""
    if not can_save(board):
        raise DoesNotFitError(
            f"--save-on-device: {board.name} has no flash that it can save to; `byteprop boards` "
            "shows boards that have; --save writes a file on this computer"
        )
    needed = plan.saved_bytes
    if needed > board.memory.save_slot_bytes:
        raise DoesNotFitError(
            f"--save-on-device: what was learned needs {needed:,} bytes, {board.name} has "
            f"{board.memory.save_slot_bytes:,} for a save"
        )


def save_on_board(device: Device, session: TrainingSession, trained: Trained) -> SaveCheck:
    """Saves, resets the board, and compares what it restored from its flash."""
    saved = session.save()
    restored = session.restored_from_flash
    device.reset()
    back = session.checkpoint()
    return SaveCheck(
        slot=saved.slot,
        sequence=saved.sequence,
        image_bytes=saved.image_bytes,
        state_bytes=saved.state_bytes,
        identical=session.restored_from_flash > restored
        and (back.image, back.state) == (trained.image, trained.state),
    )
