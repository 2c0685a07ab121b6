"""What a release consists of: versions and addresses that agree, checks of its wheels, workflows
that call scripts which exist, and builds from sources with little."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from package_tree import ROOT, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCRIPTS = ROOT / "scripts/packaging"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = SETTINGS["project"]["version"]
REPOSITORY = SETTINGS["tool"]["byteprop"]["repository"]


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(SCRIPTS)
    return runpy.run_path(str(SCRIPTS / name))


def test_the_version_and_the_address_are_those_of_pyproject(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert text == script("citation.py", monkeypatch)["citation"]()
    assert f"\nversion: {VERSION}\n" in text and f": {REPOSITORY}\n" in text
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## ([0-9.]+)", changes, re.MULTILINE)
    assert headings[0] == VERSION


def test_sdist_has_the_version_and_the_address(sdist: Path) -> None:
    assert sdist.name == f"byteprop-{VERSION}.tar.gz"
    with tarfile.open(sdist) as archive:
        file = archive.extractfile(f"byteprop-{VERSION}/PKG-INFO")
        assert file is not None
        metadata = file.read().decode()
    assert f"\nProject-URL: Homepage, {REPOSITORY}\n" in metadata
    assert metadata.count(f", {REPOSITORY}/") == 3


def test_targets_differ_and_promise_only_what_was_run(monkeypatch: pytest.MonkeyPatch) -> None:
    module = script("targets.py", monkeypatch)
    targets = module["TARGETS"]
    assert len({each.name for each in targets}) == len({each.platform for each in targets})
    run_here = {each.name for each in targets if each.proof != module["NEVER_RUN"]}
    assert run_here == {"linux-x86_64", "linux-aarch64", "linux-armv7l"}
    page = (ROOT / "docs/release.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", page, re.MULTILINE)
    assert dict(rows) == {each.platform: each.proof for each in targets}


WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def test_workflows_call_what_exists() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert {path.stem for path in WORKFLOWS} == {"tests", "docs", "release"}
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for path in WORKFLOWS:
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Not run yet")
        jobs = yaml.safe_load(text)["jobs"]
        commands = [step.get("run", "") for job in jobs.values() for step in job["steps"]]
        words = [word for command in commands for word in command.split()]
        for word in words:
            assert not word.startswith("scripts/") or (ROOT / word).is_file(), word
        for job in re.findall(r"make (\w+)", "\n".join(commands)):
            assert f"\n{job}:" in makefile
        assert any(word.startswith("scripts/") or word == "make" for word in words)


# --- wheels for other computers ------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("target", ["linux-aarch64", "linux-armv7l"])
def test_wheels_pass_the_checks_of_a_release(
    target: str, cross_wheel: Callable[[str], Path]
) -> None:
    """The wheels that test_pi.py runs."""
    for tool in ("ziglang", "auditwheel", "abi3audit", "twine"):
        pytest.importorskip(tool, reason=f"{tool} is not installed (the extra `release`)")
    wheel = cross_wheel(target)
    table = run(sys.executable, SCRIPTS / "check.py", wheel.parent, cwd=wheel.parent)
    (row,) = (line for line in table.splitlines() if "2_17" in line)
    assert row.startswith(f"| `manylinux_2_17_{target.removeprefix('linux-')}` |")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_checks_refuse_a_tag_that_is_too_old(wheel: Path, tmp_path: Path) -> None:
    """This computer's own wheel, which needs a newer C library or may not be tagged so."""
    pytest.importorskip("auditwheel", reason="auditwheel is not installed (the extra `release`)")
    copy = tmp_path / re.sub(r"linux_\w+", "manylinux_2_17_armv7l", wheel.name)
    shutil.copy(wheel, copy)
    done = subprocess.run(
        [sys.executable, SCRIPTS / "check.py", tmp_path],
        capture_output=True,
        text=True,
        timeout=100.0,
        check=False,
    )
    assert done.returncode == 1
    assert copy.name in done.stderr or "Error" in done.stderr


# --- from sources, with little on PATH ---------------------------------------------------------

BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture
def source(sdist: Path, tmp_path: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source")
    (folder,) = (tmp_path / "source").iterdir()
    return folder


def build_with(source: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BUILD, source.parent],
        cwd=source,
        env={"PATH": str(programs), "HOME": str(source.parent), "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=800.0,
        check=False,
    )


def test_without_a_compiler_it_says_what_to_install(source: Path, tmp_path: Path) -> None:
    done = build_with(source, tmp_path / "empty")
    assert done.returncode != 0
    assert "There is no C compiler" in done.stderr
    assert "apt-get install gcc libc6-dev python3-dev" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def itself(tool: str) -> str | None:
    """The file of a tool on PATH; ccache under the tool's name is not it."""
    found = [shutil.which(tool, path=folder) for folder in os.environ["PATH"].split(os.pathsep)]
    files = [os.path.realpath(path) for path in found if path]
    return next((path for path in files if Path(path).name != "ccache"), None)


def test_gcc_alone_builds_the_sources(source: Path, tmp_path: Path) -> None:
    """No make, no cc, no shell; gcc finds its assembler and linker on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in ("gcc", "as", "ld"):
        found = itself(tool)
        if found is None:
            pytest.skip(f"{tool} is not installed")
        (programs / tool).symlink_to(found)
    done = build_with(source, programs)
    assert done.returncode == 0, done.stderr[-3000:]
    assert list(source.parent.glob("byteprop-*-abi3-*.whl"))
