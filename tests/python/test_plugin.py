"""The pytest plugin, from the outside: the example of docs/testing.md and its options."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "tests" / "data" / "models" / "digits_mlp.tflite"


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    """An empty project with a model in it."""
    shutil.copyfile(DIGITS, pytester.path / "model.tflite")
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """In a process of its own, as a user runs it: the plugin is found by its entry point."""
    return project.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=120)


def documented_example() -> str:
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    found = re.search(r"```python file=test_board\.py\n(.*?)```", text, re.S)
    assert found is not None
    return found.group(1)


def test_documented_example_passes(project: pytest.Pytester) -> None:
    examples = project.mkdir("examples") / "fashion_mnist"
    examples.mkdir()
    shutil.copy(ROOT / "examples" / "fashion_mnist" / "fashion_mlp.tflite", examples)
    example = documented_example()
    project.makepyfile(test_board=example)
    result = run(project)
    result.assert_outcomes(passed=example.count("def test_"))
    result.stdout.fnmatch_lines(["*byteprop board: host*"])


def test_options_are_documented_by_help(project: pytest.Pytester) -> None:
    result = run(project, "--help")
    text = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
    for option in ("--byteprop-board", "--byteprop-port", "--byteprop-timeout"):
        result.stdout.fnmatch_lines([f"*{option}=*"])
        assert f"`{option}`" in text


def test_difference_fails_the_users_test(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import numpy as np

        def test_outputs(byteprop_device):
            x = np.zeros((2, 64), np.int8)
            y = byteprop_device.load("model.tflite").run(x)
            y[1, 4] ^= 1
            np.savez("data.npz", x=x, y=y)
            verdict = byteprop_device.verify("model.tflite", "data.npz")
            assert verdict.identical, verdict.text()
        """
    )
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*DIFFERENT: 2 of 2 samples*", "*sample 1, output * at [[]0, 4[]]: board *"]
    )


def test_board_holds_one_model_at_a_time(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import numpy as np
        import byteprop

        def test_models(byteprop_device, tmp_path):
            first = byteprop_device.load("model.tflite")
            assert byteprop_device.load("model.tflite") is first
            x = np.arange(128, dtype=np.int8).reshape(2, 64)
            expected = byteprop.load("model.tflite").run(x)
            assert np.array_equal(first.run(x), expected)
            assert len(first.ticks) == 2
            byteprop.load("model.tflite").save(tmp_path / "model.bpm")
            assert byteprop_device.load(tmp_path / "model.bpm") is first
            real = x.astype(np.float32) * 0.01
            again = byteprop_device.load("model.tflite")
            assert np.array_equal(
                again.predict(real), byteprop.load("model.tflite").predict(real)
            )
        """
    )
    run(project).assert_outcomes(passed=1)


def test_unknown_board_is_an_error_of_one_line_that_names_the_known(
    project: pytest.Pytester,
) -> None:
    project.makepyfile("def test_it(byteprop_device): pass")
    result = run(project, "--byteprop-board=no-such-board")
    result.assert_outcomes(errors=1)
    (line,) = [line for line in result.outlines if line.startswith("--byteprop-board: ")]
    assert "'no-such-board' is not known; known boards: " in line and "microbit" in line
    assert not any(line.startswith("E ") for line in result.outlines)


def test_errors_of_boards_are_one_line(project: pytest.Pytester) -> None:
    code = "from byteprop_host.errors import PortError\ndef test_it():\n    raise PortError('gone')"
    project.makepyfile(code)
    lines = run(project).outlines
    assert any(line.endswith(".py:3: PortError: gone") for line in lines)
    assert not any(line.startswith("E ") for line in lines)
    assert any(line.startswith("E ") for line in run(project, "--tb=long").outlines)


def test_suite_without_boards_starts_none(project: pytest.Pytester) -> None:
    """An unknown board does not matter to tests that do not ask for one."""
    project.makepyfile("def test_it(): assert 1 + 1 == 2")
    run(project, "--byteprop-board=no-such-board").assert_outcomes(passed=1)
