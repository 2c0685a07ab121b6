"""What reaches the terminal: no control sequence, no letter that it lacks, no traceback."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

import byteprop
from byteprop import image
from byteprop_host.cli import main
from byteprop_host.console import Console, printable, printable_lines, table
from byteprop_host.report import page
from cli_process import COMMAND, PATIENCE

MODELS = Path(__file__).parents[1] / "data/models"
DIGITS = MODELS / "digits_mlp.tflite"
ESCAPE = "\x1b[31m\x1b]0;title\x07"  # red letters, and another title of the window


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße 漢字 ½ 😀", "Grüße 漢字 ½ 😀"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nidentical", r"a\nidentical"),
        ("\x9b31m\x7f\r\t", r"\x9b31m\x7f\r\t"),
        ("abc\u202etxt\u2028", r"abc\u202etxt\u2028"),
        (os.fsdecode(b"m\xf6del"), r"m\udcf6del"),
        ("\u00a0", "\u00a0"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_and_columns_stay() -> None:
    assert printable_lines("a\tb\nc\x1b\n") == "a       b\nc\\x1b\n"


def test_a_cell_of_a_table_is_one_line() -> None:
    lines = table([["a\nb", "1"], ["c", "2"]], header=["name", "n"]).splitlines()
    assert lines[2:] == ["a\\nb  1", "c     2"]


def test_messages_and_results_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.line(ESCAPE)
    console.note(ESCAPE)
    console.error(ESCAPE)
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err
    assert r"\x1b[31m" in shown.out and r"\x1b[31m" in shown.err


def test_what_an_encoding_lacks_is_replaced() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        Console(err=stream).note("Modell für 漢字")
        assert raw.getvalue() == b"Modell f?r ??\n"


def test_a_report_holds_no_control_characters(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    page.write(file, page.page(f"<b>{ESCAPE}{os.fsdecode(bytes([0xF6]))}", ["<p>Grüße</p>\n"]))
    text = file.read_text(encoding="utf-8")
    assert "\x1b" not in text and "\x07" not in text
    assert r"&lt;b&gt;\x1b[31m" in text and r"\udcf6" in text and "Grüße" in text


def run(args: list[str | bytes], cwd: Path, **env: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *args],
        cwd=cwd,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize(
    "name", [b"m\xf6del.tflite", "漢字.tflite".encode(), b"\x1b[31mred\n.tflite"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_file_name_is_shown_and_reported(tmp_path: Path, name: bytes, encoding: str) -> None:
    shutil.copyfile(DIGITS, tmp_path / os.fsdecode(name))
    for args in (["verify", name, "--samples", "3"], ["info", name], ["info", name + b".none"]):
        done = run(args, tmp_path, PYTHONIOENCODING=encoding)
        assert done.returncode == (2 if name + b".none" in args else 0), done.stderr
        assert b"\x1b" not in done.stdout + done.stderr
        (done.stdout + done.stderr).decode(encoding)
        assert b"Traceback" not in done.stderr
    assert "\x1b" not in (tmp_path / "byteprop-verify-host.html").read_text(encoding="utf-8")


def test_a_tensor_cannot_write_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = byteprop.load(DIGITS)
    tensors = [replace(t, name=f"a\nMACs   7\n{ESCAPE}") for t in model.graph.tensors]
    file = tmp_path / "named.bpm"
    file.write_bytes(image.encode(replace(model.graph, tensors=tuple(tensors))))
    for verb in ("info", "verify", "bench"):
        report = ["--no-report"] if verb == "verify" else []
        assert main([verb, str(file), *report]) == 0
        text = capsys.readouterr().out
        assert "\x1b" not in text
        assert "\nMACs   7\n" not in text
    assert main(["info", str(file)]) == 0
    assert r"a\nMACs   7\n\x1b[31m" in capsys.readouterr().out


def test_wrong_arguments_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["info", DIGITS.name, f"--{ESCAPE}"])
    with pytest.raises(SystemExit):
        main([ESCAPE])
    assert main(["info", ESCAPE]) == 2
    assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("verb", [f"verify {DIGITS} --samples 3 --no-report", "boards"])
def test_closed_standard_streams_do_no_harm(tmp_path: Path, closed: str, verb: str) -> None:
    line = f"exec {shlex.join(COMMAND)} {verb} {closed}"
    done = subprocess.run(
        ["sh", "-c", line], cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""


def test_a_full_standard_output_is_an_error(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*COMMAND, "info", DIGITS],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == b"byteprop: error: standard output: No space left on device\n"


@pytest.mark.parametrize("verb", ["boards", "--help", f"info {DIGITS}"])
def test_a_reader_that_leaves_is_no_error_message(verb: str) -> None:
    line = f"{shlex.join(COMMAND)} {verb} | true"
    done = subprocess.run(["sh", "-c", line], capture_output=True, timeout=PATIENCE, check=False)
    assert done.stderr == b""


def test_remarks_that_nobody_reads_do_not_end_the_work(tmp_path: Path) -> None:
    np_file = tmp_path / "xor.npz"
    import numpy as np

    np.savez(np_file, x=np.eye(4, dtype=np.float32), y=np.arange(4) % 2)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, "train", "--net", "4-4-2", "--data", np_file, "--no-report", "-o", "net.bpm"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=writer,
        timeout=PATIENCE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 0
    assert done.stdout.startswith(b"identical: ")
    assert byteprop.load(tmp_path / "net.bpm").graph.inputs


def test_a_warning_is_a_remark(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    load = byteprop.load

    def warned(path: Path, **options: bool) -> byteprop.Model:
        warnings.warn(f"strange {ESCAPE}", byteprop.TrainingWarning, stacklevel=1)
        return load(path, **options)

    monkeypatch.setattr(byteprop, "load", warned)
    assert main(["info", str(DIGITS)]) == 0
    assert capsys.readouterr().err.startswith(r"byteprop: warning: strange \x1b[31m")
    assert main(["info", str(DIGITS), "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_an_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", "no-such.tflite", "--json"]) == 2
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert told["kind"] == "FileNotFoundError"
    assert "no-such.tflite" in told["error"] and told["error"] in shown.err


def test_an_unexpected_exception_ends_with_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: object, **options: bool) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr(byteprop, "load", fail)
    assert main(["info", str(DIGITS)]) == 2
    error = capsys.readouterr().err
    assert error == (
        "byteprop: error: unexpected RecursionError: too deep; --debug shows where it happened\n"
    )
    assert main(["info", str(DIGITS), "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["verfy", "m.tflite"], "got 'verfy'; did you mean verify?"),
        (["info", "m.tflite", "--jsn"], "'--jsn' is not an option; did you mean --json?"),
        (
            ["verify", "m", "--sampels=5"],
            "'--sampels' is not an option; did you mean --samples or --labels?",
        ),
        (["verify", "m", "--sampels", "5"], "did you mean --samples or --labels?"),
        (["verify", "m", "--reference", "numpi"], "got 'numpi'; did you mean numpy?"),
        (["info", "a", "b"], "got 'b'"),
        (["verify", "m", "--pixel-scale", "1/0"], "such as 1/255, got 1/0"),
        (["verify", "m", "--pixel-scale", "nan"], "such as 1/255, got nan"),
        (["verify", "m", "--samples", "0"], "from 1 to 2,147,483,647, got 0"),
        (["verify", "m", "--timeout", "inf"], "got inf"),
    ],
)
def test_wrong_usage_offers_the_nearest(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"]])
def test_help_lists_the_exit_codes(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "Exit codes:\n  0  " in capsys.readouterr().out


def test_the_command_is_a_module_too() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "byteprop_host", "--version"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.startswith("byteprop ")
