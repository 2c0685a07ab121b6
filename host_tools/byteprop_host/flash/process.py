"""Child processes that cannot outlive this one, and pseudo-terminals."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from byteprop_host import activity
from byteprop_host.errors import FlashError
from byteprop_host.firmware.native import NO_PTY

# Asks Linux for the death signal, then executes the program. Python code between fork and exec
# could hang when there are threads, and newer Pythons warn of it. SIGHUP, which resets byteprop's
# own programs, is blocked until then and ignored until they handle it.
_BECOME = """\
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent process has exited")
if sys.argv[2] == "one-cpu":
    cpus = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cpus[os.getpid() % len(cpus) :][:1])
try:
    os.execvp(sys.argv[3], sys.argv[3:])
except OSError as error:
    sys.exit(f"{sys.argv[3]}: {error.strerror}")
"""


def _is_tied() -> bool:
    return sys.platform.startswith("linux") and bool(sys.executable)


def _tied_to_us(command: Sequence[str], one_cpu: bool) -> list[str]:
    if not _is_tied():
        return list(command)
    cpus = "one-cpu" if one_cpu else "all-cpus"
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), cpus, *command]


class _Launcher(threading.Thread):
    """Starts all children. Linux ties the death signal to the *thread* that forked, so that thread
    must live as long as the process, whichever thread asks for a child."""

    def __init__(self) -> None:
        super().__init__(name="byteprop-launcher", daemon=True)
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()

    def run(self) -> None:
        if sys.platform != "win32" and _is_tied():
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # children inherit it
        while True:
            self._jobs.get()()

    def popen(
        self, command: Sequence[str], fds: Sequence[int], err: IO[bytes], one_cpu: bool
    ) -> subprocess.Popen[bytes]:
        answer: queue.SimpleQueue[subprocess.Popen[bytes] | Exception] = queue.SimpleQueue()

        def job() -> None:
            try:
                answer.put(
                    subprocess.Popen(
                        _tied_to_us(command, one_cpu),
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        stderr=err,
                        pass_fds=tuple(fds),
                    )
                )
            except Exception as error:
                answer.put(error)

        self._jobs.put(job)
        result = answer.get()
        if isinstance(result, Exception):
            raise FlashError(f"{command[0]} cannot be started: {result}") from result
        return result


_launcher: _Launcher | None = None
_launcher_lock = threading.Lock()


def _the_launcher() -> _Launcher:
    global _launcher
    with _launcher_lock:
        if _launcher is None or not _launcher.is_alive():  # not alive: we are a fork
            _launcher = _Launcher()
            _launcher.start()
        return _launcher


class Child:
    """A running program; close() kills it, and so do garbage collection and exit.

    one_cpu: all its threads share one CPU, for programs whose threads take turns."""

    def __init__(
        self, command: Sequence[str], *, fds: Sequence[int] = (), one_cpu: bool = False
    ) -> None:
        self.command = tuple(command)
        activity.command(command)
        self._err = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the child)
        try:
            self._process = _the_launcher().popen(command, fds, self._err, one_cpu)
        except BaseException:
            self._err.close()
            raise
        self._finalizer = weakref.finalize(self, _end, self._process, self._err)

    @property
    def stdin(self) -> IO[bytes]:
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        assert self._process.stdout is not None
        return self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll()

    def wait(self, timeout: float | None) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout)
        return None

    def kill(self) -> None:
        """Ends it at once; nothing happens when it has ended."""
        self._process.kill()

    def errors(self) -> str:
        """Its output to stderr."""
        self._err.seek(0)
        return self._err.read().decode("utf-8", "replace").strip()

    def close(self) -> None:
        self._finalizer()


def _end(process: subprocess.Popen[bytes], err: IO[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    err.close()


@dataclass
class Pty:
    """A pseudo-terminal: the child gets `master`, the host opens `port` like any serial port.

    We keep the slave open, so that the child sees no hang-up while the port is not open. The kernel
    keeps what the child sends until then.
    """

    master: int
    slave: int
    port: str
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def make(cls) -> Pty:
        if sys.platform == "win32":
            raise FlashError(NO_PTY)
        import pty
        import tty

        try:
            master, slave = pty.openpty()
        except OSError as error:
            raise FlashError(f"no pseudo-terminal is available: {error.strerror}") from None
        tty.setraw(slave)
        return cls(master, slave, os.ttyname(slave))

    @classmethod
    @contextlib.contextmanager
    def closed_on_failure(cls) -> Iterator[Pty]:
        """Makes one that stays open after the block, unless the block raises."""
        made = cls.make()
        try:
            yield made
        except BaseException:
            made.close()
            raise

    def give_master(self) -> None:
        """Closes our copy of the master, which would keep the line open after the child exits."""
        with self._lock:
            fd, self.master = self.master, -1
        if fd >= 0:
            os.close(fd)

    def close(self) -> None:
        self.give_master()
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
