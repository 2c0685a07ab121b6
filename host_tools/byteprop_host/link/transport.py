"""Byte streams to a board: a serial port, one behind a server (`rfc2217://host:port`), or a TCP
socket (`socket://host:port`)."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import sys
import time
from typing import Any, Protocol

from byteprop_host.errors import LinkError, PortError, ToolMissingError

_CHUNK = 65536
_POLL_SECONDS = 0.005


class Transport(Protocol):
    """The byte stream that a channel needs."""

    name: str

    def read(self, wait: float) -> bytes:
        """The bytes that arrived, after at most `wait` seconds; b"" if none did."""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None: ...


def open_transport(port: str, *, baud: int, timeout: float = 10.0) -> Transport:
    """Opens a port for this process alone. Raises PortError that says what to do."""
    if port.startswith("socket://"):
        return SocketTransport(port, timeout=timeout)
    return SerialTransport(port, baud=baud, timeout=timeout)


def _gone(name: str, error: Exception) -> LinkError:
    if isinstance(error, TimeoutError):
        return LinkError(f"{name}: {error}; reset the board and try again")
    return LinkError(
        f"{name} was disconnected ({error}); check the cable and the board's power. "
        "List the ports with: byteprop boards"
    )


_ADVICE = {
    errno.ENOENT: "does not exist; list the ports with: byteprop boards",
    errno.ENODEV: "does not exist; list the ports with: byteprop boards",
    errno.EACCES: "may not be opened by this user; on Linux: sudo usermod -a -G dialout $USER, "
    "then log in again",
    errno.EPERM: "may not be opened by this user; on Linux: sudo usermod -a -G dialout $USER, "
    "then log in again",
    errno.EBUSY: "is in use by another program; close it, on Linux find it with: fuser -v {port}",
}
_ADVICE[errno.EAGAIN] = _ADVICE[errno.EBUSY]  # the lock of another process


def _port_error(port: str, error: Exception) -> PortError:
    number = getattr(error, "errno", None)
    advice = _ADVICE.get(number or 0)
    if advice is None:
        return PortError(f"port {port} cannot be opened: {error}")
    name = errno.errorcode.get(number or 0, "")
    return PortError(f"port {port} {advice.format(port=port)} ({name})")


class _Readable:
    """Waits for bytes at one file descriptor, which may have any number: select() stops at 1023."""

    def __init__(self, fd: int) -> None:
        self._selector = selectors.DefaultSelector()
        self._selector.register(fd, selectors.EVENT_READ)

    def wait(self, seconds: float) -> bool:
        return bool(self._selector.select(seconds))

    def close(self) -> None:
        self._selector.close()


def _wait_writable(fd: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_WRITE)
        return bool(selector.select(seconds))


class SerialTransport:
    """A serial port that pyserial has opened exclusively and set up."""

    def __init__(self, port: str, *, baud: int, timeout: float) -> None:
        try:
            import serial
        except ImportError as error:
            raise ToolMissingError(
                "pyserial is not installed; install it with: pip install 'byteprop[host]'"
            ) from error
        self.name = port
        self._timeout = timeout
        self._broken: tuple[type[Exception], ...] = (
            serial.SerialException,
            OSError,
            TypeError,
            ValueError,
        )
        is_remote = "://" in port
        local: dict[str, Any] = {"exclusive": True, "write_timeout": timeout}
        try:
            self._serial: Any = serial.serial_for_url(
                port, baudrate=baud, timeout=0, **({} if is_remote else local)
            )
            self._serial.reset_input_buffer()
        except (OSError, ValueError) as error:
            raise _port_error(port, error) from error
        polls = is_remote or sys.platform == "win32"
        self._readable = None if polls else _Readable(self._serial.fileno())

    def read(self, wait: float) -> bytes:
        try:
            if self._readable is None:
                return self._read_polling(wait)
            return self._read_some() if self._readable.wait(wait) else b""
        except self._broken as error:
            raise _gone(f"port {self.name}", error) from error

    def _read_some(self) -> bytes:
        """pyserial's own read and write wait with select()."""
        try:
            data = os.read(self._serial.fileno(), _CHUNK)
        except BlockingIOError:
            return b""
        if not data:
            raise ConnectionError("closed by the other side")
        return data

    def _read_polling(self, wait: float) -> bytes:
        deadline = time.monotonic() + wait
        while not self._serial.in_waiting and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        return bytes(self._serial.read(self._serial.in_waiting or 1))

    def write(self, data: bytes) -> None:
        try:
            if self._readable is None:
                self._serial.write(data)
            else:
                self._write_all(memoryview(data))
        except self._broken as error:
            raise _gone(f"port {self.name}", error) from error

    def _write_all(self, data: memoryview) -> None:
        fd = self._serial.fileno()
        deadline = time.monotonic() + self._timeout
        while data:
            try:
                data = data[os.write(fd, data) :]
            except BlockingIOError:
                if not _wait_writable(fd, max(deadline - time.monotonic(), 0.0)):
                    raise TimeoutError(
                        f"the port accepted no byte for {self._timeout:g} s"
                    ) from None

    def close(self) -> None:
        if self._readable is not None:
            self._readable.close()
        self._serial.close()


class SocketTransport:
    """A TCP connection, as emulators offer."""

    def __init__(self, url: str, *, timeout: float) -> None:
        self.name = url
        host, _, number = url.removeprefix("socket://").rpartition(":")
        if not host or not number.isdigit():
            raise PortError(f"port: expected such as socket://127.0.0.1:4444, got {url!r}")
        try:
            self._socket = socket.create_connection((host, int(number)), timeout)
        except OSError as error:
            raise PortError(
                f"nothing listens at {url} ({error}); start the emulator first"
            ) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._readable = _Readable(self._socket.fileno())

    def read(self, wait: float) -> bytes:
        try:
            data = self._socket.recv(_CHUNK) if self._readable.wait(wait) else None
        except (OSError, ValueError) as error:
            raise _gone(self.name, error) from error
        if data == b"":
            raise _gone(self.name, ConnectionError("closed by the other side"))
        return data or b""

    def write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _gone(self.name, error) from error

    def close(self) -> None:
        self._readable.close()
        self._socket.close()
