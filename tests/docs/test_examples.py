"""The examples of the documents do what they say; docs_examples.py has the convention."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs_examples import (
    ROOT,
    RUNNABLE,
    Block,
    ExampleError,
    Runner,
    commands,
    find_blocks,
    matches,
    missing_programs,
)

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS += sorted((ROOT / "examples").rglob("README.md"))
# Run as notebooks, by test_lessons.py.
LESSONS = sorted((ROOT / "docs/lessons").glob("*.md"))


def name(document: Path) -> str:
    return document.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_example_is_run_or_says_why_not(document: Path) -> None:
    undeclared = [
        block.where
        for block in find_blocks(document)
        if block.language in RUNNABLE and not block.is_declared
    ]
    assert undeclared == [], "mark these blocks with run, file= or not-run="


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_examples(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BYTEPROP_CACHE", str(tmp_path / "cache"))
    runner = Runner(tmp_path)
    not_run = []
    for block in find_blocks(document):
        missing = missing_programs(block)
        if missing:
            not_run.append(f"line {block.line} needs {', '.join(missing)}")
        else:
            runner.run(block)
    if not_run:
        pytest.skip(f"{name(document)}: {'; '.join(not_run)} (the other examples passed)")


@pytest.mark.parametrize("document", DOCUMENTS + LESSONS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    broken = [
        target
        for target in targets
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize(
    "script",
    [
        *("audio_figures.py", "board_table.py", "figures_table.py", "mlperf_table.py"),
        *("op_table.py", "training_table.py"),
    ],
)
def test_generated_tables_are_up_to_date(script: str) -> None:
    result = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.emulated
def test_picture_of_a_verdict_is_up_to_date() -> None:
    for program in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    script = ROOT / "scripts/verdict_picture.py"
    done = subprocess.run(
        [sys.executable, script, "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# --- the runner itself -------------------------------------------------------------------------


def block(text: str, tmp_path: Path) -> Block:
    document = tmp_path / "document.md"
    document.write_text(text)
    return find_blocks(document)[0]


def test_block_is_parsed(tmp_path: Path) -> None:
    found = block("text\n\n```console run needs=gcc,make\n$ one \\\n    two\nout\n```\n", tmp_path)
    assert (found.language, found.line, found.needs) == ("console", 3, ["gcc", "make"])
    assert [(c.line, c.output) for c in commands(found)] == [("one two", "out")]


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("a b", "a b\n", True),
        ("a b", "a c\n", False),
        ("a ... c", "a b b c", True),
        ("a\n...\nz", "a\nb\nc\nz", True),
        ("a\n...", "b\nc", False),
        ("1.5 (x)", "1x5 (x)", False),
    ],
)
def test_output_is_compared(shown: str, real: str, same: bool) -> None:
    assert matches(shown, real) is same


def test_wrong_output_and_failure_are_errors(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    with pytest.raises(ExampleError, match="the document shows"):
        runner.run(block("```console run\n$ echo one\ntwo\n```\n", tmp_path))
    with pytest.raises(ExampleError, match="exit code 3"):
        runner.run(block("```console run\n$ exit 3\n```\n", tmp_path))
    with pytest.raises(ZeroDivisionError):
        runner.run(block("```python run\n1 / 0\n```\n", tmp_path))


def test_python_blocks_share_names_and_files_are_written(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    runner.run(block("```python run\nx = 2\n```\n", tmp_path))
    runner.run(block("```python file=a.py\nprint(3)\n```\n", tmp_path))
    runner.run(block("```python run\nassert x == 2\n```\n", tmp_path))
    runner.run(block(f"```console run\n$ {sys.executable} a.py\n3\n```\n", tmp_path))
    assert runner.names["x"] == 2
