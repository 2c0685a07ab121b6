"""Boards as data: reads `boards/<name>/board.toml` and checks every key of it.

A board is found by name in the folders of `$BYTEPROP_BOARDS` (separated like `$PATH`), then among
the boards that come with byteprop, or by the path of its folder or file. docs/porting.md explains
every key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path

from byteprop.errors import ArgumentError
from byteprop.image import all_ops
from byteprop.support import paths
from byteprop_host.boards.runner import Runner, read_runner
from byteprop_host.boards.toml_table import Table, read_toml
from byteprop_host.errors import BoardFileError, did_you_mean

SCHEMA = 1
SERIAL_LIMITS = {
    "rx_window": (32, 32768),
    "max_payload": (64, 65535 - 16),
    "slots": (1, 255),
    "slot_bytes": (16, 65535 - 16),
}
"""Limits of `[serial]`, and of what a board reports in its answer to HELLO."""
NATIVE = "native"  # the toolchain of a board that is a process of this computer
SKETCH = "sketch"  # of a board whose program another tool builds and writes


class Tier(str, Enum):
    """How a board was tested."""

    HOST = "host"  # a native process; runs in every test run
    EMULATED = "emulated"  # runs in every test run that has the emulator
    HARDWARE = "hardware"  # was run on the real board
    DESCRIBED = "described"  # compiles; not run yet


class Tick(str, Enum):
    """Unit of the board's tick counter (BP_TICK_x of byteprop/link.h)."""

    NONE = "none"
    CYCLES = "cycles"
    TIMER = "timer"
    INSTRUCTIONS = "instructions"


class Same(str, Enum):
    """The part of the board that an emulator emulates."""

    BOARD = "board"
    CPU = "cpu"


class BootBlock(str, Enum):
    """The boot ROM whose demands on the beginning of flash are checked."""

    RP2040 = "rp2040"
    RP2350 = "rp2350"
    ESP32C3 = "esp32c3"


@dataclass(frozen=True)
class Memory:
    """`[memory]`, all in bytes. `firmware_*` is what the program needs without a model."""

    flash_bytes: int
    flash_origin: int
    flash_page_bytes: int
    ram_bytes: int
    ram_origin: int
    stack_bytes: int  # reserved for the stack
    pool_bytes: int  # uploaded image and arena, when no model is baked into the firmware
    firmware_flash_bytes: int
    firmware_ram_bytes: int  # with line buffers and stack, without pool
    train_flash_bytes: int  # the same of firmware that trains; 0: it does not fit the board
    train_ram_bytes: int
    train_stack_bytes: int  # reserved for the stack of firmware that trains
    model_bytes: int  # the largest model in flash that the CPU reaches; 0: all of flash
    save_slot_bytes: int  # of each of the two save slots at the end of flash; 0: none


@dataclass(frozen=True)
class Clock:
    """`[clock]`."""

    hz: int
    tick: Tick
    tick_hz: int


@dataclass(frozen=True)
class Serial:
    """`[serial]`: the line, and the sizes that the firmware's link is built with."""

    baud: int
    rx_window: int  # bytes the receive ring holds
    max_payload: int  # of one frame
    slots: int  # answers kept for repeated requests
    slot_bytes: int  # payload of a kept answer
    usb: tuple[str, ...]  # "vvvv:pppp" in hexadecimal
    quiet_ms: int  # without a byte, in which a boot loader that would take it starts the program


@dataclass(frozen=True)
class BuildSettings:
    """`[build]`: sources, flags and tools."""

    toolchain: str  # prefix of the tools, such as "arm-none-eabi"; or NATIVE, or SKETCH
    install: str  # Debian packages of the toolchain
    parts: tuple[str, ...]  # folders of boards/ whose sources are compiled in
    flags: tuple[str, ...]  # for compiling and linking
    link_flags: tuple[str, ...]  # for linking only
    kernel_flags: tuple[str, ...]  # in addition, for csrc/kernels, csrc/isa and csrc/infer
    program_flags: tuple[str, ...]  # in addition, for everything else
    defines: Mapping[str, str]
    ops: tuple[str, ...]  # that firmware without a model has; empty: all
    train_flags: tuple[str, ...]  # instead of kernel_flags and program_flags, when it trains
    train_defines: Mapping[str, str]  # in addition, for firmware that trains
    uf2_family: int  # of the UF2 file that is made for the boot loader; 0: none
    boot_block: BootBlock | None  # that is checked after linking


