"""Firmware from sources: what fits, what is compiled how, and a cache keyed by content.

Nothing here knows a board by name: everything comes from its board.toml. The same sources, flags,
board, image and compiler give the same bytes and the same build id.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from byteprop import _paths
from byteprop.errors import ArgumentError

from .boards import NATIVE, Board, Memory, boards_root
from .elf import Elf, flash_image, intel_hex, read_elf
from .errors import BuildError, FitError, ToolMissingError
from .firmware import Firmware, cache_dir
from .fit import (
    Fit,
    arena_bytes,
    baked_image,
    check_fit,
    check_train_fit,
    compare,
    fit,
    round_up_4,
    train_fit,
    train_pool_bytes,
)
from .native import native_firmware

__all__ = [
    "Firmware",
    "Fit",
    "Progress",
    "arena_bytes",
    "build",
    "cache_dir",
    "check_fit",
    "check_train_fit",
    "fit",
    "train_fit",
]

Progress = Callable[[str, int, int], None]

_COMMON_FLAGS = (
    "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes"
    " -Wmissing-prototypes -Wundef -ffunction-sections -fdata-sections -fno-common"
).split()
# No start-up files and no C library: the parts of boards/ bring all that is needed.
_FREESTANDING_LINK = ("-nostdlib", "-nostartfiles")

_SHOWN_COMMAND = 1500  # characters of a command that failed

_KERNEL_FOLDERS = ("kernels", "isa", "infer")
_TRAIN_FOLDER = "train"
_LIBRARY_FOLDERS = ("model", "link")
_PROGRAM_FOLDER = "app"

# Variables that exist only for the line; what a program without the link would not have.
_LINE_BUFFERS = ("bp_ring", "bp_app_frame", "bp_app_slots")


# ---------------------------------------------------------------------------------------------
# Where things are


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


@cache
def _version(program: Path) -> str:
    done = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=False, timeout=30.0
    )
    return done.stdout


# ---------------------------------------------------------------------------------------------
# What is compiled how


@dataclass(frozen=True)
class _Unit:
    """One source file and the flags for it."""

    source: Path
    flags: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    """Everything that decides the bytes of a firmware."""

    board: Board
    compiler: Path
    csrc: Path
    boards: Path
    image: bytes | None
    program: tuple[Path, ...]  # sources of the program; empty: csrc/app
    defines: Mapping[str, str]
    flags: tuple[str, ...]
    train: bool = False

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
        """What changes with the model; kept from the other files, so that those stay cached."""
        if self.train:
            pool = train_pool_bytes(self.board)
        elif self.image is None:
            pool = self.board.memory.pool_bytes
        else:
            pool = arena_bytes(self.image)
        given = {
            "BP_APP_TRAIN": "1" if self.train else "0",
            "BP_POOL_BYTES": f"{round_up_4(pool)}UL",
            "BP_BAKED_MODEL": "0" if self.image is None else "1",
        }
        return {name: v for name, v in given.items() if name not in self.defines}

    def units(self) -> list[_Unit]:
        build = self.board.build
        base = (*_COMMON_FLAGS, *build.flags, *self.flags, *_define_flags(self.board_defines()))
        if self.is_freestanding():
            base = (*base, "-ffreestanding")
        base = (*base, *(f"-I{folder}" for folder in self.includes()))
        trains = (_TRAIN_FOLDER,) if self.train or self.program else ()
        kernels = _sources(self.csrc, (*_KERNEL_FOLDERS, *trains))
        others = _sources(self.csrc, _LIBRARY_FOLDERS) + sorted(self.csrc.glob("*.c"))
        for folder in self.parts():
            others += sorted([*folder.glob("*.c"), *folder.glob("*.S")])
        program = list(self.program) or sorted((self.csrc / _PROGRAM_FOLDER).glob("*.c"))
        model = _define_flags(self.program_defines())
        return [
            *(_Unit(s, (*base, *build.kernel_flags)) for s in kernels),
            *(_Unit(s, (*base, *build.program_flags)) for s in others),
            *(_Unit(s, (*base, *build.program_flags, *model)) for s in program),
        ]

    def is_freestanding(self) -> bool:
        return self.linker_script() is not None

    def linker_script(self) -> Path | None:
        """The base linker script, if a part has one; else the toolchain's own serves."""
        for folder in self.parts():
            if (folder / "link.ld").is_file():
                return folder / "link.ld"
        return None

    def id_define(self, build_id: int) -> tuple[str, ...]:
        return (f"-DBP_BUILD_ID=0x{build_id:016x}ULL",)


