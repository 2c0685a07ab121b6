"""Compiles the host as a board: the device program as a native executable.

setup.py puts the result into the wheel, and the build of the `host` board makes it from a checkout.
Needs nothing but the standard library (tomli on Python 3.10). By hand:

    python runtime/build_device.py cc byteprop-device
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zlib import crc32

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
SOURCE_FOLDERS = (
    *(".", "kernels", "isa", "isa/x86_avx2", "isa/x86_avx512vnni", "isa/x86_avxvnni"),
    *("isa/arm64", "isa/lanes"),
    *("model", "ops", "infer", "anomaly"),
    *("train", "train/kernels", "train/steps", "link", "app"),
)
TICK_KINDS = {"none": 0, "cycles": 1, "timer": 2, "instructions": 3}  # BP_TICK_x of link.h


def host_sources(csrc: Path, boards: Path) -> list[Path]:
    """The C files of the program, in a fixed order."""
    files = [file for folder in SOURCE_FOLDERS for file in sorted((csrc / folder).glob("*.c"))]
    return [*files, *sorted((boards / "host").glob("*.c"))]


def host_build_id(csrc: Path, boards: Path) -> int:
    """64 bits that change with any source or setting of the program."""
    files = [*host_sources(csrc, boards), *sorted(csrc.rglob("*.h")), boards / "host/board.toml"]
    low = high = 0
    for file in files:
        content = file.read_bytes()
        low = crc32(content, low)
        high = crc32(content[::-1], high)
    return high << 32 | low


def host_defines(board: Mapping[str, Any], build_id: int) -> dict[str, str]:
    """The macros of byteprop/port.h, from a parsed board.toml."""
    memory, serial, clock = board["memory"], board["serial"], board["clock"]
    return {
        "BP_BOARD_NAME": f'"{board["board"]["name"]}"',
        "BP_BOARD_CPU": f'"{board["board"]["cpu"]}"',
        "BP_TICK_KIND": f"{TICK_KINDS[clock['tick']]}",
        "BP_TICK_HZ": f"{clock['tick_hz']}u",
        "BP_RAM_BYTES": f"{memory['ram_bytes']}u",
        "BP_FLASH_BYTES": f"{memory['flash_bytes']}u",
        "BP_POOL_BYTES": f"{memory['pool_bytes']}u",
        "BP_LINK_MAX_PAYLOAD": f"{serial['max_payload']}",
        "BP_LINK_RX_WINDOW": f"{serial['rx_window']}",
        "BP_LINK_SLOTS": f"{serial['slots']}",
        "BP_LINK_SLOT_BYTES": f"{serial['slot_bytes']}",
        "BP_APP_TRAIN": "1",
        "BP_APP_ANOMALY": "1",
        "BP_SAVE_SLOT_BYTES": f"{memory['save_slot_bytes']}u",
        "BP_FLASH_PAGE_BYTES": f"{memory['flash_page_bytes']}u",
        "BP_BUILD_ID": f"0x{build_id:016x}ull",
        "BP_BAKED_MODEL": "0",
        "BP_ASSERTIONS": "1",
    }


def host_settings(
    boards: Path, build_id: int, defines: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Flags of the compiler, and macros; defines come on top of the board's."""
    board = tomllib.loads((boards / "host/board.toml").read_text(encoding="utf-8"))
    macros = host_defines(board, build_id) | dict(defines)
    return list(board["build"]["flags"]), macros


def host_command(cc: Sequence[str], out: Path) -> list[str]:
    """The command that compiles and links `out` with the C compiler `cc` (with its arguments)."""
    csrc, boards = ROOT / "csrc", ROOT / "boards"
    flags, macros = host_settings(boards, host_build_id(csrc, boards), {})
    return [
        *cc,
        *flags,
        *(f"-D{name}={value}" for name, value in macros.items()),
        f"-I{csrc / 'include'}",
        f"-I{csrc}",
        *map(str, host_sources(csrc, boards)),
        "-o",
        str(out),
    ]


def build_host_device(cc: Sequence[str], out: Path) -> None:
    """Compiles and links `out`. Raises subprocess.CalledProcessError, with the compiler's output in
    .stderr, or FileNotFoundError when there is no such compiler."""
    subprocess.run(host_command(cc, out), check=True, capture_output=True, text=True)


if __name__ == "__main__":
    build_host_device(sys.argv[1:-1], Path(sys.argv[-1]))
