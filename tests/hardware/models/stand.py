"""Runs commands on a computer to which emulated probes are plugged.

    umockdev-wrapper /usr/bin/python3 -m models.stand SPEC.json RESULT.json

SPEC: {"devices": [...], "commands": [[...]], "timeout": seconds}. A device
has "kind" (cmsis-dap, st-link, dfu, dfuse, serial), "serial", and for probes and dfuse "chip";
optional "powered", "forbidden" (its file cannot be opened), "unplugged_after" (transfers), "port"
(name of its serial port, or of the adapter's, on which the chip's UART then is). One of kind serial
has "usb" (its ids) and "program": what is at the other end of its port. It gets {fd} and {dump},
and writes what it holds to the latter at SIGTERM. Without a program nothing answers; "port_state"
is "forbidden" or "busy". The kind esp is described in esp_board.py. RESULT has what the commands
said, and what each device was left with.

Debian's Python runs this, because umockdev's bindings are there; Unicorn comes from PYTHONPATH."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from .cmsis_dap import CmsisDap
from .debug_port import DebugPort
from .dfu_device import DfuDevice
from .dfuse_device import DfuSeDevice
from .esp_board import EspBoard
from .line import Line
from .nrf5x import nrf51822, nrf52833, nrf52840
from .pico_device import Pico
from .serial_board import SerialBoard
from .st_link import StLink
from .stm32f4 import stm32f405, stm32f407, stm32f446
from .usb_adapter import UsbAdapter
from .usb_device import Testbed, UsbDevice

CHIPS: dict[str, Callable[[], DebugPort]] = {
    "nrf51822": nrf51822,
    "nrf52833": nrf52833,
    "nrf52840": nrf52840,
    "stm32f405": stm32f405,
    "stm32f407": stm32f407,
    "stm32f446": stm32f446,
}
_PROBES = {"cmsis-dap": CmsisDap, "st-link": StLink}
_ADAPTERS = 50  # their numbers on the bus begin here
_LEAVE_SECONDS = 0.2  # the last status is read before the boot loader is gone
_INSTRUCTIONS = 4000  # of the core between two looks at its line
_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SYS_ADMIN = 1, 2, 21


def _device(number: int, spec: dict[str, Any]) -> UsbDevice:
    if spec["kind"] == "dfu":
        return DfuDevice(number, spec["serial"])
    if spec["kind"] == "esp":
        return EspBoard(number, spec)
    if spec["kind"] == "serial":
        return SerialBoard(number, spec)
    dap = CHIPS[spec["chip"]]()
    if spec["kind"] == "dfuse":
        return DfuSeDevice(number, spec["serial"], dap, **spec.get("boot_loader", {}))
    return _PROBES[spec["kind"]](number, spec["serial"], dap, powered=spec.get("powered", True))


def _owner(testbed: Testbed, device: UsbDevice) -> UsbDevice:
    """The device that the chip's port belongs to. A boot loader has none: the chip's pins go to an
    adapter, and the boot loader vanishes when it starts the program."""
    if not isinstance(device, DfuSeDevice):
        return device
    adapter = UsbAdapter(device.number + _ADAPTERS)
    testbed.add(adapter)
    leave = threading.Timer(_LEAVE_SECONDS, testbed.remove, [device])
    device.on_leave = leave.start
    return adapter


def _run_core(dap: DebugPort, line: Line, end: threading.Event) -> None:
    """The core runs as long as nobody halts it; it sleeps while it waits for a byte."""
    chip = dap.chip
    chip.uart.connect(line)
    while not end.is_set():
        line.poll()
        sent = len(line.to_chip)
        with chip.lock:
            chip.run(_INSTRUCTIONS)
        if not sent and chip.core.is_asleep():
            time.sleep(0.001)


def _run_command(command: list[str], timeout: float) -> dict[str, Any]:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            preexec_fn=_obey_permissions,
        )
    except subprocess.TimeoutExpired as late:
        return {"code": None, "out": str(late.stdout), "err": str(late.stderr)}
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr}


def _obey_permissions() -> None:
    """Files without permission and ports in use are closed to root too: the capabilities that open
    them are not inherited. Other users have none."""
    prctl = ctypes.CDLL(None).prctl
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH, _CAP_SYS_ADMIN):
        prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


def _left(device: UsbDevice | Pico, folder: Path) -> dict[str, Any]:
    """What a device holds at the end."""
    if isinstance(device, SerialBoard):
        return device.stop(folder)
    if isinstance(device, Pico):
        device.close()
        (folder / f"{device.serial}.bin").write_bytes(device.flash)
        return device.state
    if isinstance(device, DfuDevice) and not isinstance(device, DfuSeDevice):
        (folder / f"{device.strings[3]}.bin").write_bytes(device.image)
        return {"manifested": device.is_manifested}
    chip = device.dap.chip  # type: ignore[attr-defined]
    (folder / f"{device.strings[3]}.bin").write_bytes(bytes(chip.flash.cells))
    return {
        "written": chip.flash.written,
        "erased": chip.flash.erased,
        "faults": chip.faults,
        "instructions": chip.core.instructions,
    }


def main(spec_file: str, result_file: str) -> None:
    spec = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    testbed = Testbed()
    end = threading.Event()
    threads = []
    devices: list[UsbDevice | Pico] = []
    for number, one in enumerate(spec["devices"], start=2):
        if one["kind"] == "pico":
            devices.append(Pico(testbed, one))
            continue
        device = _device(number, one)
        device.transfers_until_unplugged = one.get("unplugged_after")
        device.on_unplugged = partial(testbed.remove, device)
        devices.append(device)
        testbed.add(device)
        if isinstance(device, SerialBoard):
            device.start(testbed, Path(result_file).parent)
        elif one.get("port"):
            line = Line(testbed.add_port(one["port"], _owner(testbed, device)))
            arguments = (device.dap, line, end)  # type: ignore[attr-defined]
            threads.append(threading.Thread(target=_run_core, args=arguments))
            threads[-1].start()
        if one.get("forbidden"):
            testbed.forbid(device)
    runs = [_run_command(c, spec["timeout"]) for c in spec["commands"]]
    end.set()
    for thread in threads:
        thread.join()
    folder = Path(result_file).parent
    result = {"runs": runs, "devices": [_left(d, folder) for d in devices]}
    Path(result_file).write_text(json.dumps(result), encoding="utf-8")
    testbed.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
