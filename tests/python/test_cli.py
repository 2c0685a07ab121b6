"""The command line: help, exit codes, JSON, messages; verbs that need no board."""

from __future__ import annotations

import importlib
import io
import json
import os
import pty
import shlex
import struct
import subprocess
import sys
import threading
import tty
from pathlib import Path

import pytest

import byteprop
from byteprop.image import without_names
from byteprop_host.boards.board import load_board
from byteprop_host.cli import main, make_parser
from byteprop_host.commands import NAMES, Verb
from byteprop_host.console import Console
from byteprop_host.firmware.capacity import memory_needs
from byteprop_host.info import info
from byteprop_host.inventory import inventory
from byteprop_host.link import Frame, Message, encode_frame
from cli_process import run_command

MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
FASHION = MODELS / "fashion_mlp_perchannel.tflite"


def verb(name: str) -> Verb:
    found: Verb = importlib.import_module(f"byteprop_host.commands.{name}").VERB
    return found


@pytest.mark.parametrize("name", NAMES)
def test_help_shows_an_example_that_parses(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    example = verb(name).example
    assert f"Example:\n  {example}" in capsys.readouterr().out
    program, *arguments = shlex.split(example)
    assert program == "byteprop"
    assert make_parser().parse_args(arguments).verb is verb(name)


@pytest.mark.parametrize("name", ["build", "flash", "verify", "run", "bench"])
def test_host_is_the_default_board(name: str) -> None:
    needed = {"run": ["m", "--data", "d", "-o", "o"], "verify": ["m"], "bench": ["m"]}
    assert make_parser().parse_args([name, *needed.get(name, [])]).board == "host"


@pytest.mark.parametrize("arguments", [[], ["no-such-verb"], ["verify"], ["info", "--no-such"]])
def test_wrong_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    shown = capsys.readouterr()
    assert "usage: byteprop" in shown.out + shown.err


def test_boards_as_json_is_json_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert shown.err == ""
    names = [b["name"] for b in result["boards"]]
    assert names[0] == "host"
    assert {"mps2-an386", "mps2-an385", "microbit", "sifive_e", "arduino-uno"} <= set(names)
    uno = next(b for b in result["boards"] if b["name"] == "arduino-uno")
    assert uno["ram_bytes"] == 2048
    compilers = {t["program"] for t in result["tools"] if t["purpose"] == "compiler"}
    assert {"arm-none-eabi-gcc", "avr-gcc"} <= compilers
    assert all(t["version"] or t["install"] for t in result["tools"])


def test_boards_says_how_to_install_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert main(["boards"]) == 0
    text = capsys.readouterr().out
    assert "missing: sudo apt-get install gcc-arm-none-eabi" in text
    line = next(s for s in text.splitlines() if s.startswith("microbit"))
    assert line.endswith("no compiler")


def test_info_has_the_numbers_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(FASHION), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    model = byteprop.load(FASHION)
    assert result["macs"] == 784 * 20 + 20 * 10
    assert result["arena_bytes"] == model.arena_bytes
    assert result["image_bytes"] == len(without_names(model.image))
    assert [layer["op"] for layer in result["layers"]] == ["Reshape", "Dense", "Dense", "Softmax"]
    assert result["inputs"][0]["shape"] == [1, 28, 28]
    by_name = {b["board"]: b for b in result["boards"]}
    expected = memory_needs(load_board("arduino-uno"), model.image)
    assert by_name["arduino-uno"]["ok"] is False
    assert by_name["arduino-uno"]["flash_needed"] == expected.flash_needed
    assert by_name["microbit"]["ok"] is True


def test_info_is_readable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(FASHION)]) == 0
    text = capsys.readouterr().out
    assert "784 -> 20, per channel, relu" in text
    assert (
        "arena  804 bytes of RAM for activations; most are in use in layer 1 (Dense): 804" in text
    )
    assert "15,880" in text


def test_info_and_boards_are_values_in_python() -> None:
    found = info(byteprop.load(FASHION))
    assert [layer.info.macs for layer in found.layers] == [0, 784 * 20, 20 * 10, 0]
    assert all(layer.cost is None and layer.per_mac is None for layer in found.layers)
    assert [layer.ram_bytes for layer in found.layers] == [784, 804, 30, 10]
    assert [(o.offset, o.size, o.first, o.last) for o in found.arena if o.last == 3] == [
        (0, 10, 2, 3), (0, 10, 3, 3),
    ]  # fmt: skip
    memory = {b.board.name: b for b in found.boards}
    assert memory["mps2-an386"].training is not None and memory["mps2-an386"].training.ok
    assert not memory["arduino-uno"].needs.ok and memory["arduino-uno"].training is None
    assert json.loads(json.dumps(found.to_json(), default=str))["macs"] == found.macs
    entries = {b.board.name: b for b in inventory().boards}
    # An Arduino with a sketch reports its memory when it is plugged in.
    assert entries.keys() == {*memory, "arduino"}
    assert (entries["microbit"].saves, entries["mps2-an386"].saves) == (True, False)


