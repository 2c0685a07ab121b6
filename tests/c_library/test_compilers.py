"""Every component compiles without a warning by every compiler, parts link alone, and dense models
take at most 4 KB on a Cortex-M0."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from library_tools import STRICT, need, run, sources

COMPILERS = {
    "clang": "clang -O1",
    "cortex-m4": "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -ffreestanding -Os",
    "rv32": "riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 -ffreestanding -Os",
    "atmega2560": "avr-gcc -mmcu=atmega2560 -Os",
    "xtensa": "xtensa-lx106-elf-gcc -ffreestanding -Os",
}
PROGRAM = """
#include <byteprop/infer.h>
#include "model.h"
static bp_model_t model;
static uint32_t arena[(BP_MODEL_ARENA_BYTES + 3) / 4];
int main(void) {
    if (bp_model_open(&model, bp_model_image, bp_model_image_bytes) != BP_OK) {
        return 1;
    }
    bp_infer_run(&model, (uint8_t *)arena, model.n_ops, 0);
    return ((uint8_t *)arena)[BP_MODEL_OUTPUT_OFFSET];
}
"""


@pytest.mark.parametrize("name", COMPILERS)
def test_sources_compile_without_a_warning(
    name: str, library: Path, c_library: SimpleNamespace
) -> None:
    command = COMPILERS[name].split()
    need(command[0])
    # With the sizes of the packages, which byteprop_config.h has; gcc for PCs: test_cmake.
    files = sources(library, c_library, "infer", "train", "anomaly", "audio", "link", "device")
    run(*command, "-std=c99", *STRICT, "-fsyntax-only", f"-I{library / 'src'}", *files)


def test_public_headers_are_cpp(library: Path, tmp_path: Path) -> None:
    need("g++")
    file = tmp_path / "all.cpp"
    names = sorted(p.name for p in (library / "src/byteprop").glob("*.h"))
    file.write_text("".join(f"#include <byteprop/{name}>\n" for name in names), encoding="ascii")
    for standard in ("c++11", "c++20"):
        run("g++", f"-std={standard}", *STRICT, "-fsyntax-only", f"-I{library / 'src'}", file)


def defines_of(header: Path) -> list[str]:
    """The flags that the first lines of an exported header name."""
    return re.findall(r"-D\w+=\w+", header.read_text(encoding="utf-8").partition("*/")[0])


def linked_size(
    library: Path, files: list[Path], model: Path, folder: Path, command: list[str]
) -> int:
    """Bytes of code and tables of a program that checks a model and runs it, without the model."""
    program, elf = folder / "program.c", folder / "program.elf"
    program.write_text(PROGRAM, encoding="ascii")
    run(
        *(*command, "-std=c99", "-ffunction-sections", "-fdata-sections", "-Wl,--gc-sections"),
        *("-nostartfiles", "-Wl,-emain", *defines_of(model)),
        *(f"-I{library / 'src'}", f"-I{model.parent}", program, *files, "-o", elf),
    )
    size = run("arm-none-eabi-size", "-A", elf)
    found = {name: int(n) for name, n in re.findall(r"^\.(\w[\w.]*) +(\d+)", size, re.M)}
    image = re.search(r"bp_model_image_bytes = (\d+)", model.read_text(encoding="utf-8"))
    assert image is not None
    return found["text"] + found["rodata"] + found.get("data", 0) - int(image[1])


def test_dense_models_take_4_kb_on_a_cortex_m0(
    library: Path, c_library: SimpleNamespace, tmp_path: Path
) -> None:
    need("arm-none-eabi-gcc")
    command = "arm-none-eabi-gcc -mcpu=cortex-m0 -mthumb -Os --specs=nosys.specs".split()
    files = sources(library, c_library, "infer")
    model = library / "examples/HelloWorld/model.h"
    assert linked_size(library, files, model, tmp_path, command) <= 4096
