"""The inputs of a build: sources and flags, which decide every byte of the firmware."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from byteprop.graph import Kind
from byteprop.image import all_ops, model_defines, op_defines, tensor_kinds
from byteprop.image.rows import ROW_OPS
from byteprop.training.trainable import TRAINED_OPS
from byteprop_host.boards.board import Board
from byteprop_host.errors import BuildError
from byteprop_host.firmware.c_source import Headers
from byteprop_host.firmware.capacity import (
    DETECTOR_BYTES,
    arena_bytes,
    detector_pool_bytes,
    round_up,
    training_pool_bytes,
)
from byteprop_host.firmware.mlperf_tiny import MlperfTiny
from byteprop_host.firmware.objects import CompileUnit

_COMMON_FLAGS = (
    "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes"
    " -Wmissing-prototypes -Wundef -ffunction-sections -fdata-sections -fno-common"
).split()

_KERNEL_FOLDERS = ("kernels", "isa")
_TRAIN_FOLDER = "train"
_ANOMALY_FOLDER = "anomaly"
_LIBRARY_FOLDERS = ("link",)
# These depend on the ops of the firmware, as does training, and are compiled again for other ops.
_OP_FOLDERS = ("infer", "model", "ops")
_PROGRAM_FOLDER = "app"
_MLPERF_FOLDER = "mlperf"


@dataclass(frozen=True)
class BuildPlan:
    """Everything that decides the bytes of a firmware."""

    board: Board
    compiler: Path
    csrc: Path
    boards: Path
    image: bytes | None
    program: tuple[Path, ...]  # sources of the program; empty: csrc/app, or csrc/mlperf
    defines: Mapping[str, str]
    flags: tuple[str, ...]
    train: bool = False
    anomaly: bool = False
    mlperf: MlperfTiny | None = None

    def parts(self) -> list[Path]:
        folders = [self.boards / part for part in self.board.build.parts]
        for folder in folders:
            if not folder.is_dir():
                raise BuildError(
                    f"{self.board.folder / 'board.toml'}: build.parts names {folder.name!r}, "
                    f"but there is no folder {folder}"
                )
        return [*folders, self.board.folder]

    def includes(self) -> list[Path]:
        return [self.csrc / "include", self.csrc, *self.parts()]

    def board_defines(self) -> dict[str, str]:
        board = self.board
        return {
            "BP_BOARD_NAME": f'"{board.name}"',
            "BP_BOARD_CPU": f'"{board.cpu}"',
            "BP_TICK_KIND": f"BP_TICK_{board.clock.tick.name}",
            "BP_TICK_HZ": f"{board.clock.tick_hz}UL",
            "BP_CLOCK_HZ": f"{board.clock.hz}UL",
            "BP_BAUD": f"{board.serial.baud}UL",
            "BP_RAM_BYTES": f"{board.memory.ram_bytes}UL",
            "BP_FLASH_BYTES": f"{board.memory.flash_bytes}UL",
            "BP_LINK_MAX_PAYLOAD": f"{board.serial.max_payload}",
            "BP_LINK_RX_WINDOW": f"{board.serial.rx_window}",
            "BP_LINK_SLOTS": f"{board.serial.slots}",
            "BP_LINK_SLOT_BYTES": f"{board.serial.slot_bytes}",
            "BP_SAVE_SLOT_BYTES": f"{board.memory.save_slot_bytes}UL",
            "BP_FLASH_PAGE_BYTES": f"{board.memory.flash_page_bytes}UL",
            "BP_FLASH_END": f"{board.memory.flash_origin + board.memory.flash_bytes:#x}UL",
            **board.build.defines,
            **(board.build.train_defines if self.train else {}),
            **self.defines,
        }

    def program_defines(self) -> dict[str, str]:
        """Defines that depend on the model. Other files lack them, so that they stay cached."""
        if self.train:
            pool = training_pool_bytes(self.board) - (DETECTOR_BYTES if self.anomaly else 0)
        elif self.image is None:
            pool = self.board.memory.pool_bytes
        else:
            pool = arena_bytes(self.image)
            if self.anomaly:
                pool = detector_pool_bytes(self.image)
        given = {
            "BP_APP_TRAIN": "1" if self.train else "0",
            **({"BP_APP_ANOMALY": "1"} if self.anomaly else {}),
            "BP_POOL_BYTES": f"{round_up(pool, 4)}UL",
            "BP_BAKED_MODEL": "0" if self.image is None else "1",
            "BP_APP_ROWS": "1" if self.has_rows() else "0",
            **({} if self.mlperf is None else self.mlperf.defines()),
        }
        return {name: v for name, v in given.items() if name not in self.defines}

    def has_rows(self) -> bool:
        """Whether models that are fed row by row can be run."""
        if self.image is not None:
            return bool(tensor_kinds(self.image) >> Kind.ROWS & 1)
        return not self.train and bool(ROW_OPS & frozenset(self.board.build.ops or all_ops()))

    def op_defines(self) -> dict[str, str]:
        """The ops and kinds of tensors of the firmware: those of the model in its flash, else those
        that board.toml lists, and if it trains, of these what a trained model can have."""
        ops = frozenset(self.board.build.ops or all_ops())
        if self.image is not None:
            given = model_defines(self.image)
        elif self.train:
            kinds = {"BP_KINDS": f"{1 << Kind.ACTIVATION.value:#x}"}
            given = {**op_defines(ops & TRAINED_OPS), **kinds}
        else:
            given = op_defines(ops)
            if not self.has_rows():
                given["BP_KINDS"] = f"{(1 << Kind.ROWS) - 1:#x}"
        return {name: v for name, v in given.items() if name not in self.board_defines()}

    def units(self) -> list[CompileUnit]:
        build, defines = self.board.build, self.board_defines()
        of_ops, headers = defines | self.op_defines(), Headers(self.includes())
        trains = _sources(self.csrc, (_TRAIN_FOLDER,)) if self.train or self.program else []
        kernels = _sources(self.csrc, _KERNEL_FOLDERS)
        if self.anomaly:
            kernels += _sources(self.csrc, (_ANOMALY_FOLDER,))
            kernels += () if trains else [self.csrc / _TRAIN_FOLDER / "real.c"]
        readers = _sources(self.csrc, _OP_FOLDERS)
        others = _sources(self.csrc, _LIBRARY_FOLDERS) + sorted(self.csrc.glob("*.c"))
        for folder in self.parts():
            others += sorted([*folder.glob("*.c"), *folder.glob("*.S")])
        return [
            *self._units(kernels, headers, build.kernel_flags, defines),
            *self._units(trains, headers, build.kernel_flags, of_ops),
            *self._units(readers, headers, build.program_flags, of_ops),
            *self._units(others, headers, build.program_flags, defines),
            *self._units(
                self.program_sources(),
                headers,
                build.program_flags,
                defines | self.program_defines(),
            ),
        ]

    def _units(
        self,
        files: Sequence[Path],
        headers: Headers,
        flags: Sequence[str],
        defines: Mapping[str, str],
    ) -> Iterator[CompileUnit]:
        base = (*_COMMON_FLAGS, *self.board.build.flags, *self.flags)
        if self.is_freestanding():
            base = (*base, "-ffreestanding")
        for file in files:
            yield CompileUnit.of(
                file, flags=base, defines=defines, headers=headers, last_flags=flags
            )

    def program_sources(self) -> list[Path]:
        """The device program, which alone depends on the model's sizes."""
        folder = _PROGRAM_FOLDER if self.mlperf is None else _MLPERF_FOLDER
        return list(self.program) or sorted((self.csrc / folder).glob("*.c"))

    def saves(self) -> bool:
        """Whether the firmware writes to the slots at the end of flash."""
        return self.train or self.anomaly

    def is_freestanding(self) -> bool:
        return self.linker_script() is not None

    def linker_script(self) -> Path | None:
        """The linker script, if a part has one; None: the toolchain's own."""
        for folder in self.parts():
            if (folder / "link.ld").is_file():
                return folder / "link.ld"
        return None

    def id_define(self, build_id: int) -> dict[str, str]:
        """The macro of the one file that reports the build id."""
        return {"BP_BUILD_ID": f"0x{build_id:016x}ULL"}


def _sources(root: Path, folders: Sequence[str]) -> list[Path]:
    return [s for folder in folders for s in sorted((root / folder).rglob("*.c"))]