def test_convert_writes_the_same_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "fashion.bpm"
    assert main(["convert", str(FASHION), "-o", str(target), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["bytes"] == target.stat().st_size
    assert byteprop.load(target).image == byteprop.load(FASHION).image


def test_one_model_has_one_size_and_one_crc(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those of its image without names, in every verb, from a .tflite and from a .bpm."""
    image = tmp_path / "fashion.bpm"
    convert = ["convert", str(FASHION), "-o", str(image)]
    verify = ["verify", str(FASHION), "-n", "1", "--no-report"]
    bare = without_names(byteprop.load(FASHION).image)
    expected = (len(bare), f"{struct.unpack_from('<I', bare, 12)[0]:08x}")
    for arguments in (convert, ["info", str(FASHION)], ["info", str(image)], verify):
        assert main([*arguments, "--json"]) == 0
        result = json.loads(capsys.readouterr().out)
        size = result.get("image_bytes") or result["figures"]["model_bytes"]
        assert (size, result["model_crc32"]) == expected
        assert main(arguments) == 0
        text = capsys.readouterr().out
        assert f"{expected[0]:,} bytes, crc {expected[1]}" in text
    assert image.stat().st_size > len(bare)


def test_convert_names_the_suffixes_it_knows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(FASHION), "-o", str(tmp_path / "fashion.onnx")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ".bpm" in shown.err and ".h" in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["info", "no-such-file.tflite"], ["no-such-file.tflite", "No such file"]),
        (["info", __file__], [Path(__file__).name, ".tflite"]),
        (["verify", str(FASHION), "--board", "no-such-board"], ["no-such-board", "microbit"]),
        (["verify", str(FASHION), "--data", "no-such.npz"], ["no-such.npz"]),
        (["verify", str(FASHION), "--port", "/dev/null"], ["host runs only", "--port /dev/null"]),
        (["monitor"], ["--port", "--replay"]),
        (["monitor", "--port", "/dev/no-such-port"], ["/dev/no-such-port", "does not exist"]),
        (["monitor", "--replay", __file__], ["wire log"]),
    ],
)
def test_errors_are_one_message_without_traceback(
    arguments: list[str], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("byteprop: error: ")
    assert "Traceback" not in shown.err
    for word in words:
        assert word in shown.err


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    plain = run_command(["info", tmp_path / "missing.bpm"])
    debug = run_command(["info", tmp_path / "missing.bpm", "--debug"])
    assert plain.returncode == 2 and "Traceback" not in plain.stderr
    assert debug.returncode == 2 and "Traceback" in debug.stderr


def test_busy_port_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    serial = pytest.importorskip("serial")
    master, slave = pty.openpty()
    try:
        port = os.ttyname(slave)
        with serial.Serial(port, exclusive=True):
            assert main(["monitor", "--port", port, "--seconds", "1"]) == 2
        error = capsys.readouterr().err
        assert port in error and "in use by another program" in error
    finally:
        os.close(master)
        os.close(slave)


def test_monitor_shows_frames_and_tells_garbage(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("serial")
    master, slave = pty.openpty()
    tty.setraw(slave)
    sender = threading.Timer(
        0.5,
        lambda: os.write(
            master,
            b"\0garbage\0" + encode_frame(Frame(Message.HEARTBEAT, ack=7, payload=b"\x03\x00")),
        ),
    )
    try:
        sender.start()
        assert main(["monitor", "--port", os.ttyname(slave), "--seconds", "2", "--json"]) == 0
    finally:
        sender.join()
        os.close(master)
        os.close(slave)
    shown = capsys.readouterr()
    (frame,) = [json.loads(line) for line in shown.out.splitlines()]
    assert frame["text"].startswith("HEARTBEAT")
    assert (frame["ack"], frame["payload"]) == (7, "0300")
    assert "1 damaged frame" in shown.err and "115200" in shown.err


def test_boards_are_listed_without_pyserial(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "serial.tools", None)
    assert main(["boards"]) == 0
    text = capsys.readouterr().out
    assert "microbit" in text
    assert 'pip install "byteprop[host]"' in text


def test_reader_of_stdout_that_leaves_is_no_traceback() -> None:
    line = f"{shlex.quote(sys.executable)} -m byteprop_host boards | true"
    done = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=60.0, check=False
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


class _Port:
    def __init__(self, device: str, vid: int | None, pid: int | None) -> None:
        self.device, self.vid, self.pid = device, vid, pid
        self.description = "made for a test"
        self.serial_number = None


def test_plugged_in_boards_are_known_by_their_usb_ids(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    list_ports = pytest.importorskip("serial.tools.list_ports")
    vendor, product = (int(s, 16) for s in load_board("microbit").serial.usb[0].split(":"))
    ports = [_Port("/dev/ttyX1", 0xFFFF, 0x0001), _Port("/dev/ttyX0", vendor, product)]
    ports.append(_Port("/dev/ttyX2", None, None))
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    assert main(["boards", "--json"]) == 0
    first, second, third = json.loads(capsys.readouterr().out)["plugged_in"]
    assert first["where"] == "/dev/ttyX0" and "microbit" in first["boards"]
    assert first["option"].endswith("--port /dev/ttyX0")
    assert first["usb"] == f"{vendor:04x}:{product:04x}"
    assert second["usb"] == "ffff:0001" and second["boards"] == []
    assert third["usb"] == "" and third["boards"] == [] and third["option"] == ""


def test_progress_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def drawn(screen: io.StringIO, *, quiet: bool = False) -> str:
        with Console(quiet=quiet, err=screen).progress() as progress:
            for i in range(4):
                progress("upload", i, 3, note=f"part\t{i}")
        return screen.getvalue()

    monkeypatch.setenv("TERM", "xterm")
    pytest.importorskip("rich")
    shown = drawn(Terminal())
    assert "upload part\\t3" in shown and "\t" not in shown
    assert drawn(Terminal(), quiet=True) == ""
    assert drawn(io.StringIO()) == ""
