"""The wheels for the Raspberry Pi, 64-bit and 32-bit: built by the release's script and run under
qemu-user, with Debian's Pythons and each Pi's CPU. Their answers are compared with those of
tflite-runtime's own wheels for these machines."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop_host.boards.board import load_board
from byteprop_host.flash.process import Child, Pty
from byteprop_host.link import Device
from package_tree import ROOT, run

MODELS = ROOT / "tests/data/models"
PROGRAM = Path(__file__).with_name("pi_program.py")

pytestmark = [pytest.mark.slow, pytest.mark.download, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Machine:
    """cpus: qemu's name of each, and the instruction set that is chosen there. elf: its number."""

    debian: str
    target: str
    emulator: str
    cpus: dict[str, str]
    elf: bytes


MACHINES = {
    "aarch64": Machine(
        "arm64",
        "linux-aarch64",
        "qemu-aarch64",
        {"cortex-a53": "neon", "cortex-a72": "neon", "cortex-a76": "dotprod"},
        b"\xb7\x00",
    ),
    "armv7l": Machine("armhf", "linux-armv7l", "qemu-arm", {"cortex-a7": "lanes"}, b"\x28\x00"),
}


@dataclass(frozen=True)
class Pi:
    """folder: what scripts/pi_env made; package: the unpacked wheel."""

    machine: Machine
    folder: Path
    package: Path

    def program(self, cpu: str, *words: str | Path) -> list[str]:
        root = str(self.folder / "root")
        return [self.machine.emulator, "-cpu", cpu, "-L", root, *map(str, words)]


@pytest.fixture(scope="module", params=MACHINES)
def pi(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pi:
    machine = MACHINES[request.param]
    if shutil.which(machine.emulator) is None:
        pytest.skip(f"{machine.emulator} is not installed (sudo apt-get install qemu-user)")
    pytest.importorskip("ziglang", reason="ziglang is not installed (pip install ziglang)")
    made = subprocess.run(
        [ROOT / "scripts/pi_env", machine.debian],
        env={**os.environ, "PYTHON": sys.executable},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400.0,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"no {machine.debian} Python: {made.stderr.strip()}")
    wheel = request.getfixturevalue("cross_wheel")(machine.target)
    package = tmp_path_factory.mktemp(machine.debian) / "package"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(package)
    return Pi(machine, Path(made.stdout.strip()), package)


def answers(command: list[str], *folders: Path) -> dict[str, Any]:
    """What PROGRAM prints when it runs with these folders alone."""
    path = os.pathsep.join(map(str, folders))
    words = ["env", "-u", "BYTEPROP_ISA", f"PYTHONPATH={path}", *command, "-B", PROGRAM, MODELS]
    found: dict[str, Any] = json.loads(run(*words, cwd=PROGRAM.parent))
    return found


@pytest.fixture(scope="module")
def pi_answers(pi: Pi) -> dict[str, dict[str, Any]]:
    """By CPU."""
    root, site, tools = (pi.folder / name for name in ("root", "site", "tools"))
    found = {}
    for cpu in pi.machine.cpus:
        python = pi.program(cpu, root / "usr/bin/python3", "-s")
        found[cpu] = answers(python, pi.package, site, tools)
        assert Path(found[cpu]["extension"]).is_relative_to(pi.package)
    return found


def test_the_instruction_set_is_that_of_the_cpu(
    pi: Pi, pi_answers: dict[str, dict[str, Any]]
) -> None:
    assert {cpu: found["isa"] for cpu, found in pi_answers.items()} == pi.machine.cpus
    machines = {found["machine"] for found in pi_answers.values()}
    assert machines == {pi.machine.target.removeprefix("linux-")}


def test_inference_gives_every_byte_of_tensorflow_lite(
    pi_answers: dict[str, dict[str, Any]],
) -> None:
    """Of its vectors from x86-64, and of its build for this machine."""
    names = {path.stem for path in MODELS.glob("*.tflite")}
    for found in pi_answers.values():
        for kind in ("models", "ops", "tflite"):
            differing = {name: n for name, (_, n) in found[kind].items() if n}
            assert differing == {}, kind
        assert set(found["models"]) == set(found["tflite"]) == names
        assert sum(n for n, _ in found["models"].values()) > 1000
        assert len(found["ops"]) > 10


def test_training_gives_the_bits_of_this_computer(
    pi_answers: dict[str, dict[str, Any]], wheel: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    here = answers([sys.executable], tmp_path)
    assert Path(here["extension"]).is_relative_to(tmp_path)
    for found in pi_answers.values():
        assert found["training"] == here["training"]
    for training in here["training"].values():
        assert training["steps"] >= 15
        assert training["changed"] > 20


def test_the_host_board_answers(pi: Pi) -> None:
    """The device program of the wheel, behind a line of this computer."""
    device_program = pi.package / "byteprop/_bin/byteprop-device"
    assert device_program.read_bytes()[18:20] == pi.machine.elf
    device_program.chmod(device_program.stat().st_mode | stat.S_IXUSR)
    model = byteprop.load(MODELS / "digits_mlp.tflite")
    vectors = np.load(MODELS / "digits_mlp.vectors.npz")
    cpu = next(iter(pi.machine.cpus))
    pty = Pty.make()
    child = None
    try:
        child = Child(pi.program(cpu, device_program, str(pty.master)), fds=[pty.master])
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
