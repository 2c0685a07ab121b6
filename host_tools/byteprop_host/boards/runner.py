"""`[[runner]]` of a board.toml: a way to get firmware onto the board, one class per kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TypeVar

from byteprop_host.boards.toml_table import Table

PLACEHOLDERS = ("elf", "hex", "bin", "uf2", "port", "flash_port", "baud", "probe")
"""Of the arguments of kind "command", between braces."""


@dataclass(frozen=True)
class Runner:
    """install: how to get its program. probes: USB ids ("vvvv:pppp") of what it writes through: a
    debug probe, or the board's boot loader; empty: its serial port."""

    kind: str
    name: str
    install: str = ""
    probes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Simavr(Runner):
    """mcu: simavr's name of the microcontroller."""

    mcu: str = ""


@dataclass(frozen=True)
class Command(Runner):
    """Any program, with its arguments. They may contain PLACEHOLDERS: "port" is where the program
    answers, "flash_port" the serial port of the boot loader, whose USB ids are `probes`. touch: USB
    ids of ports where opening at 1200 baud enters the boot loader."""

    program: str = ""
    flash: tuple[str, ...] = ()
    reset: tuple[str, ...] = ()
    touch: tuple[str, ...] = ()

    @property
    def has_flash_port(self) -> bool:
        return any("{flash_port}" in arg for arg in (*self.flash, *self.reset))


@dataclass(frozen=True)
class Openocd(Runner):
    """config: OpenOCD's own files for -f, of interface and target or of the board. erase: its
    command that erases the whole flash."""

    config: tuple[str, ...] = ()
    erase: str = ""


@dataclass(frozen=True)
class Pyocd(Runner):
    """target: pyOCD's name of the chip, one of those that need no pack."""

    target: str = ""


@dataclass(frozen=True)
class StFlash(Runner):
    """The program st-flash, for the probes ST-LINK."""


@dataclass(frozen=True)
class DfuUtil(Runner):
    """alt: number of the interface's setting. address: where a boot loader of ST is to write; 0:
    another one, which knows. touch: opening the board's port at 1200 baud enters it."""

    alt: int = 0
    address: int = 0
    touch: bool = False


@dataclass(frozen=True)
class Avrdude(Runner):
    """part, programmer: avrdude's names. baud: of the boot loader, on the board's serial port."""

    part: str = ""
    programmer: str = ""
    baud: int = 0


@dataclass(frozen=True)
class Esptool(Runner):
    """chip: esptool's name. offset: in flash. baud: of the transfer, on the board's serial port."""

    chip: str = ""
    offset: int = 0
    baud: int = 0


@dataclass(frozen=True)
class Uf2(Runner):
    """A drive that takes UF2 files. board_id: "Board-ID" in its INFO_UF2.TXT. touch: the drive
    appears after the board's port is opened at 1200 baud."""

    board_id: str = ""
    touch: bool = False


@dataclass(frozen=True)
class Daplink(Runner):
    """The drive of a debug probe with DAPLink, which takes Intel HEX files."""


_Kind = TypeVar("_Kind", bound=Runner)


def _tool(t: Table, kind: type[_Kind], **own: object) -> _Kind:
    """A runner with what all tools have."""
    name = t.text("kind")
    return kind(
        kind=name,
        name=t.text("name", name),
        install=t.text("install", ""),
        probes=t.usb_ids("probes", []),
        **own,
    )


def _command(t: Table) -> Command:
    program = t.text("program")
    runner = Command(
        kind=t.text("kind"),
        name=t.text("name", program),
        install=t.text("install"),
        probes=t.usb_ids("probes", []),
        program=program,
        flash=t.arguments("flash", PLACEHOLDERS),
        reset=t.arguments("reset", PLACEHOLDERS, []),
        touch=t.usb_ids("touch", []),
    )
    if runner.has_flash_port and not runner.probes:
        raise t.error("probes", "is missing: the USB ids of {flash_port}")
    return runner


_KINDS: Mapping[str, tuple[type[Runner], Callable[[Table], Runner]]] = {
    "qemu": (Runner, lambda t: _tool(t, Runner)),
    "native": (Runner, lambda t: _tool(t, Runner)),
    "sketch": (Runner, lambda t: _tool(t, Runner)),
    "simavr": (Simavr, lambda t: _tool(t, Simavr, mcu=t.text("mcu"))),
    "command": (Command, _command),
    "openocd": (
        Openocd,
        lambda t: _tool(t, Openocd, config=t.texts("config"), erase=t.text("erase", "")),
    ),
    "pyocd": (Pyocd, lambda t: _tool(t, Pyocd, target=t.text("target"))),
    "st-flash": (StFlash, lambda t: _tool(t, StFlash)),
    "dfu-util": (
        DfuUtil,
        lambda t: _tool(
            t,
            DfuUtil,
            alt=t.integer("alt", 0, 255, default=0),
            address=t.integer("address", default=0),
            touch=t.boolean("touch", False),
        ),
    ),
    "avrdude": (
        Avrdude,
        lambda t: _tool(
            t,
            Avrdude,
            part=t.text("part"),
            programmer=t.text("programmer"),
            baud=t.integer("baud", 1),
        ),
    ),
    "esptool": (
        Esptool,
        lambda t: _tool(
            t,
            Esptool,
            chip=t.text("chip"),
            offset=t.integer("offset", default=0),
            baud=t.integer("baud", 1),
        ),
    ),
    "uf2": (
        Uf2,
        lambda t: _tool(t, Uf2, board_id=t.text("board_id"), touch=t.boolean("touch", False)),
    ),
    "daplink": (Daplink, lambda t: _tool(t, Daplink)),
}


def read_runner(t: Table) -> Runner:
    """Reads and checks one entry. Raises BoardFileError naming file and key."""
    kind = t.peek("kind")
    if kind not in _KINDS:
        raise t.wrong("kind", f"one of {', '.join(_KINDS)}", kind)
    record, read = _KINDS[kind]
    runner = read(t)
    t.finish(tuple(f.name for f in fields(record)))
    return runner
