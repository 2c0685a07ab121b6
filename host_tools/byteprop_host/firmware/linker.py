"""Links firmware and measures its size."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from byteprop_host.boards.board import Board, Memory
from byteprop_host.errors import DoesNotFitError
from byteprop_host.firmware.boot_block import check_boot_block
from byteprop_host.firmware.build_plan import BuildPlan
from byteprop_host.firmware.capacity import compare
from byteprop_host.firmware.elf import Elf, flash_image, intel_hex, read_elf
from byteprop_host.firmware.subprocesses import CommandFailed, run_tool
from byteprop_host.firmware.uf2 import uf2

# No start-up files and no C library: the parts of boards/ have all that is needed.
_FREESTANDING_LINK = ("-nostdlib", "-nostartfiles")
# Variables that only the serial protocol needs.
_LINE_BUFFERS = ("bp_ring", "bp_app_frame", "bp_app_slots")


def link_firmware(folder: Path, plan: BuildPlan, objects: Sequence[Path]) -> None:
    """Writes the folder elsewhere and renames it, so that it is complete or missing. Another
    process may have written it already."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        _link(plan, objects, made)
        if folder.is_dir() and not (folder / "sizes.json").is_file():
            shutil.rmtree(folder)
        try:
            made.rename(folder)
        except OSError:
            if not (folder / "sizes.json").is_file():
                raise


def _link(plan: BuildPlan, objects: Sequence[Path], made: Path) -> None:
    elf = made / "firmware.elf"
    if plan.image is not None:
        objects = [*objects, _image_object(plan, made)]
    _link_elf(plan, objects, made, elf)
    content = read_elf(elf)
    start, image = flash_image(content)
    check_boot_block(plan.board.build.boot_block, image)
    (made / "firmware.bin").write_bytes(image)
    (made / "firmware.hex").write_text(intel_hex(start, image), encoding="ascii")
    if plan.board.build.uf2_family:
        (made / "firmware.uf2").write_bytes(uf2(start, image, plan.board.build.uf2_family))
    (made / "sizes.json").write_text(json.dumps(_sizes(plan, content)), encoding="ascii")


def memory_ld(memory: Memory) -> str:
    return (
        "MEMORY {\n"
        f"    FLASH (rx) : ORIGIN = {memory.flash_origin:#x}, LENGTH = {memory.flash_bytes}\n"
        f"    RAM (rwx) : ORIGIN = {memory.ram_origin:#x}, LENGTH = {memory.ram_bytes}\n"
        "}\n"
        f"bp_stack_bytes = {memory.stack_bytes};\n"
    )


def _link_elf(plan: BuildPlan, objects: Sequence[Path], folder: Path, elf: Path) -> None:
    try:
        _link_once(plan, objects, folder, elf)
    except CommandFailed as error:
        if plan.linker_script() is None or not _is_overflow(error.output):
            raise
        # Linked again into memory that is large enough, to report how much is needed.
        memory = plan.board.memory
        roomy = replace(
            memory, flash_bytes=memory.flash_bytes + 2**27, ram_bytes=memory.ram_bytes + 2**27
        )
        _link_once(replace(plan, board=replace(plan.board, memory=roomy)), objects, folder, elf)
        check_sizes(plan.board, _sizes(plan, read_elf(elf)), plan.saves())
        raise


def _is_overflow(output: str) -> bool:
    return any(
        s in output for s in ("overflowed by", "will not fit in region", "overlap", "is full")
    )


def _link_once(plan: BuildPlan, objects: Sequence[Path], folder: Path, elf: Path) -> None:
    script = plan.linker_script()
    build = plan.board.build
    args: list[str | Path] = [*build.flags, *build.program_flags, *plan.flags, *objects, "-o", elf]
    args += ["-Wl,--gc-sections", *build.link_flags]
    if script is not None:
        (folder / "memory.ld").write_text(memory_ld(plan.board.memory), encoding="ascii")
        args += [*_FREESTANDING_LINK, f"-L{folder}", "-T", script, "-lgcc"]
    run_tool(plan.compiler, args, folder)


# Behind the program where pointers to code and tables reach the first part of flash only.
_IMAGE_SOURCE = """\
#if defined(__AVR_HAVE_ELPM__)
    .section .text.bp_model, "ax", %progbits
#elif defined(__AVR__)
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


def _image_object(plan: BuildPlan, folder: Path) -> Path:
    assert plan.image is not None
    (folder / "model.bpm").write_bytes(plan.image)
    source = folder / "model.S"
    source.write_text(_IMAGE_SOURCE.replace("@BYTES@", str(len(plan.image))), encoding="ascii")
    made = folder / "model.o"
    run_tool(plan.compiler, [*plan.board.build.flags, "-c", source, "-o", made], folder)
    return made


def _sizes(plan: BuildPlan, elf: Elf) -> dict[str, int]:
    """Bytes by use. "ram" is everything that is reserved, with the stack."""
    memory = plan.board.memory
    start, image = flash_image(elf)
    in_ram = [s for s in elf.sections if _is_ram(memory, s.address)]
    data = [s for s in in_ram if s.name != ".stack"]
    data_end = max((s.address + s.size for s in data), default=memory.ram_origin)
    stack = elf.section_bytes(".stack") or memory.stack_bytes
    return {
        "flash": start + len(image) - memory.flash_origin,
        "ram": data_end - memory.ram_origin + stack,
        "stack": stack,
        "model": len(plan.image) if plan.image is not None else 0,
        "pool": elf.objects.get("bp_app_pool", 0),
        "line_buffers": sum(elf.objects.get(name, 0) for name in _LINE_BUFFERS),
    }


def _is_ram(memory: Memory, address: int) -> bool:
    """Whether RAM, not flash, is the memory that starts closest below the address."""
    origins = (memory.flash_origin, memory.ram_origin)
    below = [origin for origin in origins if origin <= address]
    return bool(below) and max(below) == memory.ram_origin


def check_sizes(board: Board, sizes: Mapping[str, int], saves: bool) -> None:
    memory = board.memory
    flash = memory.flash_bytes - (2 * memory.save_slot_bytes if saves else 0)
    exact = compare(board, sizes["ram"], memory.ram_bytes, sizes["flash"], flash)
    if not exact.ok:
        raise DoesNotFitError(exact.text)
