"""A USB-to-serial adapter, as far as its port is found by it."""

from __future__ import annotations

from .usb_device import UsbDevice, configuration


class UsbAdapter(UsbDevice):
    vendor, product = 0x0403, 0x6001

    def __init__(self, number: int) -> None:
        super().__init__(number, ("Emulated", "USB-to-serial adapter", f"ADAPTER{number}"))

    def configuration(self) -> bytes:
        return configuration(b"")
