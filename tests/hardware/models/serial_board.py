"""A board that is flashed through its serial port: a USB chip with a port, and a program at the
other end of it."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import termios
from pathlib import Path
from typing import Any

from .usb_device import DTR, Testbed, UsbDevice, configuration

_END_SECONDS = 10.0


class SerialBoard(UsbDevice):
    def __init__(self, number: int, spec: dict[str, Any]) -> None:
        super().__init__(number, ("Emulated", "serial port", spec["serial"]))
        self.vendor, self.product = (int(part, 16) for part in spec["usb"].split(":"))
        self._spec = spec
        self._program: subprocess.Popen[bytes] | None = None
        self._holder = -1
        self._dtr_is_low = False
        self._resets = 0

    def configuration(self) -> bytes:
        return configuration(b"")

    def start(self, testbed: Testbed, folder: Path) -> None:
        """Plugs in the port and starts the program behind it."""
        name = self._spec["port"]
        master = testbed.add_port(name, self, self._on_lines)
        port = Path(testbed.umockdev.get_root_dir()) / "dev" / name
        self._set_state(port)
        if "program" in self._spec:
            known = {"fd": str(master), "dump": str(self._dump(folder))}
            command = [part.format(**known) for part in self._spec["program"]]
            self._program = subprocess.Popen(command, pass_fds=[master])

    def _on_lines(self, which: int, values: int) -> None:
        """A board restarts when DTR is raised."""
        if not which & DTR:
            return
        is_raised = bool(values & DTR)
        if is_raised and self._dtr_is_low and self._program is not None:
            self._resets += 1
            self._program.send_signal(signal.SIGHUP)
        self._dtr_is_low = not is_raised

    def _set_state(self, port: Path) -> None:
        state = self._spec.get("port_state")
        if state == "forbidden":
            port.resolve().chmod(0)
        elif state == "busy":
            self._holder = os.open(port, os.O_RDWR | os.O_NOCTTY)
            fcntl.ioctl(self._holder, termios.TIOCEXCL)

    def _dump(self, folder: Path) -> Path:
        return folder / f"{self._spec['serial']}.bin"

    def stop(self, folder: Path) -> dict[str, Any]:
        """The state that the program was left in."""
        if self._program is None:
            self._dump(folder).write_bytes(b"")
            return {"code": None}
        self._program.send_signal(signal.SIGTERM)
        return {"code": self._program.wait(_END_SECONDS), "resets": self._resets}
