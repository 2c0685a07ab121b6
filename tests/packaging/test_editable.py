"""An editable install serves every folder: also the one in which the clone is, as `byteprop/`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from package_tree import copy_of_the_tree, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SCRIPT = """
import byteprop, byteprop_host.boards.board, pathlib
print(pathlib.Path(byteprop.__file__).parent)
print(byteprop.load(pathlib.Path("byteprop/tests/data/models/digits_mlp.tflite")).macs)
print(byteprop_host.boards.board.load_board("host").folder)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with an editable install of ~/byteprop; it borrows what byteprop needs."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    pytest.importorskip("setuptools")
    home = tmp_path_factory.mktemp("home")
    clone = copy_of_the_tree(home / "byteprop")
    run(sys.executable, "-m", "venv", home / "env", cwd=home)
    python = home / "env/bin/python"
    borrow_packages(python)
    run(
        python, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
        "--no-build-isolation", "--editable", clone, cwd=home,
    )  # fmt: skip
    return python


def borrow_packages(python: Path) -> None:
    """Makes the packages of this environment importable, but for byteprop: path entries of a .pth
    file do not run the .pth files that they have."""
    theirs = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=python.parent
    )
    ours = {Path(p) for p in sys.path if Path(p).name == "site-packages"}
    Path(theirs.strip(), "zz_borrowed.pth").write_text("".join(f"{p}\n" for p in ours))


def test_a_script_next_to_the_clone_imports_it(python: Path) -> None:
    home = python.parents[2]
    (home / "my.py").write_text(SCRIPT, encoding="utf-8")
    clone = home / "byteprop"
    expected = f"{clone}/runtime/byteprop\n2368\n{clone}/boards/host\n"
    assert run(python, home / "my.py", cwd=home) == expected
    assert run(python, "-c", SCRIPT, cwd=home) == expected


def test_the_command_runs_next_to_the_clone(python: Path) -> None:
    home = python.parents[2]
    command = python.with_name("byteprop")
    shown = run(
        command, "verify", "byteprop/tests/data/models/digits_mlp.tflite", "-n", "2", cwd=home
    )
    assert shown.startswith("identical: 2 of 2 samples")
    assert run(python, "-m", "byteprop_host", "--version", cwd=home).startswith("byteprop ")


def test_a_new_module_is_found_at_once(python: Path) -> None:
    home = python.parents[2]
    (home / "byteprop/runtime/byteprop/new_module.py").write_text("VALUE = 7\n", encoding="utf-8")
    assert run(python, "-c", "import byteprop.new_module as m; print(m.VALUE)", cwd=home) == "7\n"
