"""Which debug probe or boot loader writes to the board."""

from __future__ import annotations

import time
from collections.abc import Sequence

from byteprop_host.boards.board import Board
from byteprop_host.boards.ports import SerialPort, find_ports, ports_of
from byteprop_host.boards.runner import Runner
from byteprop_host.errors import FlashError
from byteprop_host.flash.base import Way
from byteprop_host.flash.usb import UsbDevice, can_list, usb_devices

_LOOK_SECONDS = 0.2


def find_probe(board: Board, runner: Runner, way: Way) -> Way:
    """The way with the serial number of the device to write through: tools would take any.

    It stays as it is when the runner writes through the serial port, and where devices cannot be
    listed. FlashError when there is none, when there are several, and without permission."""
    if not runner.probes or not can_list():
        return way
    devices = usb_devices(runner.probes)
    chosen = _chosen(devices, way)
    if len(chosen) != 1:
        raise FlashError(_none_or_several(board, runner, devices, way))
    if not chosen[0].is_writable:
        raise FlashError(
            f"{board.name}: no permission to use {chosen[0].text()} at {chosen[0].node}: "
            "`byteprop boards --udev` prints the rules that give it to you, and where to put them; "
            "then plug it in again"
        )
    return Way(way.port, chosen[0].serial or way.probe)


def wait_for_probe(board: Board, runner: Runner, way: Way, seconds: float) -> Way:
    """The same of a device that appears within `seconds`, when the board enters its boot loader."""
    end = time.monotonic() + seconds
    while can_list() and not usb_devices(runner.probes) and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    return find_probe(board, runner, way)


def _chosen(devices: Sequence[UsbDevice], way: Way) -> list[UsbDevice]:
    serial = way.probe
    if serial is None and way.port is not None and len(devices) > 1:
        serial = _serial_of(way.port)
    if serial is None:
        return list(devices)
    return [d for d in devices if d.serial == serial]


def _serial_of(port: str) -> str | None:
    """Serial number of the USB device that a port belongs to."""
    return next((p.serial_number for p in find_ports([]) if p.device == port), None)


def _none_or_several(board: Board, runner: Runner, devices: Sequence[UsbDevice], way: Way) -> str:
    ids = " or ".join(runner.probes)
    if not devices:
        return (
            f"{board.name}: no board found: {runner.name} writes through the USB device {ids}, and "
            "none is plugged in; plug in the board with a data cable (some only charge), and try "
            "`byteprop boards`"
        )
    listed = "\n".join(f"  --probe {d.serial}   {d.text()}" for d in devices)
    if way.probe is not None:
        return f"{board.name}: expected a probe of these, got --probe {way.probe}:\n{listed}"
    return f"{board.name}: {len(devices)} probes are plugged in; choose one:\n{listed}"


def flash_ports(runner: Runner, way: Way) -> list[SerialPort]:
    """Serial ports of boot loaders that the runner writes through; with a serial number, that
    one's alone."""
    ports = [p for p in find_ports([]) if p.usb in runner.probes]
    return [p for p in ports if way.probe in (None, p.serial_number)]


def find_flash_port(board: Board, runner: Runner, way: Way, seconds: float) -> Way:
    """The way with the serial number of the only such port, which appears within `seconds`."""
    end = time.monotonic() + seconds
    while not (ports := flash_ports(runner, way)) and time.monotonic() < end:
        time.sleep(_LOOK_SECONDS)
    if len(ports) == 1:
        return Way(way.port, ports[0].serial_number)
    ids = " or ".join(runner.probes)
    if not ports:
        raise FlashError(
            f"{board.name}: no boot loader found: {runner.name} writes through a serial port with "
            f"the USB ids {ids}; plug in the board with a data cable, and press reset twice"
        )
    listed = "\n".join(f"  --probe {p.serial_number}   {p.device}" for p in ports)
    raise FlashError(
        f"{board.name}: {len(ports)} boot loaders are plugged in; choose one:\n{listed}"
    )


def data_port(board: Board, way: Way, seconds: float) -> str:
    """The serial port that the program answers on. It may appear only after the program started."""
    if way.port is not None:
        return way.port
    end = time.monotonic() + seconds
    while True:
        ports = _ports_of(board, way.probe)
        if len(ports) == 1:
            return ports[0].device
        if ports or time.monotonic() >= end:
            raise FlashError(_no_port(board, ports))
        time.sleep(_LOOK_SECONDS)


def _ports_of(board: Board, probe: str | None) -> list[SerialPort]:
    """Ports with the board's USB ids; of several, those of the same device as the probe."""
    ports = list(ports_of(board))
    same = [p for p in ports if probe is not None and p.serial_number == probe]
    return same or ports


def _no_port(board: Board, ports: Sequence[SerialPort]) -> str:
    if ports:
        listed = "\n".join(f"  --port {p.device}   {p.description}" for p in ports)
        return f"{board.name}: {len(ports)} serial ports may be the board's; choose one:\n{listed}"
    if not board.serial.usb:
        return (
            f"{board.name}: its probe has no serial port: connect a USB-to-serial adapter as its "
            "page shows (byteprop help), and name its port with --port"
        )
    return (
        f"{board.name}: the board has no serial port on this computer: expected a USB device "
        f"{' or '.join(board.serial.usb)}; try `byteprop boards`, or name the port with --port"
    )