@dataclass(frozen=True)
class Emulator:
    """`[emulator]`: QEMU for this board."""

    program: str
    args: tuple[str, ...]  # {elf} is replaced by the firmware
    same: Same
    install: str  # Debian package
    icount: bool  # whether it can count instructions
    restart_to_reset: bool  # its own reset does not work; it is started again
    icount_shift: int  # one instruction lasts 2^shift ns when counted
    note: str  # differences from the real board


@dataclass(frozen=True)
class Proofs:
    """`[proofs]`: what the tests show of a board; tests/hardware/test_proofs.py compares."""

    cpu: tuple[str, ...] = ()  # emulators that run the CPU's code at the chip's addresses
    set_up: bool = False  # a strict model of the chip refuses a set-up that lacks a statement
    flash_tools: tuple[str, ...] = ()  # runners whose real tool wrote to an emulated device
    hardware: str = ""  # the real board that was used, and when

    def names(self) -> list[str]:
        """The proofs in short."""
        return [
            name
            for name, holds in (
                ("CPU", self.cpu),
                ("set-up", self.set_up),
                ("flash tool", self.flash_tools),
                ("hardware", self.hardware),
            )
            if holds
        ]


@dataclass(frozen=True)
class Board:
    """A board as its board.toml describes it."""

    name: str
    title: str
    vendor: str
    url: str
    arch: str
    cpu: str
    isa: str  # folder of csrc/isa that suits the CPU, or ""
    tier: Tier
    memory: Memory
    clock: Clock
    serial: Serial
    build: BuildSettings
    runners: tuple[Runner, ...]
    emulator: Emulator | None
    proofs: Proofs
    folder: Path = field(compare=False)

    @property
    def is_baked(self) -> bool:
        """Whether a model is linked into its firmware rather than uploaded."""
        return self.build.toolchain not in (NATIVE, SKETCH)

    def instructions(self, ticks: int) -> float | None:
        """Converts `ticks` under the emulator into instructions; None when unknown."""
        if self.clock.tick is Tick.INSTRUCTIONS:
            return float(ticks)
        if self.emulator is None or not self.emulator.icount or self.clock.tick is Tick.NONE:
            return None
        return ticks * 1e9 / (self.clock.tick_hz * 2.0**self.emulator.icount_shift)


def _memory(t: Table) -> Memory:
    memory = Memory(
        flash_bytes=t.integer("flash_bytes", 1),
        flash_origin=t.integer("flash_origin"),
        flash_page_bytes=t.integer("flash_page_bytes", 1),
        ram_bytes=t.integer("ram_bytes", 1),
        ram_origin=t.integer("ram_origin"),
        stack_bytes=t.integer("stack_bytes", 1),
        pool_bytes=t.integer("pool_bytes"),
        firmware_flash_bytes=t.integer("firmware_flash_bytes"),
        firmware_ram_bytes=t.integer("firmware_ram_bytes"),
        train_flash_bytes=t.integer("train_flash_bytes", default=0),
        train_ram_bytes=t.integer("train_ram_bytes", default=0),
        train_stack_bytes=t.integer("train_stack_bytes", default=0),
        model_bytes=t.integer("model_bytes", default=0),
        save_slot_bytes=t.integer("save_slot_bytes", default=0),
    )
    if memory.firmware_ram_bytes + memory.pool_bytes > memory.ram_bytes:
        raise t.error("pool_bytes", "and firmware_ram_bytes together are more than ram_bytes")
    if memory.firmware_flash_bytes > memory.flash_bytes:
        raise t.error("firmware_flash_bytes", "is more than flash_bytes")
    if memory.save_slot_bytes % memory.flash_page_bytes:
        raise t.wrong("save_slot_bytes", "a multiple of flash_page_bytes", memory.save_slot_bytes)
    if memory.train_flash_bytes + 2 * memory.save_slot_bytes > memory.flash_bytes:
        raise t.error("train_flash_bytes", "and two save slots together are more than flash_bytes")
    if memory.train_ram_bytes > memory.ram_bytes:
        raise t.error("train_ram_bytes", "is more than ram_bytes")
    if memory.pool_bytes % 4:
        raise t.wrong("pool_bytes", "a multiple of 4", memory.pool_bytes)
    for kind in ("flash", "ram"):
        end = getattr(memory, f"{kind}_origin") + getattr(memory, f"{kind}_bytes")
        if end > 1 << 32:
            raise t.error(f"{kind}_bytes", f"and {kind}_origin reach beyond 32 bits: {end:#x}")
    t.finish(_names(Memory))
    return memory


