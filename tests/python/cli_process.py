"""The `byteprop` command as a real process, for tests of signals and of processes left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

COMMAND = [sys.executable, "-m", "byteprop_host"]
PATIENCE = 60.0


def run_command(
    args: Sequence[str | Path], *, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, args)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=cwd,
    )


@contextlib.contextmanager
def running(args: Sequence[str | Path], *, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A command that runs on; ended at the end whatever happens."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def children(pid: int) -> list[int]:
    """Processes that `pid` has started and that live."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in task.read_text().split()]
    return found


def wait_for_child(process: subprocess.Popen[str], name: str) -> int:
    """The first child whose command holds `name`."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        for child in children(process.pid):
            with contextlib.suppress(OSError):
                if name in Path(f"/proc/{child}/cmdline").read_text():
                    return child
        time.sleep(0.02)
    process.kill()
    out, errors = process.communicate()
    raise AssertionError(f"no child {name!r}; exit code {process.returncode}: {out}{errors}")


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def wait_until_dead(pid: int) -> bool:
    deadline = time.monotonic() + 10.0
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[str, str]:
    """Sends a signal and waits for the end."""
    os.kill(process.pid, number)
    return process.communicate(timeout=PATIENCE)
