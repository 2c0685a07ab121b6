"""Whether a board can train a model: known before anything is built or flashed."""

from __future__ import annotations

from dataclasses import replace

from byteprop.engine._raw_train import Config
from byteprop.errors import TrainingError
from byteprop.image import decode
from byteprop.ops import Dense, Rescale, Reshape, Softmax
from byteprop.training.trainable import first_trained
from byteprop_host.boards.board import Board
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.capacity import TrainingNeeds, training_needs, training_pool_bytes

_CHOOSE = "`byteprop info` shows the boards that can train a model"


def plan_training(
    board: Board, image: bytes, config: Config, *, anomaly: bool = False
) -> TrainingNeeds:
    """Exact: of a model in flash where `stays_in_flash`, else of one that is uploaded. anomaly:
    with a detector of anomalies.

    TrainingError when the model cannot be trained at all; DoesNotFitError when the board has no
    firmware that trains it.
    """
    if not can_train(board):
        raise DoesNotFitError(f"{board.name}: the firmware that trains does not fit; {_CHOOSE}")
    in_flash = stays_in_flash(board, image, config)
    needs = training_needs(board, image, replace(config, in_flash=in_flash), anomaly=anomaly)
    if trains_one_layer(board):
        _check_one_layer(board, image, config)
    return needs


def stays_in_flash(board: Board, image: bytes, config: Config) -> bool:
    """Whether the model is trained from the board's flash: where that saves RAM, as something with
    weights is before the first layer that is trained, and the board can."""
    if not board.is_baked or board.build.train_defines.get("BP_ROM_IS_RAM") == "1":
        return False
    graph = decode(image)
    if config.window or not any(isinstance(op, Dense) for op in graph.ops):
        return False
    before = graph.ops[: first_trained(graph, config)]
    return not all(isinstance(op, (Reshape, Rescale)) for op in before)


def check_plan(needs: TrainingNeeds, config: Config) -> None:
    """Raises DoesNotFitError, with the numbers and what would need less."""
    if needs.ok:
        return
    ways = []
    if config.batch > 1:
        ways.append("--batch-size 1")
    if config.momentum_shift:
        ways.append("no --momentum")
    if config.residual:
        ways.append("--no-residual")
    less = f"{', '.join(ways)} or a smaller network needs less; " if ways else ""
    raise DoesNotFitError(f"{needs.text}; {less}{_CHOOSE}")


def can_train(board: Board) -> bool:
    """Whether the board has firmware that can train."""
    return training_pool_bytes(board) > 0


def trains_one_layer(board: Board) -> bool:
    """Whether its firmware is limited to one layer, batches of one sample, and fixed scales."""
    return board.build.train_defines.get("BP_TRAIN_ONE_LAYER") == "1"


def _check_one_layer(board: Board, image: bytes, config: Config) -> None:
    ops = decode(image).ops
    n = sum(isinstance(op, Dense) for op in ops)
    wrong = [
        what
        for what, is_wrong in (
            (f"{n} layers", n > 1),
            ("a softmax", any(isinstance(op, Softmax) for op in ops)),
            ("a QUANTIZE", any(isinstance(op, Rescale) for op in ops)),
            (f"batches of {config.batch}", config.batch > 1),
            ("momentum", config.momentum_shift > 0),
            ("scales that change", config.window > 0),
        )
        if is_wrong
    ]
    if wrong:
        raise DoesNotFitError(
            f"{board.name}: its firmware expects one dense layer, trained sample by sample, with "
            f"fixed scales, got {', '.join(wrong)}; {_CHOOSE}"
        )


def can_save(board: Board) -> bool:
    """Whether the board can save what it learned in its own flash."""
    return can_train(board) and board.memory.save_slot_bytes > 0


def plan_or_none(board: Board, image: bytes, config: Config) -> TrainingNeeds | None:
    """None where it cannot be trained."""
    try:
        return plan_training(board, image, config)
    except (TrainingError, DoesNotFitError):
        return None
