"""The C header: it compiles as what people compile, and says what is true."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from byteprop import ArgumentError, Model, ModelError, _paths, export, image
from random_graphs import Builder, graph_of_every_op, small_graph

C_FLAGS = (
    "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes "
    "-Wundef -Werror"
).split()
CXX_FLAGS = "-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wundef -Werror".split()
COMPILERS = [
    ("gcc", ["-std=c99", *C_FLAGS]),
    ("gcc", ["-std=c11", *C_FLAGS]),
    ("clang", ["-std=c99", *C_FLAGS]),
    ("g++", ["-std=c++98", *CXX_FLAGS, "-Wno-long-long", "-Wno-variadic-macros"]),
    ("g++", ["-std=c++17", *CXX_FLAGS]),
    ("arm-none-eabi-gcc", ["-std=c99", "-mcpu=cortex-m0", "-mthumb", *C_FLAGS]),
    ("riscv64-unknown-elf-gcc", ["-std=c99", "-ffreestanding", *C_FLAGS]),
    ("avr-gcc", ["-std=c99", "-mmcu=atmega328p", *C_FLAGS]),
]
IMAGE = image.encode(small_graph())


def run(*command: str | Path) -> str:
    if shutil.which(str(command[0])) is None and not Path(command[0]).exists():
        pytest.skip(f"not installed: {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def macros(text: str) -> dict[str, int]:
    found = re.findall(r"^#define (\w+) (-?\d+)$", text, re.M)
    return {name: int(value) for name, value in found}


def array_bytes(text: str) -> bytes:
    return bytes(int(byte, 16) for byte in re.findall(r"0x([0-9a-f]{2}),", text))


def test_the_array_is_the_image() -> None:
    text = export.header(IMAGE)
    assert array_bytes(text) == IMAGE
    assert f"bp_model_image_bytes = {len(IMAGE)};" in text


def test_macros_tell_arena_and_borders() -> None:
    model = Model(small_graph())
    found = macros(export.header(IMAGE))
    layout = image.layout(IMAGE)
    assert found["BP_MODEL_ARENA_BYTES"] == model.arena_bytes
    for name, place in (("INPUT", layout.inputs[0]), ("OUTPUT", layout.outputs[0])):
        prefix = f"BP_MODEL_{name}"
        assert found[f"{prefix}_OFFSET"] == place.offset
        assert found[f"{prefix}_BYTES"] == place.tensor.elems
        assert found[f"{prefix}_ZERO_POINT"] == place.tensor.zero_point
        exact = found[f"{prefix}_SCALE_Q31"] * 2.0 ** (found[f"{prefix}_SCALE_LSHIFT"] - 31)
        assert exact == float(place.tensor.scale)


def test_several_inputs_are_numbered() -> None:
    b = Builder()
    graph = b.graph((b.tensor((1, 2)), b.tensor((1, 3))), (0,))
    found = macros(export.header(image.encode(graph)))
    assert (found["BP_MODEL_INPUT0_BYTES"], found["BP_MODEL_INPUT1_BYTES"]) == (2, 3)
    assert found["BP_MODEL_OUTPUT_BYTES"] == 2
    assert "BP_MODEL_INPUT_BYTES" not in found


def test_a_prefix_keeps_two_models_apart(tmp_path: Path) -> None:
    (tmp_path / "a.h").write_text(export.header(IMAGE))
    (tmp_path / "b.h").write_text(export.header(IMAGE, prefix="other"))
    source = tmp_path / "both.c"
    source.write_text('#include "a.h"\n#include "b.h"\nint x[OTHER_ARENA_BYTES - 11];\n')
    run("gcc", *C_FLAGS, f"-I{_paths.csrc()}/include", "-c", source, "-o", tmp_path / "both.o")
    for wrong in ("", "9a", "a-b", "a b", "a\n"):
        with pytest.raises(ArgumentError, match="prefix: wanted a C identifier"):
            export.header(IMAGE, prefix=wrong)


def test_only_images_are_exported() -> None:
    with pytest.raises(ModelError, match="E_TRUNCATED"):
        export.header(b"no image")


def test_saving_cuts_the_names(tmp_path: Path) -> None:
    Model(graph_of_every_op()).save(tmp_path / "m.h")
    exported = array_bytes((tmp_path / "m.h").read_text())
    assert exported == image.encode(graph_of_every_op(), names=False)


@pytest.mark.parametrize(
    ("compiler", "flags"), COMPILERS, ids=lambda v: v if type(v) is str else v[0]
)
def test_it_compiles_without_a_warning(compiler: str, flags: list[str], tmp_path: Path) -> None:
    (tmp_path / "model.h").write_text(export.header(IMAGE))
    is_cxx = compiler.endswith("++")
    source = tmp_path / ("main.cc" if is_cxx else "main.c")
    source.write_text('#include "model.h"\n#include "model.h"\n')
    run(compiler, *flags, f"-I{_paths.csrc()}/include", "-c", source, "-o", tmp_path / "main.o")


@pytest.mark.parametrize("compiler", ["gcc", "g++"])
def test_two_files_share_one_model(compiler: str, tmp_path: Path) -> None:
    """One file holds the bytes, the other declares them; both see the same, and it is aligned."""
    (tmp_path / "model.h").write_text(export.header(IMAGE))
    suffix = "cc" if compiler == "g++" else "c"
    holder, user = tmp_path / f"holder.{suffix}", tmp_path / f"user.{suffix}"
    holder.write_text('#include "model.h"\n')
    user.write_text(
        "#define BP_MODEL_DECLARE_ONLY\n"
        '#include "model.h"\n'
        "#include <stdio.h>\n"
        "int main(void) {\n"
        "    uint32_t sum = 0;\n"
        "    for (uint32_t i = 0; i < bp_model_image_bytes; ++i) sum += bp_model_image[i];\n"
        '    printf("%lu %d", (unsigned long)sum, (int)((uintptr_t)bp_model_image % 16));\n'
        "}\n"
    )
    run(compiler, f"-I{_paths.csrc()}/include", holder, user, "-o", tmp_path / "program")
    assert run(tmp_path / "program") == f"{sum(IMAGE)} 0"
