"""Flash that the C library takes in a program of its own: the checks of a model, and inference.

    python benchmarks/library_size.py [--record]

A program that only opens its model and runs it, compiled with -Os and the definitions that the
exported header names; without the model's image and without start-up code. Compilers that are
missing are left out.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from records import append, commit

import byteprop

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
CPUS = {
    "cortex-m0": "arm-none-eabi-gcc -mcpu=cortex-m0 -mthumb --specs=nosys.specs",
    "cortex-m4": "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb --specs=nosys.specs",
    "rv32imac": "riscv64-unknown-elf-gcc -march=rv32imac -mabi=ilp32 -nostdlib -ffreestanding",
    "atmega328p": "avr-gcc -mmcu=atmega328p -fno-tree-switch-conversion",
}
MODELS = {
    "sine (three dense layers)": "packages/arduino/models/sine.tflite",
    "fashion_mlp (reshape, dense, softmax)": "examples/fashion_mnist/fashion_mlp.tflite",
}
FOLDERS = (".", "kernels", "isa", "isa/*", "model", "ops", "infer")
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
/* RISC-V without a C library. */
#if defined(__riscv)
void *memcpy(void *to, const void *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ((volatile char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}
void *memset(void *to, int byte, size_t n) {
    for (size_t i = 0; i < n; i++) {
        ((volatile char *)to)[i] = (char)byte;
    }
    return to;
}
#endif
"""
FLAGS = (
    "-std=c99 -Os -ffunction-sections -fdata-sections -Wl,--gc-sections -nostartfiles -Wl,-emain"
).split()
COLUMNS = ("commit", "compiler", "cpu", "model", "flash_bytes")


def library_bytes(command: list[str], model: Path) -> int:
    """Bytes of flash of the program, without the image."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        header, program, elf = (folder / n for n in ("model.h", "program.c", "program.elf"))
        byteprop.load(model).save(header)
        program.write_text(PROGRAM, encoding="ascii")
        text = header.read_text(encoding="utf-8")
        defines = re.findall(r"-D\w+=\w+", text.partition("*/")[0])
        sources = [s for folder in FOLDERS for s in sorted(CSRC.glob(f"{folder}/*.c"))]
        include = [f"-I{place}" for place in (CSRC / "include", CSRC, folder)]
        given = [*command, *FLAGS, *defines, *include, str(program), *map(str, sources)]
        run([*given, "-lgcc", "-o", str(elf)])
        sizes = run([command[0].replace("-gcc", "-size"), str(elf)]).splitlines()[1].split()
    image = re.search(r"_image_bytes = (\d+)", text)
    assert image is not None
    return int(sizes[0]) + int(sizes[1]) - int(image[1])


def run(command: list[str]) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed:\n{done.stderr[:2000]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--record", action="store_true", help="append to results/library-size.csv")
    arguments = parser.parse_args()
    rows = []
    for cpu, words in CPUS.items():
        command = words.split()
        if shutil.which(command[0]) is None:
            print(f"{cpu}: {command[0]} is not installed")
            continue
        compiler = f"{command[0]} {run([command[0], '-dumpversion']).strip()}"
        for name, file in MODELS.items():
            n = library_bytes(command, ROOT / file)
            print(f"{cpu:12} {name:40} {n:6,} bytes")
            rows.append(dict(zip(COLUMNS, (commit(), compiler, cpu, name, n), strict=True)))
    if arguments.record:
        append("library-size", COLUMNS, rows)


if __name__ == "__main__":
    main()
