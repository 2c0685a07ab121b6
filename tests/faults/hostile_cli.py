"""Runs `byteprop` commands, one per line of JSON on stdin, on a board `host` that is reached at a
given port. Each gets a process of its own with a limit on memory, by fork, because imports take
longer than the commands."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from byteprop_host.cli import main, make_parser
from byteprop_host.flash import native


def run(argv: list[str], port: str, memory: int) -> None:
    class Board:
        is_emulated = False
        counts_cycles = False
        quiet = 0.0

        def __init__(self, board: Any, plan: Any, pty: Any) -> None:
            self.board = board
            self.port = port

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *exception: object) -> None:
            pass

        def is_alive(self) -> bool:
            return True

    native.NativeBoard = Board  # type: ignore[misc, assignment]
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    code = main(argv)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def child(job: dict[str, Any], out: int, err: int, memory: int) -> None:
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        run(job["argv"], job["port"], memory)
    finally:
        os._exit(99)


def wait(pid: int, patience: float) -> int:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -signal.SIGKILL


def serve(extra_bytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + extra_bytes
    for line in sys.stdin:
        job = json.loads(line)
        began = time.monotonic()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if pid == 0:
                child(job, out.fileno(), err.fileno(), memory)
            code = wait(pid, job["patience"])
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        result = {"code": code, "seconds": time.monotonic() - began, "out": texts[0]}
        print(json.dumps(result | {"err": texts[1]}), flush=True)


if __name__ == "__main__":
    make_parser()
    np.ones((64, 64)) @ np.ones((64, 64))  # its buffers exist before the limit
    serve(int(sys.argv[1]))
