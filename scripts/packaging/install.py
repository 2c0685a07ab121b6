"""Installs the wheel for this computer into empty environments, one per version of Python, and
builds firmware from the last: python scripts/packaging/install.py dist [3.10 3.11 ...]

Interpreters are looked for on PATH and among pyenv's. A version that is not installed is named.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/fashion_mnist"
VERSIONS = ("3.10", "3.11", "3.12", "3.13")
BOARD = ("mps2-an386", "arm-none-eabi-gcc")


def interpreter(version: str) -> Path | None:
    found = shutil.which(f"python{version}")
    candidates = [Path(found)] if found else []
    candidates += sorted((Path.home() / ".pyenv/versions").glob(f"{version}.*/bin/python"))
    ask = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        done = subprocess.run([candidate, "-c", ask], capture_output=True, text=True, check=False)
        if done.returncode == 0 and done.stdout.strip() == version:
            return candidate
    return None


def said(*words: str | Path, cwd: Path, path: Path) -> str:
    """Output of a command that must succeed, in the environment `path` and outside the checkout."""
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, "PATH": f"{path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{words[0]} failed:\n{done.stdout[-4000:]}")
    return done.stdout


def try_version(python: Path, wheel: Path, folder: Path) -> Path:
    """The programs of a new environment that has the wheel."""
    programs = folder / "venv/bin"
    said(python, "-m", "venv", folder / "venv", cwd=folder, path=programs)
    quiet = ("--quiet", "--disable-pip-version-check", "--only-binary=:all:")
    pip = (programs / "python", "-m", "pip", "install", *quiet)
    said(*pip, f"{wheel}[host]", cwd=folder, path=programs)
    tried = Path(__file__).with_name("try_wheel.py")
    print(said(programs / "python", tried, EXAMPLE, cwd=folder, path=programs).strip())
    data = (EXAMPLE / "fashion_mlp.tflite", "--data", EXAMPLE / "t10k-1000.npz")
    verdict = said(programs / "byteprop", "verify", *data, cwd=folder, path=programs)
    print(f"    board host: {verdict.splitlines()[0]}", flush=True)
    return programs


def build_firmware(programs: Path, folder: Path) -> None:
    board, compiler = BOARD
    if shutil.which(compiler) is None:
        print(f"no firmware was built: {compiler} is not installed")
        return
    model, out = EXAMPLE / "fashion_mlp.tflite", folder / "firmware.elf"
    command = (programs / "byteprop", "build", "--model", model, "--board", board, "-o", out)
    said(*command, cwd=folder, path=programs)
    print(f"firmware for {board}, built from the installed wheel: {out.stat().st_size:,} bytes")


def main(dist: Path, versions: tuple[str, ...]) -> None:
    (wheel,) = dist.resolve().glob(f"*manylinux*_{platform.machine()}.whl")
    for version in versions:
        python = interpreter(version)
        if python is None:
            print(f"Python {version} is not installed: not tried")
            continue
        with tempfile.TemporaryDirectory(prefix="byteprop-install-") as name:
            programs = try_version(python, wheel, Path(name))
            if version == versions[-1]:
                build_firmware(programs, Path(name))


if __name__ == "__main__":
    main(Path(sys.argv[1]), tuple(sys.argv[2:]) or VERSIONS)
