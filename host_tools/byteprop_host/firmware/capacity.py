"""Whether a model fits a board, from board.toml alone: no toolchain is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from byteprop.engine import _raw_train
from byteprop.engine._raw import Engine, const
from byteprop.image import features, without_names
from byteprop_host.boards.board import Board
from byteprop_host.boards.op_flash import op_flash_bytes
from byteprop_host.errors import DoesNotFitError

# A detector of anomalies, aligned, and a byte beside it (csrc/app/detector.c).
DETECTOR_BYTES = const("BP_ANOMALY_BYTES") + 12
# Instruction sets whose kernels take rows of halfwords in dense layers (docs/format.md).
_HALFWORD_ISAS = frozenset({"armv7em"})

# Flash of training in images, which board.toml's train_flash_bytes leaves out: of ops that most
# boards' firmware for uploads has not.
IMAGE_TRAINING_BYTES = 20_480
_IMAGE_OPS = frozenset({"conv", "depthwise", "pad", "add", "concatenate"})


@dataclass(frozen=True)
class MemoryNeeds:
    """Bytes that firmware needs, and bytes that the board has. text: both in words."""

    ram_needed: int
    ram_available: int
    flash_needed: int
    flash_available: int
    ok: bool
    text: str


@dataclass(frozen=True)
class TrainingNeeds(MemoryNeeds):
    """ram_needed is all of it: firmware with stack, the model image, activations, and what training
    needs in addition; state_bytes is the part of training_bytes that a checkpoint keeps. in_flash:
    the image stays in flash, and training_bytes has the layers that learn."""

    image_bytes: int
    arena_bytes: int
    training_bytes: int
    state_bytes: int
    in_flash: bool = False

    @property
    def saved_bytes(self) -> int:
        """Of a save in the board's flash, which knows an image that stays in flash by its CRC."""
        return self.state_bytes + (4 if self.in_flash else self.image_bytes)


def pool_needs(image_bytes: int, arena_bytes: int) -> int:
    """Bytes of the board's pool that an uploaded image takes with its arena (csrc/app/pool.c)."""
    return round_up(image_bytes, const("BP_POOL_ALIGNMENT")) + arena_bytes


def arena_bytes(image: bytes) -> int:
    """The arena of a model image."""
    return Engine(image).arena_bytes


@dataclass(frozen=True)
class ModelSizes:
    """What boards have to hold of a model image; each size is measured once, for many boards."""

    image: bytes

    @cached_property
    def baked_bytes(self) -> int:
        """Bytes of the image without names, as it is stored in flash."""
        return len(baked_image(self.image))

    @cached_property
    def arena_bytes(self) -> int:
        return arena_bytes(self.image)

    @cached_property
    def ops(self) -> tuple[str, ...]:
        """Names of the ops that firmware must have for it."""
        return tuple(features(self.image))


def memory_needs(
    board: Board,
    image: bytes | ModelSizes | None = None,
    *,
    bake: bool | None = None,
    more_ram: int = 0,
) -> MemoryNeeds:
    """Memory of firmware for inference, with a model (its image, or its sizes) or without.

    bake: the model is stored in flash (default: wherever there is flash); else it is uploaded into
    RAM. more_ram: bytes that the program needs in addition.
    """
    memory = board.memory
    if bake is None:
        bake = board.is_baked
    ram, flash = memory.firmware_ram_bytes + more_ram, memory.firmware_flash_bytes
    ram_available = memory.ram_bytes
    sizes = ModelSizes(image) if isinstance(image, bytes) else image
    if sizes is None:
        ram += memory.pool_bytes
    elif bake:
        flash += sizes.baked_bytes + op_flash_bytes(board, sizes.ops)
        ram += round_up(sizes.arena_bytes, 4)
    else:
        ram += round_up(pool_needs(len(sizes.image), sizes.arena_bytes), 4)
        ram_available = memory.firmware_ram_bytes + memory.pool_bytes
    needs = compare(board, ram, ram_available, flash, memory.flash_bytes)
    if bake and sizes is not None and 0 < memory.model_bytes < sizes.baked_bytes:
        text = (
            f"{board.name}: expected a model of at most {memory.model_bytes:,} bytes, which the "
            f"CPU's pointers reach, got {sizes.baked_bytes:,}"
        )
        return replace(needs, ok=False, text=text)
    return needs