def _define_flags(defines: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"-D{name}={value}" for name, value in defines.items())


def _sources(root: Path, folders: Sequence[str]) -> list[Path]:
    return [s for folder in folders for s in sorted((root / folder).rglob("*.c"))]


# ---------------------------------------------------------------------------------------------
# Build


def build(
    board: Board,
    image: bytes | None = None,
    *,
    defines: Mapping[str, str] | None = None,
    flags: Sequence[str] = (),
    program: Sequence[Path] = (),
    train: bool = False,
    progress: Progress | None = None,
) -> Firmware:
    """Builds the device program for `board`, or takes it from the cache.

    image: a model image to bake into flash; without one, models are uploaded into the pool.
    program: C files that take the place of csrc/app. train: with training, and all RAM that is left
    for it. Raises FitError, ToolMissingError, BuildError.
    """
    if board.build.toolchain == NATIVE:
        if image is not None or program:
            raise ArgumentError(f"image: {board.name} has no flash to bake a model into; upload it")
        return native_firmware(board, dict(defines or {}))
    if train:
        _check_training(board, image)
        stack = board.memory.train_stack_bytes or board.memory.stack_bytes
        board = replace(board, memory=replace(board.memory, stack_bytes=stack))
        if flags_for_it := board.build.train_flags:
            settings = replace(
                board.build, kernel_flags=flags_for_it, program_flags=flags_for_it
            )
            board = replace(board, build=settings)
    elif not program:
        check_fit(board, image)
    job = _Job(
        board=board,
        compiler=compiler(board),
        csrc=_paths.csrc(),
        boards=boards_root(),
        image=None if image is None else baked_image(image),
        program=tuple(p.resolve() for p in program),
        defines=dict(defines or {}),
        flags=tuple(flags),
        train=train,
    )
    return _built(job, progress or (lambda stage, done, total: None))


def _check_training(board: Board, image: bytes | None) -> None:
    """What can be told before the configuration of training is known."""
    if image is not None and board.build.train_defines.get("BP_ROM_IS_RAM") == "1":
        raise ArgumentError(f"image: {board.name} trains what was uploaded, not what is in flash")
    if train_pool_bytes(board) == 0:
        raise FitError(f"{board.name}: the firmware with training does not fit this board")


def _built(job: _Job, progress: Progress) -> Firmware:
    units = job.units()
    headers = _headers_digest(job)
    build_id = _build_id(job, units, headers)
    folder = cache_dir() / "firmware" / f"{build_id:016x}"
    if not (folder / "sizes.json").is_file():
        objects = _compile_all(job, units, headers, build_id, progress)
        progress("link", 0, 1)
        _link_into(folder, job, objects)
        progress("link", 1, 1)
    return _firmware(job, folder, build_id)


def _firmware(job: _Job, folder: Path, build_id: int) -> Firmware:
    sizes: dict[str, int] = json.loads((folder / "sizes.json").read_text(encoding="ascii"))
    _check_sizes(job.board, sizes, job.train)
    return Firmware(
        board=job.board,
        elf=folder / "firmware.elf",
        hex=folder / "firmware.hex",
        binary=folder / "firmware.bin",
        build_id=build_id,
        flash_bytes=sizes["flash"],
        ram_bytes=sizes["ram"],
        model_bytes=sizes["model"],
        sizes=sizes,
    )


def _check_sizes(board: Board, sizes: Mapping[str, int], train: bool) -> None:
    memory = board.memory
    flash = memory.flash_bytes - (2 * memory.save_slot_bytes if train else 0)
    exact = compare(board, sizes["ram"], memory.ram_bytes, sizes["flash"], flash)
    if not exact.ok:
        raise FitError(exact.text)


