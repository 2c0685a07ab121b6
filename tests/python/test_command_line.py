"""The command line as people use it: colours, -v, --log, completion, options before the verb."""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
import tty
from pathlib import Path

import pytest

from byteprop.engine._raw import const
from byteprop_host import activity
from byteprop_host.cli import main, make_parser
from byteprop_host.colours import painted
from byteprop_host.commands import NAMES, Verb
from byteprop_host.completion import SHELLS
from byteprop_host.console import Console, rate_text
from byteprop_host.link import Frame, Message, encode_frame
from byteprop_host.link.meaning import meaning
from cli_process import interrupt, running

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "tests/data/models/digits_mlp.tflite"
ANSWER = const("BP_MSG_ANSWER")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def verb(name: str) -> Verb:
    found: Verb = importlib.import_module(f"byteprop_host.commands.{name}").VERB
    return found


# --- colours ---


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("identical: 3 of 3", "\x1b[1;32midentical\x1b[0m: 3 of 3"),
        ("DIFFERENT: 2 of 3", "\x1b[1;31mDIFFERENT\x1b[0m: 2 of 3"),
        ("a\nbyteprop: error: no", "a\n\x1b[1;31mbyteprop: error:\x1b[0m no"),
        ("not identical", "not identical"),
    ],
)
def test_deciding_words_have_colours(text: str, shown: str) -> None:
    assert painted(text) == shown


@pytest.mark.parametrize(
    ("no_color", "term", "coloured"),
    [("", "xterm", True), ("1", "xterm", False), ("", "dumb", False)],
)
def test_colour_needs_a_terminal_and_leave(
    no_color: str, term: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", term)
    screen, file = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", screen)
    console = Console(err=file)
    console.result("identical: \x1b[31mname", {})
    console.error("x")
    assert ("\x1b[1;32midentical\x1b[0m" in screen.getvalue()) == coloured
    assert r"\x1b[31mname" in screen.getvalue()  # of the text itself: escaped
    assert file.getvalue() == "byteprop: error: x\n"


def test_json_has_no_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    Console(json_mode=True).result("", "identical")
    assert screen.getvalue() == '"identical"\n'


# --- progress ---


@pytest.mark.parametrize(
    ("rate", "shown"),
    [(None, ""), (0.0, ""), (0.5, "0.50/s"), (12.34, "12.3/s"), (1234.4, "1,234/s")],
)
def test_a_rate_has_three_digits(rate: float | None, shown: str) -> None:
    assert rate_text(rate) == shown


def test_bars_show_the_rate_and_remarks_are_above_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    screen = Terminal()
    console = Console(err=screen)
    with console.progress() as progress:
        for i in range(6):
            progress("infer", i, 5)
            time.sleep(0.06)  # more than the least time between two drawings
        console.note("a remark of [b]one[/b] line")
    text = screen.getvalue()
    assert "/s" in text and "left" in text
    assert "a remark of [b]one[/b] line" in text


# --- options before the verb, and wrong ones ---


def test_common_options_may_be_before_the_verb() -> None:
    parse = make_parser().parse_args
    before = parse(["--debug", "-vv", "--json", "--log", "a", "verify", "m"])
    after = parse(["verify", "m", "--debug", "-vv", "--json", "--log", "a"])
    assert vars(before) == vars(after) | {"parser": before.parser, "verb": before.verb}
    neither = parse(["verify", "m"])
    assert (neither.debug, neither.verbose, neither.json, neither.log) == (False, 0, False, None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--board", "host", "verify", "m"], "as in: byteprop verify --board"),
        (["--resum", "train"], "did you mean --resume"),
        (["--verbos", "-q", "verfy"], "did you mean verify?"),
        (["-vq", "--log", "verify", "verfy"], "did you mean verify?"),
    ],
)
def test_an_option_at_the_wrong_place_is_explained(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_a_file_of_a_similar_name_is_offered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(DIGITS, tmp_path / "digits.tflite")
    assert main(["info", str(tmp_path / "digit.tflite")]) == 2
    assert "; did you mean digits.tflite?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["verfy"], ["info"], ["info", "m", "--jsn"]])
def test_wrong_usage_is_json_too(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*arguments, "--json"])
    assert stop.value.code == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)
    assert error["kind"] == "UsageError" and error["error"] in shown.err


