"""For all tests: quick ones first, one process a board, no network."""

from __future__ import annotations

import ipaddress
import socket
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
# Folders in the order in which they run, so that a plain mistake shows in seconds.
ORDER = ["", "python", "c", "isa", "docs", "faults", "emulated", "packaging", "fuzz"]


def _folder(item: pytest.Item) -> str:
    relative = item.path.relative_to(HERE) if item.path.is_relative_to(HERE) else Path()
    return relative.parts[0] if len(relative.parts) > 1 else ""


def _rank(item: pytest.Item) -> tuple[bool, int]:
    folder = _folder(item)
    is_slow = item.get_closest_marker("slow") is not None
    return is_slow, ORDER.index(folder) if folder in ORDER else len(ORDER)


def _board(item: pytest.Item) -> str | None:
    callspec = getattr(item, "callspec", None)
    board = callspec.params.get("board") if callspec is not None else None
    return None if board is None else str(getattr(board, "name", board))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_rank)
    for item in items:
        folder = _folder(item)
        if folder == "emulated":
            item.add_marker(pytest.mark.emulated)
        # Under pytest-xdist the tests of a group share a process, and with it firmware builds.
        if folder in {"docs", "emulated", "faults", "fuzz", "packaging"}:
            item.add_marker(pytest.mark.xdist_group(_board(item) or folder))


def _is_local(address: Any) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] == "localhost")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library and the tools work offline; a test that leaves this computer fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if not _is_local(address):
            raise AssertionError(f"a test tried to connect to {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