def check_memory(
    board: Board, image: bytes | None = None, *, bake: bool | None = None, more_ram: int = 0
) -> MemoryNeeds:
    """Returns `memory_needs`; raises DoesNotFitError with the numbers if it does not fit."""
    needs = memory_needs(board, image, bake=bake, more_ram=more_ram)
    if not needs.ok:
        raise DoesNotFitError(needs.text)
    return needs


def detector_bytes(image: bytes | ModelSizes) -> int:
    """RAM that a detector of anomalies takes in firmware for inference: its state, and a copy of
    the model's input."""
    opened = Engine(image if isinstance(image, bytes) else image.image)
    return DETECTOR_BYTES + round_up(opened.input_bytes, 4)


def detector_pool_bytes(image: bytes) -> int:
    """The pool of such firmware: the arena, then the copy."""
    opened = Engine(image)
    return opened.arena_bytes + opened.input_bytes


def training_pool_bytes(board: Board) -> int:
    """RAM for the image, the arena and training in firmware that trains; 0: it does not fit."""
    memory = board.memory
    if not board.is_baked:
        return memory.pool_bytes
    return (memory.ram_bytes - memory.train_ram_bytes) & ~3 if memory.train_ram_bytes else 0


def training_needs(
    board: Board, image: bytes, config: _raw_train.Config, *, anomaly: bool = False
) -> TrainingNeeds:
    """Memory of firmware that trains an image: exactly what TRAIN_BEGIN allocates. config.in_flash:
    the image stays in the board's flash; else it is uploaded. anomaly: with a detector.

    TrainingError when the model cannot be trained.
    """
    memory, opened = board.memory, Engine(image)
    plan = _raw_train.plan(opened, config)
    in_ram = opened.arena_bytes if config.in_flash else pool_needs(len(image), opened.arena_bytes)
    flash = 0
    if config.in_flash:
        ops = ModelSizes(image).ops
        flash = len(image) + memory.firmware_flash_bytes + op_flash_bytes(board, ops)
        flash += IMAGE_TRAINING_BYTES if _IMAGE_OPS.intersection(ops) else 0
    needs = compare(
        board,
        memory.train_ram_bytes
        + round_up(in_ram, 4)
        + plan.memory_bytes
        + (detector_bytes(image) if anomaly else 0),
        memory.train_ram_bytes + training_pool_bytes(board),
        memory.train_flash_bytes + flash,
        memory.flash_bytes - 2 * memory.save_slot_bytes,
    )
    where = "which stay in flash" if config.in_flash else "in RAM"
    sizes = (
        f"training needs {plan.memory_bytes:,} bytes in addition to {opened.arena_bytes:,} for "
        f"activations and the model's {len(image):,}, {where}"
    )
    text = (
        f"{sizes}; RAM {needs.ram_needed:,} of {needs.ram_available:,} bytes"
        if needs.ok
        else f"{needs.text}; {sizes}"
    )
    return TrainingNeeds(
        **(vars(needs) | {"text": text}),
        image_bytes=len(image),
        arena_bytes=opened.arena_bytes,
        training_bytes=plan.memory_bytes,
        state_bytes=plan.state_bytes,
        in_flash=config.in_flash,
    )


def compare(
    board: Board, ram: int, ram_available: int, flash: int, flash_available: int
) -> MemoryNeeds:
    """Needs against what is available."""
    lacks = []
    if ram > ram_available:
        lacks.append(f"needs {ram} bytes of RAM, board has {ram_available}")
    if flash > flash_available:
        lacks.append(f"needs {flash} bytes of flash, board has {flash_available}")
    text = (
        f"{board.name}: {'; '.join(lacks)}"
        if lacks
        else f"{board.name}: RAM {ram} of {ram_available} bytes, "
        f"flash {flash} of {flash_available} bytes"
    )
    return MemoryNeeds(ram, ram_available, flash, flash_available, not lacks, text)


def round_up(n: int, step: int) -> int:
    """The next multiple of a power of two."""
    return (n + step - 1) & -step


def baked_image(image: bytes) -> bytes:
    """The image as boards get it, without names: board memory is scarce, and the host has them."""
    return without_names(image)


def firmware_image(board: Board, image: bytes, *, train: bool = False) -> bytes:
    """The image in flash: without names and, unless it may be trained, in the board's own layout of
    weights, of the same size."""
    return without_names(image, halfwords=board.isa in _HALFWORD_ISAS and not train)
