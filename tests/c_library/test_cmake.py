"""A small program takes the library by find_package, FetchContent and pkg-config; ESP-IDF's and
Zephyr's build files register what the description lists."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from library_tools import need, run, sources

# Of each component one function; link and training are not in a program that does not ask for them.
PROGRAM = """
#include <byteprop/infer.h>
#include <stdio.h>
#include "model.h"
#if TRAINS
#include <byteprop/link.h>
#include <byteprop/prepared.h>
#include <byteprop/train.h>
#endif
static bp_model_t model;
static uint32_t arena[(BP_MODEL_ARENA_BYTES + 3) / 4];
int main(void) {
    uint8_t *bytes = (uint8_t *)arena;
    if (bp_model_open(&model, bp_model_image, bp_model_image_bytes) != BP_OK) {
        return 1;
    }
    bytes[BP_MODEL_INPUT_OFFSET] = (uint8_t)-64;
    bp_infer_run(&model, bytes, model.n_ops, NULL);
    printf("%d", (int8_t)bytes[BP_MODEL_OUTPUT_OFFSET]);
#if TRAINS
    printf(" %s %d", bp_request_name(BP_MSG_INFER), bp_train_sizeof() <= BP_TRAIN_BYTES);
#endif
    return 0;
}
"""
CMAKE = """
cmake_minimum_required(VERSION 3.16)
project(consumer C)
{find}
add_executable(infers main.c)
target_link_libraries(infers byteprop::infer)
add_executable(trains main.c)
target_compile_definitions(trains PRIVATE TRAINS=1)
target_link_libraries(trains byteprop::train byteprop::link byteprop::prepared)
"""
FIND = "find_package(byteprop {version} REQUIRED COMPONENTS infer train link)"
FETCH = (
    "include(FetchContent)\n"
    "FetchContent_Declare(byteprop URL {folder})\n"
    "FetchContent_MakeAvailable(byteprop)"
)


def expected(library: Path, c_library: SimpleNamespace) -> int:
    import numpy as np

    import byteprop

    model = byteprop.load(c_library.ROOT / c_library.MODELS["HelloWorld"])
    return int(model.run(np.array([[-64]], np.int8))[0, 0])


def consumer(folder: Path, library: Path, find: str) -> Path:
    folder.mkdir()
    (folder / "main.c").write_text(PROGRAM, encoding="ascii")
    (folder / "CMakeLists.txt").write_text(CMAKE.format(find=find), encoding="utf-8")
    shutil.copy(library / "examples/HelloWorld/model.h", folder)
    return folder


@pytest.fixture(scope="module")
def installed(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("cmake", "make", "gcc")
    folder = tmp_path_factory.mktemp("installed")
    build = folder / "build"
    prefix = f"-DCMAKE_INSTALL_PREFIX={folder / 'usr'}"
    warnings = "-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Werror -O0"
    run("cmake", "-S", library, "-B", build, "-G", "Unix Makefiles", prefix, warnings)
    run("make", "-C", build, "-j2", "install")
    return folder / "usr"


def check(build: Path, library: Path, c_library: SimpleNamespace) -> None:
    value = expected(library, c_library)
    assert run(build / "infers") == str(value)
    assert run(build / "trains") == f"{value} INFER 1"


def test_find_package(
    installed: Path, library: Path, c_library: SimpleNamespace, tmp_path: Path
) -> None:
    find = FIND.format(version=c_library.version())
    source = consumer(tmp_path / "consumer", library, find)
    run("cmake", "-S", source, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={installed}")
    run("cmake", "--build", tmp_path / "b")
    check(tmp_path / "b", library, c_library)


def test_fetch_content(library: Path, c_library: SimpleNamespace, tmp_path: Path) -> None:
    need("cmake", "gcc")
    archive = shutil.make_archive(
        str(tmp_path / "libbyteprop"), "gztar", library.parent, library.name
    )
    plain = ("-DCMAKE_C_FLAGS=-O0", "-DBYTEPROP_DEFINES=BP_ISA_PORTABLE=1")
    source = consumer(tmp_path / "consumer", library, FETCH.format(folder=archive))
    run("cmake", "-S", source, "-B", tmp_path / "b", *plain)
    run("cmake", "--build", tmp_path / "b", "--parallel", "2", "--target", "infers")
    assert run(tmp_path / "b/infers") == str(expected(library, c_library))


def test_pkg_config(
    installed: Path, library: Path, c_library: SimpleNamespace, tmp_path: Path
) -> None:
    need("pkg-config")
    source = consumer(tmp_path / "consumer", library, "")
    places = f"PKG_CONFIG_PATH={installed / 'lib/pkgconfig'}"
    for program, parts in (("infers", ["infer"]), ("trains", ["train", "link", "prepared"])):
        names = [f"byteprop-{part}" for part in parts]
        flags = run("env", places, "pkg-config", "--cflags", "--libs", *names).split()
        trains = f"-DTRAINS={int(program == 'trains')}"
        run("gcc", trains, f"-I{source}", source / "main.c", *flags, "-o", source / program)
    version = run("env", places, "pkg-config", "--modversion", "byteprop-infer").strip()
    assert version == c_library.version()
    check(source, library, c_library)


def test_an_unknown_component_is_named(installed: Path, library: Path, tmp_path: Path) -> None:
    source = consumer(
        tmp_path / "consumer", library, "find_package(byteprop REQUIRED COMPONENTS x)"
    )
    with pytest.raises(AssertionError, match="without the component 'x'"):
        run("cmake", "-S", source, "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={installed}")


def test_esp_idf_registers_the_components(
    library: Path, c_library: SimpleNamespace, tmp_path: Path
) -> None:
    """With ESP-IDF's function replaced by one that prints: the SDK itself is not there."""
    need("cmake")
    script = tmp_path / "project.cmake"
    script.write_text(
        "function(idf_component_register)\n"
        '  cmake_parse_arguments(A "" "" "SRCS;INCLUDE_DIRS" ${ARGN})\n'
        '  foreach(s IN LISTS A_SRCS)\n    message(NOTICE "source ${s}")\n  endforeach()\n'
        '  message(NOTICE "include ${A_INCLUDE_DIRS}")\nendfunction()\n'
        f"set(ESP_PLATFORM 1)\ninclude({library / 'CMakeLists.txt'})\n",
        encoding="utf-8",
    )
    said = run("sh", "-c", f"cmake -P {script} 2>&1").splitlines()
    listed = [line.removeprefix("source ") for line in said if line.startswith("source ")]
    wanted = sources(library, c_library, "infer", "train", "anomaly", "audio", "link")
    assert [library / name for name in listed] == wanted
    assert "include src" in said