@pytest.mark.parametrize("name", [name for name in NAMES if verb(name).has_json])
def test_errors_of_every_verb_are_json(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With files that do not exist, where it takes any."""
    monkeypatch.chdir(tmp_path)
    arguments = {
        "boards": [],
        "build": ["--board", "no-such"],
        "flash": ["--board", "no-such"],
        "monitor": ["--replay", "none"],
        "train": ["--net", "2-2", "--data", "none.npz"],
        "run": ["none", "--data", "none.npz", "-o", "o.npy"],
        "convert": ["none", "-o", "o.h"],
        "anomaly": ["none.tflite", "--data", "none.npz"],
        "quantize": ["none.tflite", "--data", "none.npz"],
    }.get(name, ["none.tflite"])
    if name == "boards":
        monkeypatch.setenv("BYTEPROP_BOARDS", str(tmp_path / "none"))
        monkeypatch.setattr("byteprop_host.inventory.inventory", lambda: 1 / 0)
    assert main([name, *arguments, "--json"]) == 2
    shown = capsys.readouterr()
    assert set(json.loads(shown.out)) == {"error", "kind", "remedy"}
    assert shown.err.startswith("byteprop: error: ")


@pytest.mark.parametrize("name", NAMES)
def test_help_names_a_page_that_exists(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([name, "--help"])
    text = capsys.readouterr().out
    found = re.search(r"^Documentation: byteprop help (\S+)$", text, re.MULTILINE)
    assert found is not None and (ROOT / "docs" / f"{found[1]}.md").is_file()
    assert "Exit codes:\n" in text and "Example:\n" in text


def test_help_shows_the_documents(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help"]) == 0
    topics = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    pages = {p.relative_to(ROOT / "docs") for p in (ROOT / "docs").rglob("*.md")}
    assert set(topics) == {page.with_suffix("").as_posix() for page in pages}
    assert topics["data"] == "Data files"
    for topic in ("data", "docs/data.md", "run"):
        assert main(["help", topic]) == 0
        assert capsys.readouterr().out.startswith("# Data files\n")
    assert main(["help", "dta"]) == 2
    assert "did you mean data?" in capsys.readouterr().err
    assert main(["help", "watch", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["text"].startswith("# Watching a board")


def test_every_topic_in_the_texts_exists() -> None:
    """`byteprop help TOPIC` in help, messages and reports."""
    code = [p.read_text(encoding="utf-8") for f in ("runtime", "host_tools") for p in
            sorted((ROOT / f).rglob("*.py"))]  # fmt: skip
    joined = [re.sub(r'"\s*f?"', "", text) for text in code]
    named = {name for text in joined for name in re.findall(r"byteprop help ([a-z][\w/-]*)", text)}
    assert {"data", "faq", "porting"} <= named
    assert [n for n in named - {"lists"} if not (ROOT / "docs" / f"{n}.md").is_file()] == []


# --- completion ---


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_is_a_script_of_the_shell(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("shtab")
    with pytest.raises(SystemExit) as stop:
        main(["--completion", shell])
    assert stop.value.code == 0
    script = capsys.readouterr().out
    assert "microbit" in script and "quantize" in script
    program = shutil.which(shell)
    if program is not None:
        subprocess.run([program, "-n"], input=script, text=True, check=True)


def completions(script: str, words: list[str]) -> set[str]:
    """What bash offers for the last of the words."""
    function = re.search(r"complete .*-F (\w+) byteprop", script)
    assert function is not None
    line = " ".join(word or "''" for word in words)
    program = (
        f"{script}\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; {function[1]} byteprop; "
        "printf '%s\\n' \"${COMPREPLY[@]}\""
    )
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, check=True, timeout=30.0
    )
    return {word.strip() for word in done.stdout.splitlines()}


def test_bash_completes_verbs_options_and_boards(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("shtab")
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    with pytest.raises(SystemExit):
        main(["--completion", "bash"])
    script = capsys.readouterr().out
    assert completions(script, ["byteprop", "ver"]) == {"verify"}
    assert "--samples" in completions(script, ["byteprop", "verify", "--sam"])
    assert completions(script, ["byteprop", "verify", "--board", "microbit-"]) == {"microbit-v2"}


# --- -v, -vv and --log ---


def test_v_shows_commands_and_vv_frames(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["verify", str(DIGITS), "--samples", "2", "--no-report"]
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""
    assert main(["-v", *arguments]) == 0
    commands = capsys.readouterr().err
    assert re.search(r"^\$ .*byteprop-device \d+$", commands, re.MULTILINE)
    assert "INFER" not in commands
    assert main([*arguments, "-vv"]) == 0
    frames = capsys.readouterr().err
    assert re.search(r"^\$ .*byteprop-device \d+$", frames, re.MULTILINE)
    assert re.search(r"-> INFER +#\d+  all layers$", frames, re.MULTILINE)
    assert re.search(r"<- HELLO answer +host \(native\), build [0-9a-f]{16}$", frames, re.M)
    for logger in (activity.COMMANDS, activity.FRAMES):
        assert logger.handlers == [] and logger.level == logging.NOTSET


def test_the_log_has_what_was_run_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "a.log"
    assert main(["--log", str(log), "info", str(DIGITS)]) == 0
    printed = capsys.readouterr().out
    text = log.read_text(encoding="utf-8")
    assert " $ byteprop --log " in text.splitlines()[0]
    assert printed.rstrip("\n") in text
    assert main(["info", "none.tflite", "--log", str(log), "-q"]) == 2
    assert "byteprop: error: none.tflite: No such file" in log.read_text(encoding="utf-8")


def test_the_log_has_what_a_failing_tool_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler = tmp_path / "arm-none-eabi-gcc"
    compiler.write_text("#!/bin/sh\necho 'a strange \033[31mcomplaint' >&2\nexit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    log = tmp_path / "a.log"
    assert main(["build", "--board", "microbit", "--log", str(log)]) == 2
    text = log.read_text(encoding="utf-8")
    assert re.search(rf"\$ {re.escape(str(compiler))} .*-c ", text)
    assert r"a strange \x1b[31mcomplaint" in text and "\x1b" not in text


def test_a_log_that_cannot_be_written_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(DIGITS), "--log", "/no-such-folder/a.log"]) == 2
    assert "/no-such-folder/a.log" in capsys.readouterr().err
    if Path("/dev/full").exists():
        assert main(["info", str(DIGITS), "--log", "/dev/full"]) == 2
        assert "/dev/full: cannot be written: No space left" in capsys.readouterr().err


# --- frames in words, and the end of monitor ---


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (Frame(Message.INFER, 3, payload=b"\xff\xff"), "all layers"),
        (Frame(Message.INFER, 3, payload=b"\x02\x00"), "the first 2 layers"),
        (Frame(Message.SELECT, 3, payload=b"\x00"), "the model in flash"),
        (
            Frame(Message.WRITE, payload=bytes((0, 0, 0, 16, 0, 0, 0)) + bytes(5)),
            "5 bytes to inputs at 16",
        ),
        (
            Frame(Message.TRAIN, payload=(1 << 22).to_bytes(4, "little") + b"\x07\x00"),
            "class 7, rate 0.25",
        ),
        (
            Frame(
                Message.TRAIN | ANSWER,
                payload=b"\0" + bytes((0, 1, 0, 0, 0, 0, 0, 0, 7, 0, 1, 9, 0, 0, 0, 4, 0, 0, 0)),
            ),
            "loss 256, predicted 7 (right), update 9, 4 ticks",
        ),
        (
            Frame(Message.INFER | ANSWER, payload=b"\0" + bytes((1, 4, 0, 0, 5, 0, 0, 0, 255, 2))),
            "1,025 ticks, outputs ff 02",
        ),
        (Frame(Message.NACK, ack=5), "send again from #5"),
        (Frame(Message.HEARTBEAT, payload=b"\x03\x00"), "still computing, layer 3 is done"),
        (Frame(Message.ECHO | ANSWER, payload=b"\x01"), "refused: "),
        (Frame(Message.INFER, payload=b"\x01"), "1 bytes that do not fit this type"),
        (Frame(Message.HELLO | ANSWER, payload=b"\0\x01junk"), "that do not fit this type"),
        (Frame(0x7E), ""),
    ],
)
def test_frames_have_a_meaning(frame: Frame, words: str) -> None:
    assert words in meaning(frame)
    assert meaning(frame).isprintable()


def test_ctrl_c_is_the_documented_end_of_monitor(tmp_path: Path) -> None:
    pytest.importorskip("serial")
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        with running(["monitor", "--port", os.ttyname(slave)], cwd=tmp_path) as process:
            assert process.stderr is not None and process.stdout is not None
            assert "press Ctrl-C to stop" in process.stderr.readline()
            os.write(master, encode_frame(Frame(Message.HEARTBEAT, payload=b"\x03\x00")))
            assert "HEARTBEAT" in process.stdout.readline()
            _, errors = interrupt(process, signal.SIGINT)
    finally:
        os.close(master)
        os.close(slave)
    assert process.returncode == 0
    assert errors == ""
