"""docs/porting.md, followed word by word: its boards are written down, built and run."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from byteprop_host.boards.board import load_board
from emulation import FLASH, Vectors, opened, require, strict

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "porting.md").read_text(encoding="utf-8")


def _block(label: str) -> str:
    found = re.findall(rf"^```\w+ {re.escape(label)}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, f"docs/porting.md must have one block {label!r}"
    return str(found[0])


@pytest.mark.parametrize(
    ("name", "files"), [("mps2-an500", {}), ("my-nucleo", {"uart.c": "file=uart.c"})]
)
def test_a_new_board_runs(
    name: str,
    files: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vectors: Callable[[str, int], Vectors],
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "board.toml").write_text(_block(f"board={name}"), encoding="utf-8")
    for file, label in files.items():
        (folder / file).write_text(_block(label), encoding="utf-8")
    monkeypatch.setenv("BYTEPROP_BOARDS", str(tmp_path))
    board = require(load_board(name))
    model, inputs, outputs = vectors("fashion_mlp_pertensor", 4)
    firmware = strict(board, model.image)
    assert firmware.program_flash_bytes <= board.memory.firmware_flash_bytes
    with opened(board, firmware) as (running, device):
        assert device.info.board == name
        device.select(FLASH)
        assert [device.infer(x).output for x in inputs] == outputs
        running.reset()
        assert device.infer(inputs[0]).output == outputs[0]
