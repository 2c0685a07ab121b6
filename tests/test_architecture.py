"""The rules of the house, checked: who may include or import whom, what C code may use, naming, and
what must not be in the repository."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CSRC = ROOT / "csrc"
PUBLIC = CSRC / "include/byteprop"
RUNTIME = ROOT / "runtime/byteprop"
HOST_TOOLS = ROOT / "host_tools/byteprop_host"

C_FLAGS = (
    "-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes "
    "-Wmissing-prototypes -Wundef -Werror"
).split()

# Folder of csrc -> public headers it may include. What is not listed may include nothing.
MAY_INCLUDE = {
    "kernels": {"config", "fixed", "kernels", "status"},
    "isa": {"config", "fixed", "kernels", "status"},
    "ops": {"config", "fixed", "kernels", "model", "status"},
    "model": {"config", "crc32", "model", "status"},
    "infer": {"config", "infer", "model", "status"},
    "prepared": {"config", "fixed", "infer", "kernels", "model", "prepared"},
    "train": {"config", "crc32", "fixed", "infer", "kernels", "model", "status", "train"},
    "anomaly": {"anomaly", "model", "status"},
    "audio": {"audio", "config"},
    "link": {"config", "crc32", "link", "status"},
    "app": {
        *("anomaly", "config", "crc32", "infer", "kernels", "link", "model", "port", "status"),
        "train",
    },
    "mlperf": {"config", "infer", "link", "model", "port", "status"},
    ".": {"config", "crc32", "status"},
}
# The seam through which kernels get the fastest primitives of the CPU, and their contracts.
SEAM = {"isa/isa.h", "isa/primitives.h", "isa/packed.h"}
# The table of ops, and the records of those that are prepared and of those that training knows.
OP_TABLE = "ops/ops.h"
# Multipliers that training derives from scales, as does the score of an autoencoder.
REALS = "train/real.h"
PREPARED_OPS = {"ops/convolution.h", "ops/dense.h"}
TRAINED_OPS = {
    *("ops/convolution.h", "ops/dense.h", "ops/joins.h", "ops/mean.h", "ops/pool.h"),
    *("ops/rescale.h", "ops/softmax.h", "ops/window.h"),
}
FREESTANDING = {"stddef.h", "stdint.h", "stdbool.h", "limits.h"}
# The accessor for AVR's other address space, and what an instruction set's own folder is for.
EXTRA_HEADERS = {
    "include": {"avr/pgmspace.h", "byteprop_config.h"},
    "isa": {
        *("arm_acle.h", "arm_mve.h", "arm_neon.h", "sys/auxv.h"),
        *("immintrin.h", "cpuid.h", "avr/pgmspace.h"),
    },
}


def tracked_files() -> list[Path]:
    """Files of the repository, and new ones that are not ignored."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("not a git clone, so the list of files is unknown")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    paths = (ROOT / name for name in listed.decode().split("\0") if name)
    return sorted({path for path in paths if path.is_file()})


def c_files(*folders: Path) -> list[Path]:
    return sorted(p for folder in folders for p in folder.rglob("*") if p.suffix in {".c", ".h"})


@cache
def c_code(path: Path) -> str:
    """The file with comments and the content of strings blanked, lines kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(match: re.Match[str]) -> str:
        text = match.group()
        return '""' if text[0] in "\"'" else "\n" * text.count("\n") or " "

    return pattern.sub(blank, path.read_text(encoding="utf-8"))


def includes(path: Path) -> list[str]:
    """What the file includes, as written between <> or \"\"."""
    text = re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)
    return re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', text, re.M)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- C: who includes whom ----------------------------------------------------------------------


def test_csrc_has_files() -> None:
    assert len(c_files(CSRC)) > 10


