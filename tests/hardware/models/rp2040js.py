"""Runs rp2040.mjs, a Pico in rp2040js, and carries the bytes between it and a pseudo-terminal."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import termios
import threading
import time
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent
_WAIT_SECONDS = 100.0
_LOOK_SECONDS = 0.02
_SPEEDS = {termios.B1200: 1200, termios.B9600: 9600}


class Rp2040Js:
    """kind: "uart" or "usb". master: of the pseudo-terminal."""

    def __init__(self, npm: str, rom: str, program: str, kind: str, master: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._master = master
        self._is_open = True
        self._process = subprocess.Popen(
            ["node", "rp2040.mjs", npm, rom, program, kind],
            cwd=_FOLDER,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._threads = [threading.Thread(target=t) for t in (self._listen, self._feed)]
        for thread in self._threads:
            thread.start()

    @property
    def faults(self) -> list[str]:
        return [e["fault"] for e in self.events if "fault" in e]

    def wait(self, name: str, seconds: float = _WAIT_SECONDS) -> Any:
        """What the event of that name says; None if it does not come."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._event(name), seconds)
        return found[name] if found else None

    def _event(self, name: str) -> dict[str, Any] | None:
        return next((e for e in self.events if name in e), None)

    def tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            self._is_open = False

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if "data" in event:
                os.write(self._master, bytes.fromhex(event["data"]))
                continue
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()

    def _feed(self) -> None:
        while self._is_open:
            readable, _, _ = select.select([self._master], [], [], _LOOK_SECONDS)
            if readable:
                try:
                    self.tell({"data": os.read(self._master, 4096).hex()})
                except OSError:  # nobody has the other end open
                    time.sleep(_LOOK_SECONDS)

    def set_dtr(self, is_set: bool) -> None:
        """The modem line, with the speed that the port has at this moment."""
        speed = termios.tcgetattr(self._master)[5]
        self.tell({"line": {"baud": _SPEEDS.get(speed, 115_200), "dtr": is_set}})

    def close(self) -> None:
        self._is_open = False
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()
