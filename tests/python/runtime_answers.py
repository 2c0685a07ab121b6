"""Answers of tflite-runtime to models that may crash it: a process of its own, started again behind
a model that ended it.

As a program: reads models and inputs from a folder, and writes the answers there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import builtin_ref

Array = np.ndarray[Any, Any]
TIMEOUT = 60


def answers(folder: Path, cases: list[tuple[bytes, list[Array]]]) -> list[list[Array] | None]:
    """The outputs of each model for its inputs; None where the runtime refuses it or crashes."""
    for i, (model, inputs) in enumerate(cases):
        (folder / f"{i}.tflite").write_bytes(model)
        np.savez(folder / f"{i}.in.npz", *inputs)
    first = 0
    while first < len(cases):
        command = [sys.executable, __file__, str(folder), str(first), str(len(cases))]
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, check=False)
        first = len(cases) if done.returncode == 0 else int((folder / "at").read_text()) + 1
    return [_answer(folder / f"{i}.out.npz") for i in range(len(cases))]


def _answer(path: Path) -> list[Array] | None:
    if not path.exists():
        return None
    with np.load(path) as file:
        return list(file.values())


def _main(folder: Path, first: int, last: int) -> None:
    for i in range(first, last):
        (folder / "at").write_text(str(i))
        with np.load(folder / f"{i}.in.npz") as file:
            inputs = list(file.values())
        try:
            outputs = builtin_ref.run((folder / f"{i}.tflite").read_bytes(), inputs)
        except (ValueError, RuntimeError):
            continue
        np.savez(folder / f"{i}.out.npz", *outputs)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