@pytest.mark.parametrize("path", c_files(CSRC), ids=relative)
def test_csrc_includes(path: Path) -> None:
    parts = path.relative_to(CSRC).parts
    folder = parts[0] if len(parts) > 1 else "."
    for name in includes(path):
        if name.startswith("byteprop/"):
            if folder != "include":
                header = Path(name).stem
                assert header in MAY_INCLUDE[folder], f"{folder}/ must not include {name}"
            assert (CSRC / "include" / name).is_file(), f"{name} is not a public header"
        elif (path.parent / name).is_file():
            neighbour = (path.parent / name).resolve()
            assert neighbour.is_relative_to(CSRC / folder), f"{name} belongs to another folder"
        elif (CSRC / name).is_file():
            seam = (
                (name in SEAM and folder in {"kernels", "prepared", "train"})
                or (
                    name == OP_TABLE
                    and folder in {"model", "infer", "prepared", "train", "anomaly"}
                )
                or (name == REALS and folder == "anomaly")
                or (name in PREPARED_OPS and folder == "prepared")
                or (name in TRAINED_OPS and folder == "train")
                or (name in {"kernels/squares.h", "kernels/window.h"} and folder == "train")
            )
            assert Path(name).parts[0] == folder or seam, f"{folder}/ must not include {name}"
        else:
            allowed = FREESTANDING | EXTRA_HEADERS.get(folder, set())
            assert name in allowed, f"{name} is not a freestanding header"


def test_reader_and_walk_know_no_single_op() -> None:
    """They ask the table; the list of ops and the files of csrc/ops are the same."""
    rows = re.findall(r"\bX\(\d+, (\w+), (\w+),", (PUBLIC / "model.h").read_text(encoding="utf-8"))
    assert len(rows) >= 4
    for _, name in rows:
        assert (CSRC / f"ops/{name}.c").is_file()
    for path in c_files(CSRC / "model", CSRC / "infer"):
        for c_name, name in rows:
            assert not re.search(rf"\bBP_OP_{c_name}\b|\bbp_op_{name}_", c_code(path)), path


def test_public_headers_include_downwards() -> None:
    """Of the public headers, each includes only what lies below it."""
    below: dict[str, set[str]] = {
        "status": set(),
        "config": set(),
        "audio": set(),
        "crc32": set(),
        "fixed": set(),
        "kernels": set(),
        "port": set(),
        "link": {"status"},
        "model": {"config", "status"},
        "infer": {"model", "status"},
        "prepared": {"model"},
        "train": {"infer", "model", "status"},
        "anomaly": {"model", "status"},
    }
    for path in sorted(PUBLIC.glob("*.h")):
        included = {Path(n).stem for n in includes(path) if n.startswith("byteprop/")}
        assert included <= below[path.stem], f"{path.name} includes {included}"


def test_the_extensions_own_c_uses_public_headers_of_csrc_only() -> None:
    """What may use floats is no part of csrc, and no part of csrc uses it."""
    native = ROOT / "runtime/native"
    own = {path.name for path in c_files(native)}
    assert own
    for path in c_files(native):
        for name in includes(path):
            public = name.startswith("byteprop/") and (CSRC / "include" / name).is_file()
            assert public or name in own | FREESTANDING | {"math.h"}, f"{path.name}: {name}"
    for path in c_files(CSRC, ROOT / "boards"):
        assert not own & {Path(name).name for name in includes(path)}, relative(path)


def test_boards_use_public_headers_of_csrc_only() -> None:
    for path in c_files(ROOT / "boards"):
        for name in includes(path):
            resolved = (path.parent / name).resolve()
            assert not resolved.is_relative_to(CSRC), f"{relative(path)} includes {name}"
            assert "csrc" not in Path(name).parts, f"{relative(path)} includes {name}"


# --- C: what code may use ----------------------------------------------------------------------

FORBIDDEN_WORDS = {
    "malloc": r"\b(?:malloc|calloc|realloc|free|alloca)\s*\(",
    "floating point": r"\b(?:float|double)\b",
    "floating-point constants": r"(?<![\w.])\d+\.\d*(?:[eE][-+]?\d+)?[fF]?\b",
    "goto": r"\bgoto\b",
    "stdio": r"\b(?:printf|puts|fopen|exit|abort)\s*\(",
}