def _clock(t: Table) -> Clock:
    clock = Clock(
        hz=t.integer("hz", 1), tick=t.choice("tick", Tick), tick_hz=t.integer("tick_hz", default=0)
    )
    if clock.tick is not Tick.NONE and not clock.tick_hz:
        raise t.wrong("tick_hz", "more than 0 when there is a tick", 0)
    t.finish(_names(Clock))
    return clock


def _serial(t: Table) -> Serial:
    serial = Serial(
        baud=t.integer("baud", 1),
        rx_window=t.integer("rx_window", *SERIAL_LIMITS["rx_window"]),
        max_payload=t.integer("max_payload", *SERIAL_LIMITS["max_payload"]),
        slots=t.integer("slots", *SERIAL_LIMITS["slots"]),
        slot_bytes=t.integer("slot_bytes", *SERIAL_LIMITS["slot_bytes"]),
        usb=t.usb_ids("usb", []),
        quiet_ms=t.integer("quiet_ms", 0, 60_000, default=0),
    )
    if serial.rx_window & (serial.rx_window - 1):
        raise t.wrong("rx_window", "a power of two", serial.rx_window)
    t.finish(_names(Serial))
    return serial


def _ops(t: Table) -> tuple[str, ...]:
    ops = t.texts("ops", [])
    unknown = [name for name in ops if name not in all_ops()]
    if unknown:
        known = ", ".join(sorted(all_ops()))
        raise t.wrong("ops", f"names of ops ({known})", unknown[0])
    return ops


def _build(t: Table) -> BuildSettings:
    defines = t.table("defines", {})
    train_defines = t.table("train_defines", {})
    build = BuildSettings(
        toolchain=t.text("toolchain"),
        install=t.text("install", ""),
        parts=t.texts("parts", []),
        flags=t.texts("flags", []),
        link_flags=t.texts("link_flags", []),
        kernel_flags=t.texts("kernel_flags", ["-O2"]),
        program_flags=t.texts("program_flags", ["-Os"]),
        ops=_ops(t),
        train_flags=t.texts("train_flags", []),
        defines=defines.remaining_texts(),
        train_defines=train_defines.remaining_texts(),
        uf2_family=t.integer("uf2_family", default=0),
        boot_block=t.choice("boot_block", BootBlock) if t.has("boot_block") else None,
    )
    t.finish(_names(BuildSettings))
    return build


def _emulator(t: Table) -> Emulator:
    emulator = Emulator(
        program=t.text("program"),
        args=t.arguments("args", ("elf",)),
        same=t.choice("same", Same),
        install=t.text("install"),
        icount=t.boolean("icount", True),
        restart_to_reset=t.boolean("restart_to_reset", False),
        icount_shift=t.integer("icount_shift", 0, 10, default=6),
        note=t.text("note", ""),
    )
    if not any("{elf}" in arg for arg in emulator.args):
        raise t.wrong("args", "an argument with {elf}", " ".join(emulator.args))
    t.finish(_names(Emulator))
    return emulator


