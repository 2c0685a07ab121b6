"""A USB device in umockdev's testbed: unmodified programs find it and send it transfers through
libusb. Interface: Linux's usbdevice_fs.h."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import termios
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gi

gi.require_version("UMockdev", "1.0")
from gi.repository import GLib, UMockdev  # noqa: E402

_CONTROL = 2
_GET_DESCRIPTOR = 6
_SUBMIT, _DISCARD, _REAP, _REAP_NOW, _CAPABILITIES, _GET_DRIVER = 10, 11, 12, 13, 26, 8
_GET_TERMIOS2, _SET_TERMIOS2, _TERMIOS2_BYTES = 0x802C542A, 0x402C542B, 44
_GET_MODEM_LINES, _SET_MODEM_LINES = 0x5415, (0x5416, 0x5417, 0x5418)
_RAISE_LINES, _DROP_LINES = 0x5416, 0x5417
DTR, RTS = 2, 4  # modem lines
_IOCTL = 16 if platform.machine() == "x86_64" else 29  # number of the system call
_ACCEPTED = (4, 5, 15, 16, 18, 20, 21, 27)  # set interface, claim, release, reset, ...


class UsbDevice:
    """Subclasses supply the descriptors and what the endpoints answer."""

    vendor = product = 0
    usb_class = (0, 0, 0)
    bcd_usb = 0x0200

    def __init__(
        self, number: int, names: tuple[str, str, str], more: tuple[str, ...] = ()
    ) -> None:
        """names: manufacturer, product, serial number; more: further strings."""
        self.number = number
        self.strings = ("", *names, *more)
        self.is_plugged = True
        self.on_unplugged: Callable[[], None] = lambda: None
        self.transfers_until_unplugged: int | None = None
        self._done: list[Any] = []
        self._waiting: list[tuple[Any, Any, int]] = []
        self._answers: list[bytes] = []

    @property
    def node(self) -> str:
        return f"/dev/bus/usb/001/{self.number:03d}"

    @property
    def syspath(self) -> str:
        return f"/devices/usb1/1-{self.number}"

    # ---- what a device implements ----

    def configuration(self) -> bytes:
        raise NotImplementedError

    def control(
        self, kind: int, request: int, value: int, length: int, data: bytes
    ) -> bytes | None:
        """None: the request is refused."""
        return b""

    def received(self, data: bytes) -> None:
        """Of a bulk endpoint; `answer` queues what the next reads get."""

    def answer(self, data: bytes) -> None:
        self._answers.append(data)

    # ---- the rest ----

    def descriptor(self) -> bytes:
        return struct.pack(
            "<BBHBBBBHHHBBBB",
            *(18, 1, self.bcd_usb, *self.usb_class, 64),
            *(self.vendor, self.product, 0x0100, 1, 2, 3, 1),
        )

    def plug_in(self, testbed: Any) -> None:
        testbed.add_from_string(self._description())
        self._handler = UMockdev.IoctlBase()
        self._handler.connect("handle-ioctl", self._handle)
        testbed.attach_ioctl(self.node, self._handler)

    def _description(self) -> str:
        attributes = {
            "busnum": "1",
            "devnum": str(self.number),
            "speed": "12",
            "bNumInterfaces": "2",
            "bConfigurationValue": "1",
            "idVendor": f"{self.vendor:04x}",
            "idProduct": f"{self.product:04x}",
            "manufacturer": self.strings[1],
            "product": self.strings[2],
            "serial": self.strings[3],
        }
        lines = [
            f"P: {self.syspath}",
            f"N: {self.node.removeprefix('/dev/')}",
            "E: DEVTYPE=usb_device",
            f"E: DEVNAME={self.node}",
            "E: SUBSYSTEM=usb",
            "E: BUSNUM=001",
            f"E: DEVNUM={self.number:03d}",
            f"E: PRODUCT={self.vendor:x}/{self.product:x}/100",
            *(f"A: {name}={value}\\n" for name, value in attributes.items()),
            f"H: descriptors={(self.descriptor() + self.configuration()).hex().upper()}",
        ]
        return "\n".join(lines) + "\n\n"

    def _handle(self, _: Any, client: Any) -> bool:
        request = client.get_request() & 0xFF
        if not self.is_plugged:
            client.complete(-1, errno.ENODEV)
        elif request == _SUBMIT:
            self._submit(client)
        elif request in (_REAP, _REAP_NOW):
            if self._done:
                client.get_arg().resolve(0, 8).set_ptr(0, self._done.pop(0))
                client.complete(0, 0)
            else:
                client.complete(-1, errno.EAGAIN)
        elif request == _DISCARD:
            if self._waiting:
                self._finish(self._waiting.pop(0)[0], -errno.ENOENT, 0)
            client.complete(0, 0)
        elif request == _CAPABILITIES:
            client.get_arg().resolve(0, 4).update(0, list(struct.pack("<I", 1 | 2 | 4)))
            client.complete(0, 0)
        elif request == _GET_DRIVER:
            client.complete(-1, errno.ENODATA)
        elif request in _ACCEPTED:
            client.complete(0, 0)
        else:
            client.complete(-1, errno.ENOTTY)
        return True

    def _submit(self, client: Any) -> None:
        if self.transfers_until_unplugged is not None:
            self.transfers_until_unplugged -= 1
            if self.transfers_until_unplugged <= 0:
                self.is_plugged = False
                self.on_unplugged()
                client.complete(-1, errno.ENODEV)
                return
        urb = client.get_arg().resolve(0, 56)
        head = bytes(urb.retrieve())
        kind, endpoint = head[0], head[1]
        n = struct.unpack_from("<i", head, 24)[0]
        buffer = urb.resolve(16, n) if n else None
        data = bytes(buffer.retrieve()) if buffer is not None else b""
        if kind == _CONTROL:
            self._control(urb, buffer, data)
        elif endpoint & 0x80:
            self._waiting.append((urb, buffer, n))
        else:
            self.received(data)
            self._finish(urb, 0, n)
        self._give_answers()
        client.complete(0, 0)

    def _control(self, urb: Any, buffer: Any, data: bytes) -> None:
        kind, request, value, _, length = struct.unpack("<BBHHH", data[:8])
        if kind == 0x80 and request == _GET_DESCRIPTOR:
            reply: bytes | None = self._get_descriptor(value)
        else:
            reply = self.control(kind, request, value, length, data[8 : 8 + length])
        if reply is None:
            self._finish(urb, -errno.EPIPE, 0)
        elif kind & 0x80:
            reply = reply[:length]
            if reply:
                buffer.update(8, list(reply))
            self._finish(urb, 0, len(reply))
        else:
            self._finish(urb, 0, length)

    def _get_descriptor(self, value: int) -> bytes:
        if value >> 8 == 3:
            index = value & 0xFF
            text = self.strings[index].encode("utf-16le") if index else b"\x09\x04"
            return bytes([2 + len(text), 3]) + text
        return self.descriptor() if value >> 8 == 1 else self.configuration()

    def _finish(self, urb: Any, status: int, length: int) -> None:
        urb.update(4, list(struct.pack("<i", status)))
        urb.update(28, list(struct.pack("<i", length)))
        self._done.append(urb)

    def _give_answers(self) -> None:
        while self._waiting and self._answers:
            urb, buffer, n = self._waiting.pop(0)
            data = self._answers.pop(0)[:n]
            buffer.update(0, list(data))
            self._finish(urb, 0, len(data))


def _lines_of(client: Any) -> int:
    return int.from_bytes(bytes(client.get_arg().resolve(0, 4).retrieve()), "little")


def _waiting(port: Path) -> bytes:
    """How many bytes wait on a port, as an int of C. The C library's ioctl is umockdev's, which
    would ask the handler that wants to know."""
    count = ctypes.c_int()
    fd = os.open(port.resolve(), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    ctypes.CDLL(None).syscall(_IOCTL, fd, termios.FIONREAD, ctypes.byref(count))
    os.close(fd)
    return bytes(count)


def _handle_port(
    _: Any, client: Any, port: Path, on_lines: Callable[[int, int], None] | None
) -> bool:
    """What a serial port accepts and a pseudo-terminal does not: any baud rate, and the modem
    lines. umockdev passes few others on."""
    request = client.get_request() & 0xFFFFFFFF
    if not port.is_symlink():  # unplugged
        client.complete(-1, errno.EIO)
        return True
    if request == termios.FIONREAD:
        client.get_arg().resolve(0, 4).update(0, list(_waiting(port)))
        client.complete(0, 0)
        return True
    if request == _GET_MODEM_LINES:
        client.get_arg().resolve(0, 4).update(0, [0] * 4)
    elif request == _GET_TERMIOS2:
        client.get_arg().resolve(0, _TERMIOS2_BYTES).update(0, [0] * _TERMIOS2_BYTES)
    elif request not in (_SET_TERMIOS2, *_SET_MODEM_LINES):
        return False
    elif on_lines is not None and request in _SET_MODEM_LINES:
        lines = _lines_of(client)
        which = lines if request in (_RAISE_LINES, _DROP_LINES) else DTR | RTS
        on_lines(which, 0 if request == _DROP_LINES else lines)
    client.complete(0, 0)
    return True


def endpoint(address: int, kind: int = 2, size: int = 64) -> bytes:
    """The descriptor of an endpoint; kind 2: bulk."""
    return struct.pack("<BBBBHB", 7, 5, address, kind, size, 0)


def interface(endpoints: bytes, usb_class: tuple[int, int, int], name: int) -> bytes:
    """The descriptor of an interface with its endpoints; name: index of a string."""
    n = len(endpoints) // 7
    return struct.pack("<9B", 9, 4, 0, 0, n, *usb_class, name) + endpoints


def configuration(interfaces: bytes) -> bytes:
    total = 9 + len(interfaces)
    return struct.pack("<BBHBBBBB", 9, 2, total, 1, 1, 0, 0x80, 50) + interfaces


class Testbed:
    """umockdev's testbed, whose events are handled in a thread."""

    __test__ = False

    def __init__(self) -> None:
        self.umockdev = UMockdev.Testbed.new()
        self._port_handlers: list[Any] = []
        self._loop = GLib.MainLoop()
        threading.Thread(target=self._loop.run, daemon=True).start()

    def add(self, device: UsbDevice) -> None:
        device.plug_in(self.umockdev)

    def add_port(
        self, name: str, device: UsbDevice, on_lines: Callable[[int, int], None] | None = None
    ) -> int:
        """A serial port of the device. Returns the other end of the line. on_lines: gets the modem
        lines that a program sets, and their values."""
        self.umockdev.add_from_string(
            f"P: {device.syspath}/{device.syspath.rpartition('/')[2]}:1.1\n"
            "E: DEVTYPE=usb_interface\nE: SUBSYSTEM=usb\n"
            "A: interface=Serial Port\\n\nA: bInterfaceNumber=01\\n\n\n"
            f"P: {device.syspath}/{device.syspath.rpartition('/')[2]}:1.1/tty/{name}\n"
            f"N: {name}\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/{name}\n"
            f"A: dev=4:{64 + len(self._port_handlers)}\\n\nL: device=../..\n"
        )
        handler = UMockdev.IoctlBase()
        port = Path(self.umockdev.get_root_dir()) / "dev" / name
        handler.connect("handle-ioctl", _handle_port, port, on_lines)
        self.umockdev.attach_ioctl(f"/dev/{name}", handler)
        self._port_handlers.append(handler)
        return int(self.umockdev.get_dev_fd(f"/dev/{name}"))

    def remove(self, device: UsbDevice) -> None:
        """The device is unplugged, and its serial port goes with it."""
        name = device.syspath.rpartition("/")[2]
        root = Path(self.umockdev.get_root_dir())
        for port in sorted((root / f"sys{device.syspath}/{name}:1.1/tty").glob("*")):
            self.umockdev.remove_device(f"/sys{device.syspath}/{name}:1.1/tty/{port.name}")
            (root / "dev" / port.name).unlink(missing_ok=True)
        self.umockdev.remove_device(f"/sys{device.syspath}/{name}:1.1")
        self.umockdev.remove_device(f"/sys{device.syspath}")

    def forbid(self, device: UsbDevice) -> None:
        """The device can no longer be opened."""
        (Path(self.umockdev.get_root_dir()) / device.node.lstrip("/")).chmod(0)

    def close(self) -> None:
        self._loop.quit()
