"""USB devices that are plugged in, as Linux lists them. Nothing is opened."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_DEVICES = Path("/sys/bus/usb/devices")


@dataclass(frozen=True)
class UsbDevice:
    """One device. id is "vvvv:pppp"; node is its device file, which a flash tool writes to."""

    id: str
    serial: str
    product: str
    node: Path

    @property
    def is_writable(self) -> bool:
        return os.access(self.node, os.R_OK | os.W_OK)

    def text(self) -> str:
        name = f"{self.product} ({self.id})" if self.product else self.id
        return f"{name}, serial number {self.serial}" if self.serial else name


def can_list() -> bool:
    """Whether this computer lists its USB devices for us; elsewhere the flash tools find them."""
    return sys.platform.startswith("linux")


def usb_devices(ids: Iterable[str]) -> tuple[UsbDevice, ...]:
    """Those with one of these ids, ordered by their place on the bus."""
    known = frozenset(ids)
    found = []
    for folder in sorted(_DEVICES.glob("*")) if can_list() else ():
        device = _device(folder)
        if device is not None and device.id in known:
            found.append(device)
    return tuple(found)


def _device(folder: Path) -> UsbDevice | None:
    """None for an interface or a hub's port, which has no ids, and for what was just unplugged."""
    vendor, product = _attribute(folder, "idVendor"), _attribute(folder, "idProduct")
    bus, number = _attribute(folder, "busnum"), _attribute(folder, "devnum")
    if not (vendor and product and bus.isdigit() and number.isdigit()):
        return None
    return UsbDevice(
        id=f"{vendor}:{product}".lower(),
        serial=_attribute(folder, "serial"),
        product=_attribute(folder, "product"),
        node=Path(f"/dev/bus/usb/{int(bus):03d}/{int(number):03d}"),
    )


def _attribute(folder: Path, name: str) -> str:
    try:
        text = (folder / name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return text if text.isprintable() else ""
