"""The C header: it compiles as what people compile, and says what is true."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from byteprop import ArgumentError, Dense, Model, ModelError, Sequential, image
from byteprop.graph import DType, Graph, Normalization, Tensor
from byteprop.graph.boundary import Boundary
from byteprop.image import export
from byteprop.support import paths
from random_graphs import Builder, graph_of_every_op, normalized_graph, small_graph
from training_data import adc, weather

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
    run("gcc", *C_FLAGS, f"-I{paths.csrc()}/include", "-c", source, "-o", tmp_path / "both.o")
    for wrong in ("", "9a", "a-b", "a b", "a\n"):
        with pytest.raises(ArgumentError, match="prefix: expected a C identifier"):
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
@pytest.mark.parametrize("graph", [small_graph(), normalized_graph()], ids=["plain", "normalized"])
def test_it_compiles_without_a_warning(
    compiler: str, flags: list[str], graph: Graph, tmp_path: Path
) -> None:
    (tmp_path / "model.h").write_text(export.header(image.encode(graph)))
    is_cxx = compiler.endswith("++")
    source = tmp_path / ("main.cc" if is_cxx else "main.c")
    source.write_text('#include "model.h"\n#include "model.h"\n')
    run(compiler, *flags, f"-I{paths.csrc()}/include", "-c", source, "-o", tmp_path / "main.o")


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
    run(compiler, f"-I{paths.csrc()}/include", holder, user, "-o", tmp_path / "program")
    assert run(tmp_path / "program") == f"{sum(IMAGE)} 0"


# --- a sensor's integers ---


def normalized(
    sub: list[float], mul: list[float], scale: float = 1 / 32, zero_point: int = 0,
    dtype: DType = DType.INT8,
) -> Tensor:  # fmt: skip
    constants = Normalization(np.float32(sub), np.float32(mul))
    return Tensor("x", (1, 4), dtype, np.float32(scale), zero_point, True, constants)


def quantized_in_c(
    tensor: Tensor, values: npt.NDArray[np.int64], bits: int, folder: Path
) -> npt.NDArray[np.int64]:
    """values [n, features] with so many fraction bits, through the exported function."""
    graph = Graph((tensor,), (), (0,), (0,))
    (folder / "model.h").write_text(export.header(image.encode(graph)))
    source = folder / "main.c"
    source.write_text(
        '#include "model.h"\n#include <stdio.h>\n'
        "int main(void) {\n"
        "    long value;\n"
        '    for (uint32_t i = 0; scanf("%ld", &value) == 1; ++i)\n'
        f'        printf("%d\\n", bp_model_input_quantize(i % 4, (int32_t)value, {bits}));\n'
        "}\n"
    )
    run(
        "gcc", *C_FLAGS, "-O1", "-fsanitize=undefined", "-fno-sanitize-recover",
        f"-I{paths.csrc()}/include", source, "-o", folder / "program",
    )  # fmt: skip
    done = subprocess.run(
        [folder / "program"], input="\n".join(map(str, values.reshape(-1).tolist())),
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return np.array(done.stdout.split(), np.int64).reshape(values.shape)


def quantized_in_float(
    tensor: Tensor, values: npt.NDArray[np.int64], bits: int
) -> npt.NDArray[np.int64]:
    reals = values.astype(np.float64) / 2**bits
    return Boundary(tensor).quantize(reals, "x").integers.astype(np.int64)


def test_a_converters_counts_become_the_integers_of_float32(tmp_path: Path) -> None:
    """All counts of all channels, with constants that fit measured."""
    net = Sequential([Dense(4, "softmax")], input_shape=8)
    net.fit(*adc())
    tensor = net.graph.tensors[0]
    constants = tensor.normalization
    assert constants is not None
    for first in (0, 4):
        half = Normalization(constants.sub[first : first + 4], constants.mul[first : first + 4])
        part = Tensor("x", (1, 4), tensor.dtype, tensor.scale, 0, True, half)
        counts = np.repeat(np.arange(-50, 1100)[:, np.newaxis], 4, axis=1)
        for bits in (0, 6):
            got = quantized_in_c(part, counts << bits, bits, tmp_path)
            np.testing.assert_array_equal(got, quantized_in_float(part, counts << bits, bits))
            assert got.min() < -60 and got.max() > 60


@pytest.mark.parametrize("bits", [0, 4, 10])
def test_fixed_point_in_mixed_units(bits: int, tmp_path: Path) -> None:
    x, y = weather()
    net = Sequential([Dense(2, "softmax")], input_shape=3)
    net.fit(x, y)
    measured = net.graph.tensors[0].normalization
    assert measured is not None
    sub, mul = ([*c.tolist(), 7] for c in (measured.sub, measured.mul))
    tensor = normalized(sub, mul, float(net.graph.tensors[0].scale))
    low, high = x.min(axis=0) * 2**bits, x.max(axis=0) * 2**bits
    draws = np.random.default_rng(bits).uniform(-0.2, 1.2, (5000, 3)) * (high - low) + low
    values = np.concatenate([draws, draws[:, :1]], axis=1).astype(np.int64)
    got = quantized_in_c(tensor, values, bits, tmp_path)
    np.testing.assert_array_equal(got, quantized_in_float(tensor, values, bits))


@pytest.mark.parametrize(
    "tensor",
    [
        normalized([512.3, 20, -7e5, 0.1], [1 / 300, 0.1, 1e-6, -3]),
        normalized([3], [0.71237], 0.05, 200, DType.UINT8),
        normalized([1e9, 0, 0, 0], [1e-8, 1e-12, 1e-38, 0]),
    ],
    ids=["per feature", "uint8", "wide"],
)
def test_declared_constants_differ_by_one_step_at_most(tensor: Tensor, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    constants = tensor.normalization
    assert constants is not None
    mul = np.where(constants.mul == 0, 1, constants.mul).astype(np.float64)
    x = constants.sub + rng.normal(size=(5000, 4)) * 64 * float(tensor.scale) / mul
    values = np.clip(np.rint(x * 16), -(2**31), 2**31 - 1).astype(np.int64)
    got = quantized_in_c(tensor, values, 4, tmp_path)
    difference = np.abs(got - quantized_in_float(tensor, values, 4))
    assert difference.max() <= 1 and np.count_nonzero(difference) < 20


def test_the_ends_of_int32_saturate(tmp_path: Path) -> None:
    tensor = normalized([5, -1e6, 0.25, 3], [1e5, 1, 2.0**-20, 0])
    values = np.array([[2**31 - 1] * 4, [-(2**31)] * 4, [0] * 4, [1] * 4])
    for bits in (0, 1, 24):
        got = quantized_in_c(tensor, values, bits, tmp_path)
        np.testing.assert_array_equal(got, quantized_in_float(tensor, values, bits))


@pytest.mark.parametrize(
    ("tensor", "words"),
    [
        (normalized([0], [1e9]), "feature 0 has steps below 2^-24 of its unit; take a smaller"),
        (normalized([0, 1e12, 0, 0], [1] * 4), "feature 1 has a mean that int32 does not hold"),
    ],
)
def test_units_that_integers_cannot_hold(tensor: Tensor, words: str) -> None:
    text = export.header(image.encode(Graph((tensor,), (), (0,), (0,))))
    assert words in text and "_quantize(" not in text


def test_the_header_names_the_flags_of_a_small_library() -> None:
    """Those of a firmware that byteprop builds with the model."""
    flags = image.model_defines(IMAGE)
    given = "BP_OPS_LOW=0xaULL BP_OPS_HIGH=0x0ULL BP_LAYOUTS=0x1 BP_KINDS=0x1".split()
    assert flags == dict(flag.split("=") for flag in given)
    assert " *   " + " ".join(f"-D{flag}" for flag in given) + "\n" in export.header(IMAGE)
