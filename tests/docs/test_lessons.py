"""The lessons in docs/lessons: notebooks are made from the Markdown and run, every question has an
answer, and sliders are optional."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from docs_examples import ROOT

pytest.importorskip("jupytext", reason="pip install '.[lessons]'")
pytest.importorskip("nbmake", reason="pip install '.[test]'")

sys.path.insert(0, str(ROOT / "scripts"))
sys.path.insert(0, str(ROOT / "docs/lessons"))
import lesson_notebooks

import lesson

LESSONS = lesson_notebooks.sources()
TEACHER = (ROOT / "docs/lessons/teacher.md").read_text(encoding="utf-8")
MOST_SECONDS = 120
MISTAKES = {
    "assert": "assert 1 + 1 == 3",
    "slider": "from lesson import Range, explore\nexplore(lambda a: a / 0, a=Range(0, 1, 1, 0))",
}


def name(path: Path) -> str:
    return path.stem


def run_notebook(path: Path) -> subprocess.CompletedProcess[str]:
    """Runs all cells; the working directory of a notebook is its folder."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    # labgrid's plugin takes every test for a function, which a notebook is not.
    left_out = [f"-pno:{plugin}" for plugin in ("cacheprovider", "xdist", "labgrid")]
    options = [f"--nbmake-timeout={MOST_SECONDS}", *left_out]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--nbmake", *options, str(path)],
        cwd=ROOT,
        env={**os.environ, **threads, "PYTHONPATH": str(ROOT / "docs/lessons")},
        capture_output=True,
        text=True,
        timeout=MOST_SECONDS + 30,
        check=False,
    )


def test_there_are_six() -> None:
    assert [path.name[0] for path in LESSONS] == list("123456")


@pytest.mark.parametrize("source", LESSONS, ids=name)
def test_notebook_is_made_from_the_markdown(source: Path) -> None:
    made = lesson_notebooks.notebook(source.read_text(encoding="utf-8"))
    there = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert there == made, "run scripts/lesson_notebooks.py"


def test_every_notebook_has_its_markdown() -> None:
    notebooks = (ROOT / "docs/lessons").glob("*.ipynb")
    assert {path.stem for path in notebooks} == {path.stem for path in LESSONS}


@pytest.mark.slow
@pytest.mark.parametrize("source", LESSONS, ids=name)
def test_notebook_runs(source: Path) -> None:
    done = run_notebook(source.with_suffix(".ipynb"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b1 passed\b", done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_cell_is_found(tmp_path: Path, mistake: str) -> None:
    path = tmp_path / "mistake.ipynb"
    path.write_text(lesson_notebooks.notebook(f"# Title\n\n```python\n{mistake}\n```\n"))
    done = run_notebook(path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search("AssertionError|ZeroDivisionError", done.stdout)


@pytest.mark.parametrize("source", LESSONS, ids=name)
def test_every_question_has_a_folded_answer(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    questions = re.split(r"^\*\*Question (\d+)\.\*\*", text, flags=re.M)
    numbers, texts = questions[1::2], questions[2::2]
    assert numbers == [str(i) for i in range(1, len(numbers) + 1)]
    assert len(numbers) >= 5
    for question in texts:
        assert question.count("<details><summary>Answer</summary>\n\n") == 1
        assert question.count("\n\n</details>\n") == 1


@pytest.mark.parametrize("source", LESSONS, ids=name)
def test_the_teacher_has_a_section(source: Path) -> None:
    assert f"]({source.name})" in TEACHER
    section = TEACHER.split(f"\n## Lesson {source.name[0]}:")[1].split("\n## ")[0]
    assert "**Plan**" in section and "**Pitfall" in section


class TestExplore:
    RANGES = {"w": lesson.Range(-4, 4, 0.1, 0.5), "n": lesson.Range(0, 9, 1, 3)}  # noqa: RUF012

    def test_without_ipywidgets_it_draws_once_and_shows_the_call(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
        drawn = []

        def draw(w: float, n: float) -> None:
            drawn.append((w, n))

        lesson.explore(draw, **self.RANGES)
        assert drawn == [(0.5, 3)]
        assert "draw(w=0.5, n=3)" in capsys.readouterr().out

    def test_a_slider_that_moves_draws_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("ipywidgets")
        drawn, shown = [], []
        monkeypatch.setattr("IPython.display.display", shown.append)

        def draw(w: float, n: float) -> None:
            drawn.append((w, n))

        lesson.explore(draw, **self.RANGES)
        assert drawn == [(0.5, 3)]
        [box] = shown
        box.children[1].value = 7
        assert drawn == [(0.5, 3), (0.5, 7)]

    def test_a_slider_has_the_range_and_its_kind_of_number(self) -> None:
        widgets: ModuleType = pytest.importorskip("ipywidgets")
        sliders = {key: lesson._slider(widgets, key, r) for key, r in self.RANGES.items()}
        assert isinstance(sliders["w"], widgets.FloatSlider)
        assert isinstance(sliders["n"], widgets.IntSlider)
        for key, r in self.RANGES.items():
            slider = sliders[key]
            assert (slider.min, slider.max, slider.step) == (r.low, r.high, r.step)
            assert (slider.value, slider.description) == (r.first, key)


@pytest.mark.parametrize("press", [lesson.press_reset, lesson.pull_the_cable])
def test_buttons_without_a_board_say_so(press: object) -> None:
    assert callable(press)
    with pytest.raises(RuntimeError, match="`host` is not running"):
        press()
