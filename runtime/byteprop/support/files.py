"""Files of the user are replaced as a whole: old contents stay until the new are on the disk."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

PathLike = str | os.PathLike[str]


def write(path: PathLike, data: bytes | memoryview) -> None:
    """Writes `data` to `path`: after a full disk or a kill there is the old file or the new one.

    The file that a link points to is replaced, and permissions of an old file are kept. A device or
    a pipe is written to directly. Raises OSError with the file's name and the reason; an old file
    is untouched then.
    """
    with errors_name(path):
        target = Path(os.path.realpath(path))
        mode = _mode(target)
        if mode is not None and not stat.S_ISREG(mode):
            with target.open("wb") as file:
                file.write(data)
            return
        with _next_to(target) as (name, file):
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            file.close()  # Windows does not rename an open file
            if mode is not None:
                name.chmod(stat.S_IMODE(mode))
            name.replace(target)


def check_writable(path: PathLike) -> None:
    """Raises OSError with the file's name and the reason when `path` cannot be written.

    For the time before long work. Nothing is left behind, and an old file is not touched.
    """
    with errors_name(path):
        target = Path(os.path.realpath(path))
        mode = _mode(target)
        if mode is None or stat.S_ISREG(mode):
            with _next_to(target):
                pass


def _mode(target: Path) -> int | None:
    """Type and permissions, None when there is no such file. A file that the user has protected
    stays, although its folder would let it be replaced."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise FileNotFoundError(
                errno.ENOENT, f"there is no folder {str(target.parent)!r}"
            ) from None
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a folder, expected a file name")
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "the file is write-protected")
    return mode


@contextmanager
def _next_to(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new file in the same folder, which is gone after the block unless it was renamed."""
    name = target.parent / f".byteprop-{secrets.token_hex(8)}.part"
    try:
        # open() applies the user's umask, which tempfile does not.
        with name.open("xb") as file:
            yield name, file
    finally:
        with contextlib.suppress(FileNotFoundError):
            name.unlink()


@contextmanager
def errors_name(path: PathLike) -> Iterator[None]:
    """Errors of the block are about `path`, which could not be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            error.errno or errno.EIO, f"cannot be written: {reason}", os.fspath(path)
        ) from error
