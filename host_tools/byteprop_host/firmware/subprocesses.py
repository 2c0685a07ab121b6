"""Runs compilers and linkers, one or several at a time, and stops them on errors and interrupts."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from byteprop_host import activity
from byteprop_host.errors import BuildError

_SHOWN_COMMAND = 1500  # characters of a command that failed
_TIMEOUT_SECONDS = 300.0
_WAKE_SECONDS = 0.1

_T = TypeVar("_T")
_running: dict[int, subprocess.Popen[str]] = {}  # by the thread that waits for it


class CommandFailed(BuildError):
    def __init__(self, text: str, output: str) -> None:
        super().__init__(text)
        self.output = output


def run_tool(program: str | Path, args: Sequence[str | Path], cwd: Path) -> None:
    """Runs a compiler or linker to its end. CommandFailed has its output and its command line."""
    command = [str(program), *map(str, args)]
    try:
        done = finish(command, timeout=_TIMEOUT_SECONDS, cwd=cwd)
    except subprocess.TimeoutExpired:
        raise CommandFailed(
            f"timed out after {_TIMEOUT_SECONDS:g} s\nthe command was: {_shown(command)}", ""
        ) from None
    if done.returncode:
        raise CommandFailed(
            f"{done.stderr.strip()}\nthe command was: {_shown(command)}", done.stderr
        )


def finish(
    command: Sequence[str], *, timeout: float, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command until it ends, times out or is interrupted; then stops all that it started.
    Raises OSError when it cannot be started, and subprocess.TimeoutExpired."""
    activity.command(command)
    with _started(command, cwd) as process:
        out, errors = process.communicate(timeout=timeout)
    activity.command_output(out + errors)
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


@contextmanager
def _started(command: Sequence[str], cwd: Path | None) -> Iterator[subprocess.Popen[str]]:
    """A process that is stopped at the end of the block, with all that it started."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C"},
        # gcc runs cc1, as and ld: a separate session can be stopped as a whole.
        start_new_session=True,
    ) as process:
        _running[threading.get_ident()] = process
        try:
            yield process
        finally:
            del _running[threading.get_ident()]
            if process.poll() is None:
                _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _shown(command: Sequence[str]) -> str:
    text = shlex.join([Path(command[0]).name, *command[1:]])
    return text if len(text) <= _SHOWN_COMMAND else f"{text[:_SHOWN_COMMAND]} ..."


def in_parallel(jobs: Sequence[Callable[[], _T]], finished: Callable[[int], None]) -> list[_T]:
    """Results of jobs that call `run_tool`, in their order; `finished` gets the number done.

    An error or an interrupt stops the running tools and drops the waiting jobs.
    """
    stopped = threading.Event()
    busy: set[int] = set()  # threads

    def guarded(job: Callable[[], _T]) -> _T:
        busy.add(threading.get_ident())
        try:
            if stopped.is_set():
                raise CancelledError
            return job()
        finally:
            busy.discard(threading.get_ident())

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        try:
            futures = [pool.submit(guarded, job) for job in jobs]
            results = []
            for future in futures:
                # A signal that comes just before a wait without an end would not wake it.
                while not wait([future], timeout=_WAKE_SECONDS).done:
                    pass
                results.append(future.result())
                finished(len(results))
            return results
        except BaseException:
            stopped.set()
            pool.shutdown(wait=False, cancel_futures=True)
            while busy:
                for process in filter(None, map(_running.get, tuple(busy))):
                    _end(process)
                time.sleep(0.005)
            raise
