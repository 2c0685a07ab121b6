"""Builds firmware from sources, with a cache keyed by content.

Nothing here knows a board by name: everything comes from its board.toml. The same sources, flags,
board, image and compiler give the same bytes and the same build id.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from byteprop.errors import ArgumentError
from byteprop.support import paths
from byteprop_host.boards.board import NATIVE, SKETCH, Board, boards_root
from byteprop_host.console import Progress, no_progress
from byteprop_host.errors import DoesNotFitError, ToolMissingError
from byteprop_host.firmware.build_plan import BuildPlan
from byteprop_host.firmware.capacity import (
    check_memory,
    detector_bytes,
    firmware_image,
    training_pool_bytes,
)
from byteprop_host.firmware.firmware import Firmware, cache_dir
from byteprop_host.firmware.linker import check_sizes, link_firmware, memory_ld
from byteprop_host.firmware.mlperf_tiny import MlperfTiny, check_board
from byteprop_host.firmware.native import native_firmware
from byteprop_host.firmware.objects import Compiler, digest_of
from byteprop_host.firmware.sketch import sketch_firmware


def compiler(board: Board) -> Path:
    """The board's C compiler. Raises ToolMissingError with what to install."""
    name = f"{board.build.toolchain}-gcc"
    path = shutil.which(name)
    if path is None:
        raise ToolMissingError(
            f"{name} is not installed, and {board.name} needs it: "
            f"sudo apt-get install {board.build.install}"
        )
    return Path(path)


def build(
    board: Board,
    image: bytes | None = None,
    *,
    defines: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    program: Sequence[Path] = (),
    train: bool = False,
    anomaly: bool = False,
    mlperf: str | None = None,
    progress: Progress = no_progress,
) -> Firmware:
    """Builds the device program for `board`, or takes it from the cache.

    image: a model image to bake into flash; without one, models are uploaded into the pool.
    program: C files to compile instead of csrc/app. train: with training, which gets all remaining
    RAM. anomaly: with a detector of anomalies. mlperf: the benchmark of MLPerf Tiny whose runner
    the firmware speaks to, instead of the link. Raises DoesNotFitError, ToolMissingError,
    BuildError.
    """
    benchmark = None
    if mlperf is not None:
        check_board(board)
        benchmark = MlperfTiny.of(mlperf, image)
    if board.build.toolchain == NATIVE:
        if image is not None or program:
            raise ArgumentError(f"image: {board.name} has no flash to bake a model into; upload it")
        return native_firmware(board, dict(defines or {}), progress)
    if board.build.toolchain == SKETCH:
        return sketch_firmware(board)
    if train:
        _check_training(board, image)
        stack = board.memory.train_stack_bytes or board.memory.stack_bytes
        board = replace(board, memory=replace(board.memory, stack_bytes=stack))
        if flags_for_it := board.build.train_flags:
            settings = replace(board.build, kernel_flags=flags_for_it, program_flags=flags_for_it)
            board = replace(board, build=settings)
    elif not program:
        more = benchmark.buffer_bytes if benchmark else 0
        if anomaly and image is not None:
            more += detector_bytes(image)
        check_memory(board, image, more_ram=more)
    plan = BuildPlan(
        board=board,
        compiler=compiler(board),
        csrc=paths.csrc(),
        boards=boards_root(),
        image=None if image is None else firmware_image(board, image, train=train),
        program=tuple(p.resolve() for p in program),
        defines=dict(defines or {}),
        flags=tuple(flags),
        train=train,
        anomaly=anomaly,
        mlperf=benchmark,
    )
    return _built(plan, progress)


def _check_training(board: Board, image: bytes | None) -> None:
    """Checks everything that does not depend on the configuration of training."""
    if image is not None and board.build.train_defines.get("BP_ROM_IS_RAM") == "1":
        raise ArgumentError(
            f"image: {board.name} trains an uploaded model, not one in flash; upload it"
        )
    if training_pool_bytes(board) == 0:
        raise DoesNotFitError(f"{board.name}: the firmware with training does not fit this board")


def _built(plan: BuildPlan, progress: Progress) -> Firmware:
    objects_of = Compiler(
        plan.compiler,
        ((plan.csrc, "csrc"), (plan.board.folder, "board"), (plan.boards, "boards")),
    )
    units = plan.units()
    build_id = _build_id(plan, [objects_of.digest(unit) for unit in units])
    folder = cache_dir() / "firmware" / f"{build_id:016x}"
    if not (folder / "sizes.json").is_file():
        named = [unit.with_defines(plan.id_define(build_id)) for unit in units]
        objects = objects_of.compile_all(named, progress)
        progress("link", 0, 1)
        link_firmware(folder, plan, objects)
        progress("link", 1, 1)
    return _firmware(plan, folder, build_id)


def _firmware(plan: BuildPlan, folder: Path, build_id: int) -> Firmware:
    sizes: dict[str, int] = json.loads((folder / "sizes.json").read_text(encoding="ascii"))
    check_sizes(plan.board, sizes, plan.saves())
    return Firmware(
        board=plan.board,
        elf=folder / "firmware.elf",
        hex=folder / "firmware.hex",
        binary=folder / "firmware.bin",
        uf2=folder / "firmware.uf2" if plan.board.build.uf2_family else None,
        build_id=build_id,
        flash_bytes=sizes["flash"],
        ram_bytes=sizes["ram"],
        model_bytes=sizes["model"],
        sizes=sizes,
    )


def _build_id(plan: BuildPlan, units: Sequence[str]) -> int:
    """units: the digest of each."""
    script = plan.linker_script()
    digest = digest_of(
        script.read_bytes() if script else b"",
        memory_ld(plan.board.memory),
        plan.board.build.link_flags,
        plan.board.build.uf2_family,
        plan.image or b"",
        *units,
    )
    return int(digest[:16], 16)
