"""Drives that boards show: a boot loader's for UF2 files, a DAPLink probe's for Intel HEX files."""

from __future__ import annotations

import errno
import os
import re
import string
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from byteprop_host.errors import FlashError

_MAX_BYTES = 4096  # of a text file on a drive
_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Drive:
    """A mounted drive, with the contents of its INFO_UF2.TXT and DETAILS.TXT; "" for none."""

    folder: Path
    uf2_text: str
    daplink_text: str

    @property
    def board_id(self) -> str:
        """ "Board-ID" of a UF2 boot loader, "" for other drives."""
        return _field(self.uf2_text, "Board-ID")

    @property
    def unique_id(self) -> str:
        """ "Unique ID" of a DAPLink probe, which is its USB serial number; "" for other drives."""
        return _field(self.daplink_text, "Unique ID")


def _field(text: str, name: str) -> str:
    found = re.search(rf"^(?:# )?{re.escape(name)}:\s*(\S+)", text, re.MULTILINE)
    return found[1] if found else ""


def drives() -> Iterator[Drive]:
    """Every mounted drive that belongs to a board, and those of BYTEPROP_DRIVES (folders separated
    as in PATH)."""
    extra = os.environ.get("BYTEPROP_DRIVES", "").split(os.pathsep)
    seen = set()
    for folder in [*(Path(p) for p in extra if p), *_mounted()]:
        if folder in seen:
            continue
        seen.add(folder)
        drive = Drive(folder, _text(folder / "INFO_UF2.TXT"), _text(folder / "DETAILS.TXT"))
        if drive.board_id or drive.unique_id:
            yield drive


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("ascii", "replace")
    except OSError:
        return ""


def _mounted() -> list[Path]:
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in string.ascii_uppercase]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    fields = [line.split() for line in lines]
    return [Path(_unescaped(f[1])) for f in fields if len(f) > 2 and f[2] in ("vfat", "msdos")]


def _unescaped(mount: str) -> str:
    """The name of a mount point, in which blanks are written in octal."""
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), mount)


def copy_to_drive(source: Path, drive: Drive, board: str) -> None:
    """Copies a file. A boot loader takes the file as it comes and restarts, so the drive may vanish
    before the last byte is acknowledged: whether the board runs it is seen by its answer."""
    data = source.read_bytes()
    target = drive.folder / source.name
    sent = 0
    try:
        with target.open("wb", buffering=0) as file:
            while sent < len(data):
                sent += file.write(data[sent : sent + 65536])
            os.fsync(file.fileno())
    except OSError as error:
        if sent == len(data) and error.errno in (errno.EIO, errno.ENODEV, errno.ENOENT):
            return
        raise FlashError(_copy_failed(drive, board, error, sent, len(data))) from None


def _copy_failed(drive: Drive, board: str, error: OSError, sent: int, total: int) -> str:
    remedies = {
        errno.ENOSPC: "the drive is full: unplug the board, plug it in again, and repeat",
        errno.EROFS: "the drive is read-only: unplug the board, plug it in again, and repeat",
        errno.EACCES: "no permission to write to it: mount it as yourself",
        errno.EIO: "was the board unplugged? plug it in and repeat",
        errno.ENODEV: "was the board unplugged? plug it in and repeat",
    }
    remedy = remedies.get(error.errno or 0, str(error.strerror))
    return f"{board}: {sent:,} of {total:,} bytes were copied to {drive.folder}; {remedy}"


def wait_for_verdict(drive: Drive, board: str, seconds: float) -> None:
    """Waits until a DAPLink drive is back after programming. FlashError with its FAIL.TXT."""
    end = time.monotonic() + seconds
    was_gone = False
    while time.monotonic() < end:
        reason = _text(drive.folder / "FAIL.TXT")
        if reason:
            raise FlashError(
                f"{board}: the probe did not write the firmware. Its FAIL.TXT says:\n"
                f"{reason.strip()}\nIs --board right?"
            )
        is_there = drive.folder.is_dir() and bool(_text(drive.folder / "DETAILS.TXT"))
        if was_gone and is_there:
            return
        was_gone = was_gone or not is_there
        time.sleep(_LOOK_SECONDS)
