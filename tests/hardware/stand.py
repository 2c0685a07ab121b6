"""Starts commands where emulated debug probes are plugged in: see models/stand.py."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
DEBIAN_PYTHON = "/usr/bin/python3"
BYTEPROP = str(Path(sys.executable).with_name("byteprop"))
_TIMEOUT = 240.0


@dataclass(frozen=True)
class Run:
    """What a command said. code is None when it did not end in time."""

    code: int | None
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


@dataclass(frozen=True)
class Left:
    """What a device is left with. memory: its flash, or what a boot loader received."""

    memory: bytes
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    runs: tuple[Run, ...]
    devices: tuple[Left, ...]


def need(*programs: str) -> None:
    """Skips the test unless umockdev and the programs are installed."""
    missing = [p for p in ("umockdev-wrapper", *programs) if shutil.which(p, path=_path()) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; scripts/setup names the packages")
    if importlib.util.find_spec("unicorn") is None:
        pytest.skip("not installed: unicorn, which emulates the chips")


def _path() -> str:
    return f"{Path(sys.executable).parent}:{os.environ['PATH']}"


def run_with(
    devices: Sequence[Mapping[str, Any]],
    *commands: Sequence[str],
    folder: Path,
    timeout: float = 120.0,
) -> Result:
    """Runs the commands one after the other, with the devices plugged in."""
    spec = {"devices": devices, "commands": commands, "timeout": timeout}
    spec_file, result_file = folder / "spec.json", folder / "result.json"
    spec_file.write_text(json.dumps(spec), encoding="utf-8")
    unicorn = importlib.util.find_spec("unicorn")
    assert unicorn is not None and unicorn.origin is not None
    done = subprocess.run(
        [
            *("umockdev-wrapper", DEBIAN_PYTHON, "-m", "models.stand"),
            *(str(spec_file), str(result_file)),
        ],
        cwd=HERE,
        env={
            **os.environ,
            "PATH": _path(),
            "PYTHONPATH": str(Path(unicorn.origin).parents[1]),
        },
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(result_file.read_text(encoding="utf-8"))
    return Result(
        tuple(Run(r["code"], r["out"], r["err"]) for r in result["runs"]),
        tuple(
            Left((folder / f"{device['serial']}.bin").read_bytes(), state)
            for device, state in zip(devices, result["devices"], strict=True)
        ),
    )
