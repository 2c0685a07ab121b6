"""The package on arm64 Linux, such as a Raspberry Pi's: its wheel built by a cross compiler and run
under qemu-aarch64, with Debian's Python and NumPy's own wheel for that machine."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.flash.process import Child, Pty
from byteprop_host.link import Device
from conftest import run

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests" / "data" / "models"
PROGRAM = Path(__file__).with_name("arm64_program.py")
COMPILER = "aarch64-linux-gnu-gcc"
EMULATOR = "qemu-aarch64"
PACKAGES = {COMPILER: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross", EMULATOR: "qemu-user"}

pytestmark = [pytest.mark.slow, pytest.mark.download, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")  # before the source distribution, which takes a while
def arm64() -> Path:
    """The folder that scripts/arm64_env makes."""
    missing = [tool for tool in PACKAGES if shutil.which(tool) is None]
    if missing:
        packages = " ".join(PACKAGES[tool] for tool in missing)
        pytest.skip(f"not installed: {', '.join(missing)} (sudo apt-get install {packages})")
    made = subprocess.run(
        [ROOT / "scripts" / "arm64_env"],
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300.0,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"no arm64 Python: {made.stderr.strip()}")
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def arm64_package(arm64: Path, sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel, built from the source distribution as on the machine itself."""
    folder = tmp_path_factory.mktemp("arm64")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder)
    (source,) = (path for path in folder.iterdir() if path.is_dir())
    headers = arm64 / "root/usr/include"
    (python_headers,) = headers.glob("python3*")
    command = f"{COMPILER} -I{python_headers} -I{headers}"
    environment = {
        "CC": command,
        "LDSHARED": f"{command} -shared",
        "CFLAGS": "",
        "LDFLAGS": "",
        "_PYTHON_HOST_PLATFORM": "linux-aarch64",
    }
    make = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    words = ["env", *(f"{name}={value}" for name, value in environment.items())]
    run(*words, sys.executable, "-c", make, folder, cwd=source)
    (wheel,) = folder.glob("*-linux_aarch64.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "package")
    return folder / "package"


def under_qemu(arm64: Path, *program: str | Path) -> list[str]:
    return [EMULATOR, "-L", str(arm64 / "root"), *map(str, program)]


def answers(command: list[str], *folders: Path) -> dict[str, Any]:
    """What PROGRAM prints when it runs with these folders alone."""
    path = os.pathsep.join(map(str, folders))
    words = ["env", "-u", "BYTEPROP_ISA", f"PYTHONPATH={path}", *command, "-B", PROGRAM, MODELS]
    found: dict[str, Any] = json.loads(run(*words, cwd=PROGRAM.parent))
    return found


@pytest.fixture(scope="module")
def arm64_answers(arm64: Path, arm64_package: Path) -> dict[str, Any]:
    python = under_qemu(arm64, arm64 / "root/usr/bin/python3", "-s")
    found = answers(python, arm64_package, arm64 / "site")
    assert found["machine"] == "aarch64"
    assert Path(found["extension"]).is_relative_to(arm64_package)
    return found


def test_inference_on_arm64_gives_every_byte_of_the_vectors(arm64_answers: dict[str, Any]) -> None:
    for kind in ("models", "ops"):
        compared = arm64_answers[kind]
        assert {name: different for name, (_, different) in compared.items() if different} == {}
    assert set(arm64_answers["models"]) == {path.stem for path in MODELS.glob("*.tflite")}
    assert sum(n for n, _ in arm64_answers["models"].values()) > 1000
    assert len(arm64_answers["ops"]) > 10


def test_training_on_arm64_gives_the_bits_of_this_computer(
    arm64_answers: dict[str, Any], wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    here = answers([sys.executable], tmp_path)
    assert Path(here["extension"]).is_relative_to(tmp_path)
    assert arm64_answers["training"] == here["training"]
    for training in here["training"].values():
        assert training["steps"] >= 15
        assert training["changed"] > 20


def test_the_host_board_answers_on_arm64(arm64: Path, arm64_package: Path) -> None:
    """The device program of the wheel, behind a line of this computer."""
    device_program = arm64_package / "byteprop/_bin/byteprop-device"
    assert device_program.read_bytes()[18:20] == b"\xb7\x00"  # ELF's number of the machine
    device_program.chmod(device_program.stat().st_mode | stat.S_IXUSR)
    model = byteprop.load(MODELS / "digits_mlp.tflite")
    vectors = np.load(MODELS / "digits_mlp.vectors.npz")
    pty = Pty.make()
    child = None
    try:
        child = Child(under_qemu(arm64, device_program, str(pty.master)), fds=[pty.master])
        pty.give_master()
        baud = load_board("host").serial.baud
        with Device.open(pty.port, baud=baud, timeout=30.0, board="host") as device:
            device.load_image(model.image)
            found = [device.infer(x.tobytes()).output for x in vectors["x"]]
    finally:
        if child is not None:
            child.close()
        pty.close()
    assert found == [y.tobytes() for y in vectors["y"]]
