"""Start of the installed command. It handles interrupts before it imports anything else."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

_SAME_INTERRUPT_SECONDS = 0.5  # some senders send to a process and to its group as well
_first_interrupt: float | None = None


def _on_interrupt(number: int, frame: FrameType | None) -> None:
    """The first interrupt lets the command clean up, the next one ends it.

    During imports it ends at once: an exception there could be taken for a missing module, and
    there is nothing to clean up yet.
    """
    global _first_interrupt
    now = time.monotonic()
    if _first_interrupt is None and not _is_importing(frame):
        _first_interrupt = now
        raise KeyboardInterrupt
    if _first_interrupt is None or now - _first_interrupt > _SAME_INTERRUPT_SECONDS:
        _leave()


def _leave() -> NoReturn:
    with contextlib.suppress(OSError):
        os.write(2, b"byteprop: error: interrupted\n")
    os._exit(130)


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _open_standard_streams() -> None:
    """Opens /dev/null for every standard stream that the caller closed, so that no other file gets
    its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            os.dup2(opened, number)  # children inherit it
            if opened != number:
                os.close(opened)
            setattr(sys, name, open(number, mode, closefd=False))  # noqa: SIM115


def main() -> int:
    """Runs the command line of the process; returns the exit code."""
    _open_standard_streams()
    try:
        from byteprop_host.cli import main as run

        code = run()
    except KeyboardInterrupt:
        _leave()
    # The work is done; an interrupt would only change the exit code.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


signal.signal(signal.SIGINT, _on_interrupt)

if __name__ == "__main__":
    sys.exit(main())