def _digest(*parts: object) -> str:
    h = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()


def _headers_digest(job: _Job) -> str:
    files: list[Path] = []
    for folder in job.includes():
        pattern = "**/*.h" if folder == job.csrc else "*.h"
        files += sorted(folder.glob(pattern))
    return _digest(*(f.read_bytes() for f in files))


def _portable_flags(job: _Job, flags: Sequence[str]) -> list[str]:
    """Flags without the folder of the checkout, which must not decide the build id."""
    roots = [(str(job.csrc), "csrc"), (str(job.boards), "boards"), (str(job.board.folder), "board")]
    cleaned = []
    for flag in flags:
        for root, name in roots:
            flag = flag.replace(root, name)
        cleaned.append(flag)
    return cleaned


def _build_id(job: _Job, units: Sequence[_Unit], headers: str) -> int:
    script = job.linker_script()
    digest = _digest(
        _version(job.compiler),
        headers,
        script.read_bytes() if script else b"",
        _memory_ld(job.board.memory),
        job.board.build.link_flags,
        job.image or b"",
        *(_portable_flags(job, u.flags) for u in units),
        *(u.source.name for u in units),
        *(u.source.read_bytes() for u in units),
    )
    return int(digest[:16], 16)


def _compile_all(
    job: _Job, units: Sequence[_Unit], headers: str, build_id: int, progress: Progress
) -> list[Path]:
    done = 0
    progress("compile", done, len(units))
    program = set(job.program) or set((job.csrc / _PROGRAM_FOLDER).glob("*.c"))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        futures = [
            pool.submit(
                _compile, job, u, headers, job.id_define(build_id) if u.source in program else ()
            )
            for u in units
        ]
        objects = []
        for future in futures:
            objects.append(future.result())
            done += 1
            progress("compile", done, len(units))
    return objects


def _compile(job: _Job, unit: _Unit, headers: str, more: tuple[str, ...]) -> Path:
    """The object file of one source, from the cache when it was compiled before."""
    flags = (*unit.flags, *more)
    key = _digest(
        _version(job.compiler),
        headers,
        _portable_flags(job, flags),
        unit.source.name,
        unit.source.read_bytes(),
    )
    target = cache_dir() / "objects" / key[:2] / f"{key}.o"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = Path(scratch) / "unit.o"
        # From the folder of the sources, so that __FILE__ is the same in every checkout.
        _run(job.compiler, [*flags, "-c", _relative(unit.source, job.csrc), "-o", made], job.csrc)
        made.replace(target)
    return target