@pytest.mark.parametrize("what", FORBIDDEN_WORDS)
def test_csrc_does_not_use(what: str) -> None:
    pattern = re.compile(FORBIDDEN_WORDS[what])
    found = [
        f"{relative(path)}:{number}: {line.strip()}"
        for path in c_files(CSRC)
        for number, line in enumerate(c_code(path).splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"{what} in csrc:\n" + "\n".join(found)


def gcc(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    # What ccache has it gives back without the call graph.
    env = {**os.environ, "CCACHE_DISABLE": "1"}
    return subprocess.run(
        ["gcc", *map(str, arguments)],
        cwd=cwd, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip


PORTABLE = [p for p in c_files(CSRC) if p.suffix == ".c" and "isa" not in p.parts]
# What the build passes to csrc/app from a board.toml; the numbers do not matter here.
APP_DEFINES = (
    '-DBP_BOARD_NAME="test" -DBP_BOARD_CPU="test" -DBP_TICK_KIND=1 -DBP_TICK_HZ=25000000 '
    "-DBP_RAM_BYTES=65536 -DBP_FLASH_BYTES=65536 -DBP_LINK_MAX_PAYLOAD=256 "
    "-DBP_LINK_RX_WINDOW=1024 -DBP_LINK_SLOTS=4 -DBP_LINK_SLOT_BYTES=64 -DBP_POOL_BYTES=1024 "
    "-DBP_BUILD_ID=1 -DBP_BAKED_MODEL=1 -DBP_APP_TRAIN=1 -DBP_APP_ANOMALY=1 "
    "-DBP_SAVE_SLOT_BYTES=8192 -DBP_FLASH_PAGE_BYTES=1024"
).split()
MLPERF_DEFINES = '-DBP_MLPERF_MODEL="ad01" -DBP_MLPERF_FORMAT=2 -DBP_MLPERF_INPUTS=640UL'.split()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the call graph (.ci) and the stack use (.su) of every portable file."""
    folder = tmp_path_factory.mktemp("callgraph")
    for path in PORTABLE:
        flags = APP_DEFINES if {"app", "mlperf"} & set(path.parts) else []
        flags = flags + (MLPERF_DEFINES if "mlperf" in path.parts else [])
        result = gcc(
            *C_FLAGS, "-O1", "-Wvla", "-ffreestanding", "-fno-inline", "-fcallgraph-info",
            "-fstack-usage", *flags, f"-I{CSRC / 'include'}", f"-I{CSRC}", "-c", path, "-o",
            f"{'_'.join(path.relative_to(CSRC).with_suffix('').parts)}.o", cwd=folder,
        )  # fmt: skip
        assert result.returncode == 0, result.stderr
    return folder


def test_csrc_has_no_variable_length_arrays(compiled: Path) -> None:
    reports = list(compiled.glob("*.su"))
    assert len(reports) == len(PORTABLE)
    for report in reports:
        for line in report.read_text().splitlines():
            # "dynamic,bounded" is what pushing more arguments than registers hold looks like.
            assert line.split("\t")[-1] != "dynamic", f"stack use is not bounded: {line}"


def call_graph(folder: Path) -> dict[str, set[str]]:
    calls: dict[str, set[str]] = {}
    for report in sorted(folder.glob("*.ci")):
        text = report.read_text()
        for caller, callee in re.findall(r'sourcename: "([^"]+)" targetname: "([^"]+)"', text):
            calls.setdefault(caller, set()).add(callee)
    return calls


def test_csrc_has_no_recursion(compiled: Path) -> None:
    """Direct calls only; a call through a pointer (hooks, write functions) leaves the library."""
    calls = call_graph(compiled)
    assert len(calls) > 10
    state: dict[str, str] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert state.get(name) != "open", "recursion: " + " -> ".join((*path, name))
        if name in state:
            return
        state[name] = "open"
        for callee in sorted(calls.get(name, ())):
            visit(callee, (*path, name))
        state[name] = "done"

    for name in sorted(calls):
        visit(name, ())


def symbols(path: Path) -> tuple[set[str], set[str]]:
    """The global names that an object file defines, and those that it refers to."""
    listed = subprocess.run(["nm", "-g", path], capture_output=True, text=True, check=True).stdout
    lines = [line.split() for line in listed.splitlines()]
    return {x[-1] for x in lines if x[-2] != "U"}, {x[-1] for x in lines if x[-2] == "U"}


def test_csrc_has_no_circle(compiled: Path) -> None:
    """No file of csrc refers to itself by way of others: helpers are below those that use them."""
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    objects = {path.stem: symbols(path) for path in sorted(compiled.glob("*.o"))}
    owner = {name: file for file, (defined, _) in objects.items() for name in defined}
    uses = {
        file: sorted({owner[n] for n in used if n in owner} - {file})
        for file, (_, used) in objects.items()
    }
    assert sum(map(len, uses.values())) > len(uses)
    finished: set[str] = set()

    def visit(file: str, path: tuple[str, ...]) -> None:
        assert file not in path, "circle: " + " -> ".join((*path[path.index(file) :], file))
        if file not in finished:
            for below in uses[file]:
                visit(below, (*path, file))
            finished.add(file)

    for file in uses:
        visit(file, ())


# --- C: public headers -------------------------------------------------------------------------


@pytest.mark.parametrize("header", sorted(PUBLIC.glob("*.h")), ids=lambda p: p.name)
@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("times", [1, 2])
def test_public_header_compiles_alone(
    header: Path, language: str, times: int, tmp_path: Path
) -> None:
    source = tmp_path / ("use.c" if language == "c" else "use.cpp")
    body = f"#include <byteprop/{header.name}>\n" * times + "extern int nothing;\n"
    source.write_text(body)
    flags = C_FLAGS if language == "c" else ["-std=c++11", "-Wall", "-Wextra", "-Werror"]
    include = f"-I{CSRC / 'include'}"
    result = gcc(*flags, "-x", language, include, "-fsyntax-only", source, cwd=tmp_path)
    if "cc1plus" in result.stderr:
        pytest.skip("gcc without C++")
    assert result.returncode == 0, result.stderr


def test_public_names_have_the_prefix() -> None:
    for path in sorted(PUBLIC.glob("*.h")):
        code = c_code(path)
        for macro in re.findall(r"^\s*#\s*define\s+(\w+)", code, re.M):
            assert macro.startswith(("BP_", "BYTEPROP_")), f"{path.name}: macro {macro}"
        for function in re.findall(r"^[a-z][\w \*]*?\b(\w+)\([^;{]*\)\s*[;{]", code, re.M):
            assert function.startswith("bp_"), f"{path.name}: function {function}"


def test_global_symbols_have_the_prefix(compiled: Path) -> None:
    if shutil.which("nm") is None:
        pytest.skip("nm is not installed")
    defined = 0
    for path in sorted(compiled.glob("*.o")):
        listed = subprocess.run(
            ["nm", "-g", "--defined-only", path], capture_output=True, text=True, check=True
        ).stdout
        names = [line.split()[-1] for line in listed.splitlines() if len(line.split()) == 3]
        # A device program is linked into firmware as a whole; its inner names are its own.
        folder = path.name.split("_")[0]
        prefixes = ("bp_", f"{folder}_") if folder in {"app", "mlperf"} else ("bp_",)
        assert [name for name in names if not name.startswith(prefixes)] == []
        defined += len(names)
    assert defined > len(PORTABLE)


# --- Python: who imports whom ------------------------------------------------------------------


def python_files(*folders: Path) -> list[Path]:
    return sorted(p for folder in folders for p in folder.rglob("*.py"))


def import_pairs(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name in it) of each import, absolute; the name is empty for `import module`."""
    top = "runtime" if path.is_relative_to(ROOT / "runtime") else "host_tools"
    package = path.relative_to(ROOT / top).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package[: len(package) - node.level]
                base = ".".join([*parents, base] if base else parents)
            yield from ((base, alias.name) for alias in node.names)


def imports(path: Path) -> set[str]:
    """Absolute dotted names that the module imports."""
    names: set[str] = set()
    for module, name in import_pairs(path):
        names |= {module, f"{module}.{name}"} if name else {module}
    return names


# Packages and modules of byteprop from the bottom up. Each imports only what stands before it, also
# inside functions and for types. `__init__` is the public face.
RUNTIME_LAYERS = (
    "errors support data engine graph tflite ops image float_ops reference importer exporter "
    "inference training model anomaly audio layers float_layers construction keras_layers "
    "sequential federated flower estimators quantizer __init__"
).split()
# The same of byteprop_host; `__main__` starts the command.
HOST_LAYERS = (
    "errors remedies activity colours console stopwatch boards target firmware flash toolchains "
    "rig link deployment data report verify training anomaly classes watch info inventory "
    "quantization quantization_report pytest_plugin commands completion recording parser cli "
    "__main__ __init__"
).split()


def modules() -> dict[str, Path]:
    """Every module of both packages by its dotted name."""
    found = {}
    for folder in (RUNTIME, HOST_TOOLS):
        for path in python_files(folder):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_modules(path: Path, known: Collection[str]) -> set[str]:
    """Of the known modules, those that this one waits for when it is imported."""
    pairs = ((f"{module}.{name}", module) for module, name in import_pairs(path))
    found = (inner if inner in known else outer for inner, outer in pairs)
    return {name for name in found if name in known}


def test_no_module_imports_itself_in_a_circle() -> None:
    known = modules()
    for face in ("byteprop", "byteprop_host"):  # they only pass names on, see the layers
        del known[face]
    needs = {name: imported_modules(path, known) - {name} for name, path in known.items()}
    while free := {name for name, others in needs.items() if not others & needs.keys()}:
        needs = {name: others for name, others in needs.items() if name not in free}
    circle = {name: sorted(others & needs.keys()) for name, others in needs.items()}
    assert circle == {}, "each of these waits for another of them"


@pytest.mark.parametrize(
    ("folder", "layers"), [(RUNTIME, RUNTIME_LAYERS), (HOST_TOOLS, HOST_LAYERS)]
)
def test_packages_import_downwards(folder: Path, layers: list[str]) -> None:
    package = folder.name
    present = {p.stem if p.suffix == ".py" else p.name for p in folder.iterdir()}
    present -= {"__pycache__", "_kernels", "_bin", "_csrc", "_boards", "py.typed"}
    unknown = {n for n in present if not n.startswith("_kernels")} - set(layers) - {"__init__"}
    assert unknown == set(), "give these a place in the list of layers"
    for path in python_files(folder):
        own = path.relative_to(folder).with_suffix("").parts[0]
        for name in imports(path):
            parts = name.split(".")
            if parts[0] != package or len(parts) < 2 or parts[1] == "_kernels":
                continue
            if parts[1] not in layers:  # a public name, taken from the face
                parts[1] = "__init__"
            assert layers.index(parts[1]) <= layers.index(own), f"{relative(path)}: {name}"


@pytest.mark.parametrize("path", python_files(RUNTIME), ids=relative)
def test_runtime_imports(path: Path) -> None:
    found = imports(path)
    assert not [n for n in found if n.split(".")[0] == "byteprop_host"], (
        "byteprop must work without byteprop_host"
    )
    if path.parent != RUNTIME / "engine":
        assert not [n for n in found if n.startswith("byteprop._kernels")], (
            "only byteprop.engine may import _kernels"
        )
    needed_elsewhere = {"serial", "rich", "matplotlib", "tflite_runtime"}
    if path == RUNTIME / "training/history.py":  # draws a picture for who has matplotlib
        needed_elsewhere -= {"matplotlib"}
    assert not [n for n in found if n.split(".")[0] in needed_elsewhere]


@pytest.mark.parametrize("path", python_files(HOST_TOOLS), ids=relative)
def test_host_tools_imports(path: Path) -> None:
    assert not [n for n in imports(path) if n.startswith("byteprop._kernels")]


def test_reference_is_independent_of_the_c_kernels() -> None:
    """Of the ops it takes the classes alone; what they compute is written a second time."""
    arithmetic = ("byteprop.engine._raw.", "byteprop.model", "byteprop.graph.quantization")
    for path in python_files(RUNTIME / "reference"):
        for name in imports(path):
            of_op = re.fullmatch(r"byteprop\.ops\.\w+\.(\w+)", name)
            assert of_op is None or of_op[1][0].isupper(), f"{relative(path)}: {name}"
            assert not name.startswith(arithmetic), f"{relative(path)}: {name}"


def is_library(path: Path) -> bool:
    """Everything but the faces that talk to people on a terminal."""
    if path.is_relative_to(RUNTIME):
        return True
    parts = path.relative_to(HOST_TOOLS).parts
    return parts[0] not in {"commands", "cli.py", "console.py", "__main__.py"}


@pytest.mark.parametrize(
    "path", [p for p in python_files(RUNTIME, HOST_TOOLS) if is_library(p)], ids=relative
)
def test_no_print_in_libraries(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert calls == [], f"print in lines {calls}"


# --- tools -------------------------------------------------------------------------------------


def run_module(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_ruff_is_clean() -> None:
    pytest.importorskip("ruff")
    result = run_module("ruff", "check", "--no-cache", ".")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
def test_mypy_is_clean() -> None:
    pytest.importorskip("mypy")
    result = run_module("mypy")
    assert result.returncode == 0, result.stdout + result.stderr


# --- the repository ----------------------------------------------------------------------------

TEXT = {".md", ".py", ".c", ".h", ".S", ".toml", ".ld", ".in", ".cfg", ".sh", ".pyi", ".csv", ""}
# Paths of one person's machine, and hosts from which packages come (configuration, not content).
MACHINE_PATH = re.compile(r"(?<![\w.$])/(?:home|root|work|Users|opt)/\w")
REGISTRY = re.compile(
    r"\b(?:pypi\.org|files\.pythonhosted\.org|deb\.debian\.org|registry\.npmjs\.org)\b"
)


def text_files() -> list[Path]:
    return [p for p in tracked_files() if p.suffix in TEXT and p.name != Path(__file__).name]


def test_no_machine_paths_or_registry_hosts() -> None:
    found = []
    for path in text_files():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if MACHINE_PATH.search(line) or REGISTRY.search(line):
                found.append(f"{relative(path)}:{number}: {line.strip()}")
    assert found == []


def test_no_large_files() -> None:
    large = [
        f"{relative(p)}: {p.stat().st_size:,} bytes"
        for p in tracked_files()
        if p.stat().st_size > 1_000_000
    ]
    assert large == []


def test_file_names() -> None:
    """Lower case with underscores; boards are named as QEMU or their vendor names them."""
    capital = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile"}
    capital |= {"CITATION.cff", "SECURITY.md"}
    wrong = [
        relative(p)
        for p in tracked_files()
        if p.name not in capital
        and not p.name.startswith("LICENSE.")
        and p.name != "Arduino.h"
        and not relative(p).startswith("packages/")  # package managers ask for their names
        and not re.fullmatch(r"[a-z0-9_.\-]+(?:\.S)?", p.name)
    ]
    assert wrong == []


def test_no_unfinished_marks() -> None:
    pattern = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    found = [
        f"{relative(path)}:{number}"
        for path in text_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