def _proofs(t: Table) -> Proofs:
    proofs = Proofs(
        cpu=t.texts("cpu", []),
        set_up=t.boolean("set_up", False),
        flash_tools=t.texts("flash_tools", []),
        hardware=t.text("hardware", ""),
    )
    t.finish(_names(Proofs))
    return proofs


def parse_board(file: Path) -> Board:
    """Reads and checks one board.toml. Raises BoardFileError naming file and key."""
    root = Table(read_toml(file), file, "")
    root.integer("schema", SCHEMA, SCHEMA)
    t = root.table("board")
    board = Board(
        name=t.word("name"),
        title=t.text("title"),
        vendor=t.text("vendor"),
        url=t.text("url"),
        arch=t.text("arch"),
        cpu=t.word("cpu"),
        isa=t.text("isa", ""),
        tier=t.choice("tier", Tier),
        memory=_memory(root.table("memory")),
        clock=_clock(root.table("clock")),
        serial=_serial(root.table("serial")),
        build=_build(root.table("build")),
        runners=tuple(read_runner(r) for r in root.tables("runner")),
        emulator=_emulator(root.table("emulator")) if root.has("emulator") else None,
        proofs=_proofs(root.table("proofs", {})),
        folder=file.resolve().parent,
    )
    t.finish(_names(Board))
    root.finish(
        ("schema", "board", "memory", "clock", "serial", "build", "runner", "emulator", "proofs")
    )
    if board.name != board.folder.name:
        raise t.wrong("name", f"the name of its folder, {board.folder.name!r}", board.name)
    if not board.runners:
        raise root.wrong("runner", "at least one entry", [])
    if board.emulator is None and any(r.kind == "qemu" for r in board.runners):
        raise root.error("emulator", "is missing, but a runner has kind qemu")
    return board


def _names(record: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(record))


def boards_root() -> Path:
    """The folder boards/ that comes with byteprop: the wheel's, else the checkout's."""
    return paths.boards()


def _roots() -> list[Path]:
    extra = [Path(p) for p in os.environ.get("BYTEPROP_BOARDS", "").split(os.pathsep) if p]
    for folder in extra:
        if not folder.is_dir():
            raise BoardFileError(f"BYTEPROP_BOARDS: expected folders, got {str(folder)!r}")
    return [*extra, boards_root()]


def _files() -> dict[str, Path]:
    files: dict[str, Path] = {}
    for root in _roots():
        for file in sorted(root.glob("*/board.toml")):
            files.setdefault(file.parent.name, file)
    return files


def all_boards() -> tuple[Board, ...]:
    """Every board that can be found, `host` first, the others by name."""
    boards = [parse_board(file) for file in _files().values()]
    return tuple(sorted(boards, key=lambda b: (b.tier is not Tier.HOST, b.name)))


def with_runner(board: Board, name: str) -> Board:
    """The board with only that runner."""
    chosen = tuple(r for r in board.runners if r.name == name)
    if not chosen:
        known = ", ".join(r.name for r in board.runners)
        raise ArgumentError(
            f"board {board.name}: expected a runner of {known}, got {name!r}"
            + did_you_mean(name, [r.name for r in board.runners])
        )
    return replace(board, runners=chosen)


def load_board(name: str | Path) -> Board:
    """The board of that name, or the one described in that folder or file.

    "BOARD:RUNNER" is the same board with one of its runners alone: "arduino-uno:qemu"."""
    board, colon, runner = str(name).rpartition(":")
    if colon and not Path(name).exists():
        return with_runner(load_board(board), runner)
    path = Path(name)
    if path.is_dir() and (path / "board.toml").is_file():
        return parse_board(path / "board.toml")
    if path.suffix == ".toml" and path.is_file():
        return parse_board(path)
    files = _files()
    if str(name) not in files:
        raise ArgumentError(
            f"board {str(name)!r} is not known; known boards: {', '.join(sorted(files))}"
            + did_you_mean(str(name), files)
        )
    return parse_board(files[str(name)])
