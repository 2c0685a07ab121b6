"""Several boards at once: rig.toml, the table of `byteprop verify`, and tests on every board."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byteprop
from byteprop.errors import ArgumentError
from byteprop.ops import Dense
from byteprop_host.boards.board import all_boards
from byteprop_host.cli import main
from byteprop_host.commands.verify import FOR_EACH, VERB
from byteprop_host.errors import BoardFileError
from byteprop_host.rig import read_rig, rig_of
from cli_process import children, running, wait_for_child, wait_until_dead

pytest_plugins = ["pytester"]

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
DIGITS = MODELS / "digits_mlp.tflite"
DATA = MODELS / "digits_mlp.vectors.npz"

# The second is `host` without a port that exists; the third has too little memory.
RIG = """\
schema = 1

[[board]]
name = "first"
board = "host"
emulated = true

[[board]]
name = "gone"
board = "microbit"
port = "/dev/no-such-port"

[[board]]
name = "small"
board = "{small}"
emulated = true
"""


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """A board that runs, one that fails, and one that the model does not fit."""
    small = tmp_path / "boards" / "small"
    small.mkdir(parents=True)
    text = (_folder("microbit") / "board.toml").read_text(encoding="utf-8")
    text = text.replace('name = "microbit"', 'name = "small"')
    text = re.sub(r"^flash_bytes = .*", "flash_bytes = 12_288", text, flags=re.M)
    text = re.sub(r"^(train_\w+|save_\w+) = .*\n", "", text, flags=re.M)
    (small / "board.toml").write_text(text, encoding="utf-8")
    file = tmp_path / "rig.toml"
    file.write_text(RIG.format(small=small), encoding="utf-8")
    return file


def _folder(name: str) -> Path:
    return next(b.folder for b in all_boards() if b.name == name)


def verify(arguments: list[Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = main(["verify", *map(str, arguments), "--json"])
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, result


# --- rig.toml ---


def test_entries_are_read(tmp_path: Path) -> None:
    file = tmp_path / "desk.toml"
    file.write_text(
        'schema = 1\n[[board]]\nname = "left"\nboard = "nucleo-f446re"\nprobe = "A1"\n'
        '[[board]]\nname = "right"\nboard = "nucleo-f446re"\nprobe = "A2"\nport = "/dev/ttyACM1"\n'
        '[[board]]\nboard = "arduino-uno:simavr"\nemulated = true\n',
        encoding="utf-8",
    )
    rig = read_rig(file, timeout=3.0)
    assert rig.name == "desk"
    assert [b.name for b in rig.boards] == ["left", "right", "arduino-uno"]
    left, right, uno = (b.target for b in rig.boards)
    assert (left.board.name, left.port, left.probe) == ("nucleo-f446re", None, "A1")
    assert (right.port, right.probe, right.emulated) == ("/dev/ttyACM1", "A2", False)
    assert [r.name for r in uno.board.runners] == ["simavr"] and uno.emulated
    assert left.timeout == 3.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "schema is missing"),
        ("schema = 2", "schema: expected an integer from 1 to 1, got 2"),
        ("schema = 1", "board is missing"),
        ("schema = 1\nboard = []", "board: expected at least one entry"),
        ("schema = 1\n[board]\n", "board: expected an array of tables"),
        ("schema = 1\n[[board]]\n", r"board\[0\].board is missing"),
        ('schema = 1\n[[board]]\nboard = "microbitt"', r"board\[0\].board .*did you mean microbit"),
        ('schema = 1\n[[board]]\nboard = "host"\nprot = "x"', r"board\[0\].prot is not a key of"),
        ('schema = 1\n[[board]]\nboard = "host"\nprot = "x"', "rig.toml; did you mean port"),
        (
            'schema = 1\n[[board]]\nboard = "host"\nname = "a b"',
            r"board\[0\].name: expected letter",
        ),
        ('schema = 1\n[[board]]\nboard = "host"\nport = 3', r"board\[0\].port: expected a string"),
        (
            'schema = 1\n[[board]]\nboard = "microbit"\nport = "p"\nemulated = true',
            r"board\[0\].emulated is true, but there is a port",
        ),
        (
            'schema = 1\n[[board]]\nboard = "host"\n[[board]]\nboard = "host"\nemulated = true',
            r"board\[1\].name: expected a name of its own, got 'host'",
        ),
        (
            'schema = 1\n[[board]]\nboard = "microbit"\nport = "p"\n'
            '[[board]]\nboard = "nucleo-f446re"\nport = "p"',
            r"board\[1\].port: expected another port than that of microbit, got 'p'",
        ),
        (
            'schema = 1\n[[board]]\nboard = "microbit"\nprobe = "p"\n'
            '[[board]]\nname = "b"\nboard = "microbit"',
            r"board\[1\].board is the same as that of microbit; expected a port or a probe",
        ),
        ("schema = [", "is not TOML"),
    ],
)
def test_mistakes_are_named_with_file_and_key(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "rig.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BoardFileError, match=message) as raised:
        read_rig(file)
    assert str(raised.value).startswith(f"{file}: ")


def test_all_is_every_board_that_can_be_run_or_has_a_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    rig = rig_of("all", emulated=True)
    left_out = dict(rig.left_out)
    chosen = [b.name for b in rig.boards]
    assert chosen[0] == "host" and not set(chosen) & set(left_out)
    assert {*chosen, *left_out} == {b.name for b in all_boards()}
    assert "qemu-system-arm" in left_out["mps2-an386"]
    assert left_out["nrf52840-dk"] == "no emulator"


def test_names_with_commas() -> None:
    rig = rig_of("host, arduino-uno:qemu,arduino-uno:simavr")
    assert [b.name for b in rig.boards] == ["host", "arduino-uno-qemu", "arduino-uno-simavr"]
    with pytest.raises(ArgumentError, match="expected each board once, got host twice"):
        rig_of("host,host")
    with pytest.raises(ArgumentError, match="did you mean microbit"):
        rig_of("host,microbitt")


# --- the table ---


def test_every_board_gets_a_row(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    arguments = [DIGITS, "--rig", rig, "-j", "2", "--data", DATA, "-n", "3", "--report", page]
    code, result = verify(arguments, capsys)
    assert code == 2
    assert result["identical"] is True and result["all_were_run"] is False
    rows = {row["name"]: row for row in result["boards"]}
    assert [row["outcome"] for row in rows.values()] == ["identical", "failed", "does not fit"]
    assert rows["first"]["verdict"]["comparison"]["samples_identical"] == 3
    assert rows["first"]["verdict"]["expected_outputs"]["identical"] is True
    assert "/dev/no-such-port" in rows["gone"]["reason"]
    assert "bytes of flash, board has 12288" in rows["small"]["reason"]
    html = page.read_text(encoding="utf-8")
    assert "Not every board was run" in html
    assert '<a href="page-first.html">first</a>' in html
    assert "Identical on every byte" in (tmp_path / "page-first.html").read_text(encoding="utf-8")
    for row in rows.values():
        assert row["outcome"] in html


def test_table_is_text(rig: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", str(DIGITS), "--rig", str(rig), "-n", "2", "--no-report"]
    assert main(arguments) == 2
    headline, titles, _, first, gone, small, *reasons = capsys.readouterr().out.splitlines()
    assert headline == ("digits_mlp.tflite on 3 boards: 1 identical, 1 does not fit, 1 failed")
    assert re.split(r"\s{2,}", titles)[:4] == ["board", "CPU", "result", "samples"]
    assert first.split()[:4] == ["first", "native", "identical", "2/2"]
    assert "failed" in gone and "does not fit" in small
    assert [line.split(":")[0] for line in reasons] == ["gone", "small"]


def test_a_different_byte_is_exit_code_1(
    rig: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = byteprop.load(DIGITS).graph
    layer = graph.ops[0]
    assert isinstance(layer, Dense)
    moved = np.where(layer.weights > 0, layer.weights - 9, layer.weights + 9).astype(np.int8)
    ops = (dataclasses.replace(layer, weights=moved), *graph.ops[1:])
    changed = tmp_path / "changed.bpm"
    byteprop.Model(dataclasses.replace(graph, ops=ops)).save(changed)
    arguments = [changed, "--against", DIGITS, "--rig", rig, "--data", DATA, "--no-report"]
    code, result = verify(arguments, capsys)
    assert code == 1
    assert result["identical"] is False and result["report"] is None
    row = result["boards"][0]
    assert row["outcome"] == "different"
    assert "output bytes differ; the first different layer is 0 (Dense)" in row["reason"]


def test_an_empty_name_is_not_a_board(capsys: pytest.CaptureFixture[str]) -> None:
    code, result = verify([DIGITS, "--board", "host,", "--no-report"], capsys)
    assert code == 2 and "board '' is not known" in result["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--board", "all", "--port", "p"], "--port is for one board, got several; use --rig"),
        (["--board", "host,microbit", "--wire-log", "w"], "--wire-log is for one board"),
        (["--rig", "r", "--board", "microbit"], "--board is for one board, got several; the rig's"),
        (["--rig", "r", "--emulated"], "--emulated is for one board"),
        (["--rig", "/no/rig.toml"], "/no/rig.toml: cannot be read: No such file"),
    ],
)
def test_options_that_do_not_go_together(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(DIGITS), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_every_option_holds_for_each_board_or_for_the_whole(tmp_path: Path) -> None:
    """A new option has to be in one of the two."""
    whole = set("board port probe emulated timeout wire_log rig jobs report no_report".split())
    parser = argparse.ArgumentParser(add_help=False)
    VERB.configure(parser)
    options = {a.dest for a in parser._actions if a.option_strings}
    assert options == whole | FOR_EACH


@pytest.fixture
def long_run(tmp_path: Path) -> Iterator[Any]:
    """A verification of very many samples on one board."""
    x = np.zeros((40_000, 64), np.int8)
    np.save(tmp_path / "many.npy", x)
    file = tmp_path / "rig.toml"
    file.write_text('schema = 1\n[[board]]\nboard = "host"\n', encoding="utf-8")
    command = ["verify", DIGITS, "--rig", file, "--data", tmp_path / "many.npy", "--no-report"]
    with running([*command, "--reference", "numpy"], cwd=tmp_path) as process:
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_releases_every_board(long_run: Any, number: int) -> None:
    child = wait_for_child(long_run, "verify")
    long_run.send_signal(number)
    long_run.communicate(timeout=60)
    assert long_run.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number]
    assert wait_until_dead(child)
    assert children(long_run.pid) == []


# --- tests on every board ---

TESTS = """
    from pathlib import Path

    import numpy as np

    import byteprop


    def test_outputs(byteprop_device, request):
        worker = getattr(request.config, "workerinput", {"workerid": "only"})["workerid"]
        with open("workers.txt", "a") as log:
            log.write(f"{request.node.callspec.id} {worker}\\n")
        x = np.zeros((1, 64), np.int8)
        y = byteprop_device.load("model.tflite").run(x)
        assert np.array_equal(y, byteprop.load("model.tflite").run(x))


    def test_again(byteprop_device, request):
        test_outputs(byteprop_device, request)


    def test_without_a_board():
        pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    shutil.copyfile(DIGITS, pytester.path / "model.tflite")
    entry = '[[board]]\nname = "{}"\nboard = "host"\nemulated = true\n'
    text = "schema = 1\n" + "".join(map(entry.format, ("red", "green", "blue")))
    (pytester.path / "rig.toml").write_text(text, encoding="utf-8")
    pytester.makepyfile(test_all=TESTS)
    return pytester


def pytest_on(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    rig = ("-p", "no:cacheprovider", "--strict-markers", "--byteprop-rig", "rig.toml")
    return project.runpytest_subprocess(*rig, *arguments, timeout=120)


@pytest.mark.parametrize("parallel", [(), ("-n", "2")])
def test_a_test_runs_on_every_board(project: pytest.Pytester, parallel: tuple[str, ...]) -> None:
    """In parallel, all tests of a board run in one process."""
    result = pytest_on(project, *parallel)
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["*byteprop rig: rig.toml*"])
    lines = (project.path / "workers.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == 6
    processes: dict[str, set[str]] = {}
    for board, worker in map(str.split, lines):
        processes.setdefault(board, set()).add(worker)
    assert set(processes) == {"(red)", "(green)", "(blue)"}
    assert all(len(workers) == 1 for workers in processes.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--byteprop-board=microbit",), "--byteprop-board is for one board; leave it out"),
        (("--byteprop-rig=none.toml",), "--byteprop-rig: none.toml: cannot be read"),
    ],
)
def test_options_of_pytest_that_do_not_go_together(
    project: pytest.Pytester, arguments: tuple[str, ...], message: str
) -> None:
    result = pytest_on(project, *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{message}*"])
