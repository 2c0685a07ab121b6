"""What can be said of Windows without one: nothing POSIX-only is needed to import the packages, the
board `host` says what is missing, and the C library passes its tests under Wine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from package_tree import ROOT, run

TESTS = ROOT / "tests/c"
COMPILER = "x86_64-w64-mingw32-gcc"
HELPERS = ("assert_failed.c", "demo_image.c", "train_image.c")
FLAGS = (
    *("-std=c99", "-O1", "-DBP_ASSERTIONS=1", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion"),
    *("-Wshadow", "-Wundef", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Werror"),
    *(f"-I{ROOT / 'csrc/include'}", f"-I{ROOT / 'csrc'}", f"-I{TESTS}"),
)

# What other packages and the standard library choose by themselves is loaded first. Then what
# Windows does not have is taken away.
WITHOUT_POSIX = """
import asyncio, importlib, multiprocessing, os, pkgutil, signal, socket, subprocess, sys, tempfile
import cffi, flatbuffers, numpy, rich.console, rich.progress, rich.table, serial
import serial.tools.list_ports, shtab, tflite
for name in ("termios", "fcntl", "pty", "tty", "resource", "pwd", "grp", "syslog", "readline"):
    sys.modules[name] = None
for name in ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGPIPE", "pthread_sigmask", "SIG_BLOCK", "alarm"):
    delattr(signal, name)
for name in ("fork", "openpty", "killpg", "getuid", "geteuid", "sched_getaffinity", "ttyname"):
    delattr(os, name)
# The last one needs the extra fleet.
skipped = {"byteprop_host.__main__", "byteprop_host.pytest_plugin", "byteprop.flower"}
done = 0
import byteprop, byteprop_host
for package in (byteprop, byteprop_host):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if found.name not in skipped:
            importlib.import_module(found.name)
            done += 1
print(done)
"""

ON_WINDOWS = """
import sys
from byteprop_host.cli import main
sys.platform = "win32"
sys.exit(main(["verify", "fashion_mlp.tflite", "--data", "t10k-1000.npz"]))
"""


def python(program: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120.0,
        check=False,
    )


def test_nothing_posix_only_is_imported(tmp_path: Path) -> None:
    done = python(WITHOUT_POSIX, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


def test_the_host_board_says_what_is_missing_and_what_to_use() -> None:
    done = python(ON_WINDOWS, ROOT / "examples/fashion_mnist")
    assert done.returncode not in (0, 1), done.stdout + done.stderr
    said = " ".join(done.stderr.split())
    assert "Windows" in said and "pseudo-terminal" in said
    assert "byteprop boards" in said and "Subsystem for Linux" in said
    assert "Traceback" not in said and "apt-get" not in said


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    if shutil.which(COMPILER) is None:
        pytest.skip(f"{COMPILER} is not installed (sudo apt-get install gcc-mingw-w64-x86-64)")
    folder = tmp_path_factory.mktemp("mingw")
    parts = (path for path in (ROOT / "csrc").rglob("*.c") if not {"app", "mlperf"} & {*path.parts})
    sources = [*sorted(parts), *(TESTS / name for name in HELPERS)]
    for number, parent in enumerate(sorted({path.parent for path in sources})):
        objects = folder / str(number)  # two folders may have files of one name
        objects.mkdir()
        own = [path for path in sources if path.parent == parent]
        run(COMPILER, *FLAGS, "-c", *own, cwd=objects)
    return sorted(folder.glob("*/*.o"))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_c_tests_pass_under_wine(library: list[Path], tmp_path: Path) -> None:
    if shutil.which("wine") is None:
        pytest.skip("wine is not installed (sudo apt-get install wine wine64)")
    variables = {**os.environ, "WINEPREFIX": str(tmp_path / "wine"), "WINEDEBUG": "-all"}
    failed = {}
    programs = sorted(TESTS.glob("test_*.c"))
    assert len(programs) > 5
    for source in programs:
        program = tmp_path / f"{source.stem}.exe"
        run(COMPILER, *FLAGS, source, *library, "-o", program, cwd=tmp_path)
        done = subprocess.run(
            ["wine", program],
            cwd=tmp_path,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=300.0,
            check=False,
        )
        if done.returncode != 0:
            failed[source.stem] = done.stderr[-500:]
    assert failed == {}