def _relative(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


class _CommandFailed(BuildError):
    def __init__(self, text: str, output: str) -> None:
        super().__init__(text)
        self.output = output


def _run(program: Path, args: Sequence[str | Path], cwd: Path) -> None:
    done = subprocess.run(
        [program, *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300.0,
        env={**os.environ, "LC_ALL": "C"},
    )
    if done.returncode:
        shown = shlex.join(str(a) for a in (program.name, *args))
        if len(shown) > _SHOWN_COMMAND:
            shown = f"{shown[:_SHOWN_COMMAND]} ..."
        raise _CommandFailed(f"{done.stderr.strip()}\nthe command was: {shown}", done.stderr)


def _link_into(folder: Path, job: _Job, objects: Sequence[Path]) -> None:
    """Makes the whole folder aside and puts it in place at once; another process may be faster."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        _link(job, objects, made)
        if folder.is_dir() and not (folder / "sizes.json").is_file():
            shutil.rmtree(folder)
        try:
            made.rename(folder)
        except OSError:
            if not (folder / "sizes.json").is_file():
                raise


def _link(job: _Job, objects: Sequence[Path], made: Path) -> None:
    elf = made / "firmware.elf"
    if job.image is not None:
        objects = [*objects, _image_object(job, made)]
    _link_elf(job, objects, made, elf)
    content = read_elf(elf)
    start, image = flash_image(content)
    (made / "firmware.bin").write_bytes(image)
    (made / "firmware.hex").write_text(intel_hex(start, image), encoding="ascii")
    (made / "sizes.json").write_text(json.dumps(_sizes(job, content)), encoding="ascii")


def _memory_ld(memory: Memory) -> str:
    return (
        "MEMORY {\n"
        f"    FLASH (rx) : ORIGIN = {memory.flash_origin:#x}, LENGTH = {memory.flash_bytes}\n"
        f"    RAM (rwx) : ORIGIN = {memory.ram_origin:#x}, LENGTH = {memory.ram_bytes}\n"
        "}\n"
        f"bp_stack_bytes = {memory.stack_bytes};\n"
    )


def _link_elf(job: _Job, objects: Sequence[Path], folder: Path, elf: Path) -> None:
    try:
        _link_once(job, objects, folder, elf)
    except _CommandFailed as error:
        if job.linker_script() is None or not _is_overflow(error.output):
            raise
        # Linked once more into memory without end, to say how much is needed.
        memory = job.board.memory
        roomy = replace(
            memory, flash_bytes=memory.flash_bytes + 2**27, ram_bytes=memory.ram_bytes + 2**27
        )
        _link_once(replace(job, board=replace(job.board, memory=roomy)), objects, folder, elf)
        _check_sizes(job.board, _sizes(job, read_elf(elf)), job.train)
        raise


def _is_overflow(output: str) -> bool:
    return any(
        s in output for s in ("overflowed by", "will not fit in region", "overlap", "is full")
    )


def _link_once(job: _Job, objects: Sequence[Path], folder: Path, elf: Path) -> None:
    script = job.linker_script()
    build = job.board.build
    args: list[str | Path] = [*build.flags, *build.program_flags, *job.flags, *objects, "-o", elf]
    args += ["-Wl,--gc-sections", *build.link_flags]
    if script is not None:
        (folder / "memory.ld").write_text(_memory_ld(job.board.memory), encoding="ascii")
        args += [*_FREESTANDING_LINK, f"-L{folder}", "-T", script, "-lgcc"]
    _run(job.compiler, args, folder)


_IMAGE_SOURCE = """\
#ifdef __AVR__
    .section .progmem.data.bp_model, "a", %progbits
#else
    .section .bp_model, "a", %progbits
#endif
    .balign 16
    .globl bp_model_image
    .type bp_model_image, %object
bp_model_image:
    .incbin "model.bpm"
    .size bp_model_image, . - bp_model_image
    .section .rodata.bp_model_image_bytes, "a", %progbits
    .balign 4
    .globl bp_model_image_bytes
    .type bp_model_image_bytes, %object
bp_model_image_bytes:
    .long @BYTES@
    .size bp_model_image_bytes, 4
"""


def _image_object(job: _Job, folder: Path) -> Path:
    assert job.image is not None
    (folder / "model.bpm").write_bytes(job.image)
    source = folder / "model.S"
    source.write_text(_IMAGE_SOURCE.replace("@BYTES@", str(len(job.image))), encoding="ascii")
    made = folder / "model.o"
    _run(job.compiler, [*job.board.build.flags, "-c", source, "-o", made], folder)
    return made


def _sizes(job: _Job, elf: Elf) -> dict[str, int]:
    """Bytes by use. "ram" holds everything that is reserved, the stack too."""
    memory = job.board.memory
    start, image = flash_image(elf)
    in_ram = [s for s in elf.sections if _is_ram(memory, s.address)]
    data = [s for s in in_ram if s.name != ".stack"]
    data_end = max((s.address + s.size for s in data), default=memory.ram_origin)
    stack = elf.section_bytes(".stack") or memory.stack_bytes
    return {
        "flash": start + len(image) - memory.flash_origin,
        "ram": data_end - memory.ram_origin + stack,
        "stack": stack,
        "model": len(job.image) if job.image is not None else 0,
        "pool": elf.objects.get("bp_app_pool", 0),
        "line_buffers": sum(elf.objects.get(name, 0) for name in _LINE_BUFFERS),
    }


def _is_ram(memory: Memory, address: int) -> bool:
    """Of the two memories, the one that begins nearer below the address."""
    origins = (memory.flash_origin, memory.ram_origin)
    below = [origin for origin in origins if origin <= address]
    return bool(below) and max(below) == memory.ram_origin
