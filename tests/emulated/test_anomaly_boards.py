"""Emulated boards learn a threshold, judge, and keep the detector in flash with the weights."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from byteprop.engine._raw_anomaly import STATE_BYTES, Detector
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main
from byteprop_host.firmware.build import build
from byteprop_host.firmware.capacity import firmware_image
from byteprop_host.link import DetectorSession, Device, TrainingSession, TrainSample
from emulation import FLASH, opened, require

sys.path.insert(0, str(Path(__file__).parents[1]))
from anomaly_case import CONFIG, FAULTS, IMAGE, NORMAL, TRAINING, expected, verdicts_of

# With its code: on these boards, firmware with a detector is at most so many bytes larger.
MOST_FLASH, MOST_RAM = 5120, 400


def check_run(session: DetectorSession, image: bytes) -> None:
    scores, verdicts, state = expected(image)
    assert [learnt.score for learnt in session.learn(NORMAL)] == scores
    assert verdicts_of(session.judge([*NORMAL[:9], *FAULTS])) == verdicts
    assert session.state == state
    session.digest()


def check_stack(device: Device) -> None:
    stats = device.stats()
    assert 100 < stats.stack_bytes - stats.stack_free <= stats.stack_bytes * 17 // 20


@pytest.mark.parametrize("name", ["mps2-an386", "microbit"])
def test_a_model_in_flash_is_watched(name: str) -> None:
    board = require(load_board(name))
    firmware = build(board, IMAGE, anomaly=True, flags=["-Werror"])
    plain = build(board, IMAGE)
    assert 0 < firmware.flash_bytes - plain.flash_bytes <= MOST_FLASH
    assert STATE_BYTES <= firmware.ram_bytes - plain.ram_bytes <= MOST_RAM
    with opened(board, firmware) as (_, device):
        device.select(FLASH, firmware_image(board, IMAGE))
        session = DetectorSession(device, IMAGE, CONFIG)
        check_run(session, IMAGE)
        check_stack(device)
        if board.memory.save_slot_bytes:
            check_save(device, session, image_bytes=4)


def check_save(device: Device, session: DetectorSession, *, image_bytes: int) -> None:
    """Restored after a reset, it judges as one that was never interrupted."""
    saved = session.save()
    assert (saved.image_bytes, saved.detector_bytes) == (image_bytes, STATE_BYTES)
    twin = Detector(CONFIG, state=session.state)
    before = verdicts_of(session.judge(FAULTS))
    device.reset()
    assert session.restore() == saved
    assert session.state == twin.state
    assert verdicts_of(session.judge(FAULTS)) == before


@pytest.mark.parametrize(("name", "last"), [("mps2-an386", False), ("microbit", True)])
def test_the_model_that_the_board_has_trained_is_watched(name: str, last: bool) -> None:
    """In RAM, or with its last layer trained and the rest in flash."""
    board = require(load_board(name))
    config = replace(TRAINING, frozen=0b011) if last else TRAINING
    firmware = build(board, IMAGE if last else None, train=True, anomaly=True, flags=["-Werror"])
    with opened(board, firmware) as (_, device):
        training = TrainingSession(device, IMAGE, config, base=IMAGE if last else None)
        list(training.train(TrainSample(row, (), 1 << 16) for row in NORMAL[:30]))
        trained = training.end()
        assert trained != IMAGE
        session = DetectorSession(device, trained, CONFIG)
        check_run(session, trained)
        check_stack(device)
        if board.memory.save_slot_bytes:
            check_save(device, session, image_bytes=4)
        device.reset()
        assert verdicts_of(session.judge(FAULTS))[-1].alarm


def test_the_command_builds_the_same_firmware(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = require(load_board("mps2-an386"))
    (tmp_path / "model.bpm").write_bytes(IMAGE)
    arguments = ["build", "--board", board.name, "--model", str(tmp_path / "model.bpm")]
    assert main([*arguments, "--anomaly", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (
        found["anomaly"]
        and int(found["build_id"], 16) == build(board, IMAGE, anomaly=True).build_id
    )
    assert main(["info", str(tmp_path / "model.bpm"), "--json"]) == 0
    needed = json.loads(capsys.readouterr().out)["detector_bytes"]
    assert STATE_BYTES + 16 <= needed <= MOST_RAM
