"""What training takes in RAM, to the byte, and whether a board has it: known before anything is
built or flashed."""

from __future__ import annotations

from dataclasses import dataclass

from byteprop.engine import _raw_train
from byteprop.engine._raw import Engine
from byteprop.engine._raw_train import Config
from byteprop.errors import TrainingError
from byteprop.image import decode
from byteprop.ops import Dense, Rescale, Softmax
from byteprop_host.boards.board import Board
from byteprop_host.errors import FitError
from byteprop_host.firmware.capacity import train_fit, train_pool_bytes


@dataclass(frozen=True)
class TrainingFit:
    """Bytes. ram_needed is all of it: firmware with stack, the model image, activations, and what
    training takes beyond; state_bytes is the part of training_bytes that a checkpoint keeps."""

    image_bytes: int
    arena_bytes: int
    training_bytes: int
    state_bytes: int
    ram_needed: int
    ram_available: int
    flash_needed: int
    flash_available: int
    ok: bool
    text: str


def plan_training(board: Board, image: bytes, config: Config) -> TrainingFit:
    """Exact for an image that is uploaded. TrainingError when the model cannot be trained at all;
    FitError when the board has no firmware that trains."""
    if not can_train(board):
        raise FitError(f"{board.name}: the firmware that trains does not fit; {_CHOOSE}")
    opened = Engine(image)
    needs = _raw_train.plan(opened, config)
    if trains_one_layer(board):
        _check_one_layer(board, image, config)
    found = train_fit(board, image, config)
    sizes = (
        f"training takes {needs.memory_bytes:,} bytes beyond the model's {len(image):,} and "
        f"{opened.arena_bytes:,} for activations"
    )
    text = (
        f"{sizes}; RAM {found.ram_needed:,} of {found.ram_available:,} bytes"
        if found.ok
        else f"{found.text}; {sizes}"
    )
    return TrainingFit(
        image_bytes=len(image),
        arena_bytes=opened.arena_bytes,
        training_bytes=needs.memory_bytes,
        state_bytes=needs.state_bytes,
        ram_needed=found.ram_needed,
        ram_available=found.ram_available,
        flash_needed=found.flash_needed,
        flash_available=found.flash_available,
        ok=found.ok,
        text=text,
    )


def check_plan(plan: TrainingFit, config: Config) -> None:
    """Raises FitError, with the numbers and what would take less."""
    if plan.ok:
        return
    ways = []
    if config.batch > 1:
        ways.append("--batch-size 1")
    if config.momentum_shift:
        ways.append("no --momentum")
    if config.residual:
        ways.append("--no-residual")
    less = f"less is taken by {', '.join(ways)} or a smaller network; " if ways else ""
    raise FitError(f"{plan.text}; {less}{_CHOOSE}")


def can_train(board: Board) -> bool:
    """Whether there is firmware for the board that trains."""
    return train_pool_bytes(board) > 0


def trains_one_layer(board: Board) -> bool:
    """Whether its firmware is cut down to one layer, batches of one, and scales that stay."""
    return board.build.train_defines.get("BP_TRAIN_ONE_LAYER") == "1"


def _check_one_layer(board: Board, image: bytes, config: Config) -> None:
    ops = decode(image).ops
    n = sum(isinstance(op, Dense) for op in ops)
    wrong = [
        f"{given} given"
        for given, is_wrong in (
            (f"{n} layers", n > 1),
            ("a softmax", any(isinstance(op, Softmax) for op in ops)),
            ("a QUANTIZE", any(isinstance(op, Rescale) for op in ops)),
            (f"batches of {config.batch}", config.batch > 1),
            ("momentum", config.momentum_shift > 0),
            ("scales that move", config.window > 0),
        )
        if is_wrong
    ]
    if wrong:
        raise FitError(
            f"{board.name}: its firmware trains one dense layer alone, sample by sample, with "
            f"fixed scales; {', '.join(wrong)}; {_CHOOSE}"
        )


def can_save(board: Board) -> bool:
    """Whether the board keeps what it learnt in its own flash."""
    return can_train(board) and board.memory.save_slot_bytes > 0


def plan_or_none(board: Board, image: bytes, config: Config) -> TrainingFit | None:
    """None where it cannot be trained."""
    try:
        return plan_training(board, image, config)
    except (TrainingError, FitError):
        return None


_CHOOSE = "`byteprop info` shows the boards that can train a model"
