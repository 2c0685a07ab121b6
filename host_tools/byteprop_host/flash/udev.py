"""Rules for Linux's udev that let users open the probes and boot loaders of all boards."""

from __future__ import annotations

from collections.abc import Iterable

from byteprop_host.boards.board import Board

FILE = "/etc/udev/rules.d/60-byteprop.rules"


def udev_rules(boards: Iterable[Board]) -> str:
    """The text of FILE: for each USB id a rule that gives access to the person at the computer and
    to the group plugdev."""
    names: dict[str, set[str]] = {}
    for board in boards:
        for usb in (*board.serial.usb, *(p for r in board.runners for p in r.probes)):
            names.setdefault(usb, set()).add(board.name)
    lines = [
        "# Boards of byteprop. As root, save this as",
        f"#   {FILE}",
        "# then run: udevadm control --reload && udevadm trigger, and plug the board in again.",
        "# Serial ports belong to the group dialout: usermod -aG dialout NAME, then log in again.",
    ]
    for usb in sorted(names):
        vendor, product = usb.split(":")
        lines += [
            f"# {', '.join(sorted(names[usb]))}",
            f'SUBSYSTEM=="usb", ATTR{{idVendor}}=="{vendor}", ATTR{{idProduct}}=="{product}", '
            'MODE="0660", GROUP="plugdev", TAG+="uaccess"',
        ]
    return "\n".join(lines)
