"""A file of the user is the old one or the new one: after a full disk, a kill or an error."""

from __future__ import annotations

import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from byteprop.support import files

OLD = b"old" * 1000
LIMIT = 4096  # bytes that a file may have where the disk is "full"


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Writing beyond LIMIT fails, as on a full disk; Python ignores the signal of it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_writes_a_new_file_with_the_usual_permissions(tmp_path: Path) -> None:
    expected = tmp_path / "expected"
    expected.write_bytes(b"new")
    files.write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode == expected.stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["expected", "file"]


def test_replaces_a_file_and_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)
    file.chmod(0o640)
    files.write(file, b"new")
    assert file.read_bytes() == b"new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    target.write_bytes(OLD)
    link = tmp_path / "link"
    link.symlink_to("elsewhere/target")
    files.write(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_name_of_255_bytes_is_written(tmp_path: Path) -> None:
    files.write(tmp_path / ("n" * 255), b"new")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"new"


def test_a_device_is_written_to_directly() -> None:
    files.check_writable("/dev/null")
    files.write("/dev/null", b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, full_disk: None) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)
    with pytest.raises(OSError, match="cannot be written: File too large") as caught:
        files.write(file, b"new" * LIMIT)
    assert caught.value.filename == str(file)
    assert file.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [file]


def test_an_interrupt_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    file = tmp_path / "file"
    file.write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(file, b"new")
    assert file.read_bytes() == OLD
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("do", [files.check_writable, lambda path: files.write(path, b"new")])
def test_places_that_cannot_be_written_are_named(tmp_path: Path, do: object) -> None:
    assert callable(do)
    with pytest.raises(FileNotFoundError, match="there is no folder") as caught:
        do(tmp_path / "missing" / "file")
    assert caught.value.filename == str(tmp_path / "missing" / "file")
    with pytest.raises(IsADirectoryError, match="this is a folder"):
        do(tmp_path)
    (tmp_path / "file").write_bytes(OLD)
    with pytest.raises(OSError, match="there is no folder|Not a directory"):
        do(tmp_path / "file" / "below")
    with pytest.raises(OSError, match="File name too long"):
        do(tmp_path / ("n" * 256))


def test_protected_files_and_folders_are_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(OLD)
    file.chmod(0o444)
    if os.access(file, os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(PermissionError, match="the file is write-protected"):
        files.write(file, b"new")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError):
            files.check_writable(tmp_path / "new")
    finally:
        tmp_path.chmod(0o755)
    assert file.read_bytes() == OLD


def test_checking_leaves_nothing_behind(tmp_path: Path) -> None:
    files.check_writable(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_bytes(OLD)
    files.check_writable(tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == OLD


WRITER = """
import itertools, sys
from byteprop.support import files
for i in itertools.count():
    files.write(sys.argv[1], bytes([i % 251]) * 300_000)
    if not i:
        print("ready", flush=True)
"""


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    chance = random.Random(0)
    for _ in range(25):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.random() * 0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        data = file.read_bytes()
        assert len(data) == 300_000
        assert len(set(data)) == 1
