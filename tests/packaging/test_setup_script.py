"""scripts/setup: clear words when something is missing, quick and offline when nothing is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# What the script itself calls; everything else can be taken away from it.
TOOLS = (
    "bash env sed tr cut cat tail paste find sort tee xargs cksum mktemp rm id ls dirname".split()
)


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A folder for PATH with the basic tools, but no compiler, no emulator, no apt."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (folder / tool).symlink_to(found)
    return folder


def add_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(0o755)


def setup(
    *arguments: str, path: str | Path, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", str(cwd / "scripts/setup"), *arguments],
        env={"PATH": str(path), "HOME": os.environ.get("HOME", "/"), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_unknown_purpose(bare_path: Path) -> None:
    done = setup("everything", path=bare_path)
    assert done.returncode == 1
    assert "none of demo, docs, lint, release, test" in done.stderr


def test_no_python(bare_path: Path) -> None:
    done = setup("demo", path=bare_path)
    assert done.returncode == 1
    assert "there is no 'python3'" in done.stderr and "PYTHON=" in done.stderr


def test_old_python(bare_path: Path) -> None:
    says = 'case "$1" in --version) echo "Python 3.8.1" ;; *) exit 1 ;; esac'
    add_program(bare_path, "python3", says)
    done = setup("demo", path=bare_path)
    assert done.returncode == 1
    assert "Python 3.8.1; 3.10 or later is needed" in done.stderr


def test_python_without_venv(bare_path: Path) -> None:
    """Debian's python3 alone: the version is right, the modules are not there."""
    says = 'case "$2" in *ensurepip*) exit 1 ;; *%d.%d*) echo 3.11 ;; esac'
    add_program(bare_path, "python3", says)
    done = setup("demo", path=bare_path)
    assert done.returncode == 1
    assert "apt-get install python3.11-venv python3.11-dev" in done.stderr


def stop_before_python(tree: Path) -> None:
    """The list of system packages is what these tests are about."""
    script = tree / "scripts/setup"
    text = script.read_text().replace("\nmake_environment\n", "\nexit 0\n")
    text = text.replace("\ncomplete_python\n", "\n")
    script.write_text(text)


@pytest.fixture
def script_tree(tmp_path: Path) -> Path:
    tree = tmp_path / "tree"
    (tree / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/setup", tree / "scripts/setup")
    stop_before_python(tree)
    return tree


ALL_PACKAGES = (
    "gcc libc6-dev gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm "
    "gcc-riscv64-unknown-elf gcc-avr binutils-avr avr-libc qemu-system-misc g++ clang"
).split()


def test_without_apt_it_says_what_to_install(bare_path: Path, script_tree: Path) -> None:
    add_program(bare_path, "python3", "exit 0")
    done = setup("test", path=bare_path, cwd=script_tree)
    assert done.returncode == 0
    (line,) = (line for line in done.stdout.splitlines() if "to install them" in line)
    assert all(package in line.split() for package in ALL_PACKAGES)
    assert "going on without them" in done.stdout


def test_the_demo_needs_less(bare_path: Path, script_tree: Path) -> None:
    add_program(bare_path, "python3", "exit 0")
    done = setup("demo", path=bare_path, cwd=script_tree)
    assert "gcc-arm-none-eabi" in done.stdout and "gcc-avr" not in done.stdout


def test_apt_gets_what_is_missing(bare_path: Path, script_tree: Path, tmp_path: Path) -> None:
    add_program(bare_path, "python3", "exit 0")
    called = tmp_path / "called"
    add_program(bare_path, "sudo", f'echo "sudo $*" >>{called}')
    add_program(bare_path, "apt-get", f'echo "apt-get $*" >>{called}')
    done = setup("demo", path=bare_path, cwd=script_tree)
    log = called.read_text()
    assert "apt-get update" in log
    assert "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm" in log
    assert log.startswith("apt-get" if os.geteuid() == 0 else "sudo -n apt-get")
    assert "to install them" in done.stdout  # the pretended apt-get installed nothing


def test_failing_apt_is_shown_and_not_fatal(bare_path: Path, script_tree: Path) -> None:
    add_program(bare_path, "python3", "exit 0")
    add_program(bare_path, "sudo", 'shift; "$@"')
    add_program(bare_path, "apt-get", "echo no network here; exit 100")
    done = setup("demo", path=bare_path, cwd=script_tree)
    assert done.returncode == 0
    assert "apt-get failed; it said:\n    no network here" in done.stdout


@pytest.mark.slow
@pytest.mark.download
@pytest.mark.timeout(600)
def test_second_run_is_silent_and_offline(tree: Path, package_index: None, tmp_path: Path) -> None:
    """Then a changed C file is compiled again, still offline."""
    folder = tmp_path / "clone"
    shutil.copytree(tree, folder)
    path = os.environ["PATH"]
    first = setup("demo", path=path, cwd=folder, BYTEPROP_APT="0", **pip_settings())
    assert first.returncode == 0, first.stdout + first.stderr
    offline = {"PIP_NO_INDEX": "1", "BYTEPROP_APT": "0"}
    second = setup("demo", path=path, cwd=folder, **offline)
    assert (second.returncode, second.stderr) == (0, "")
    assert "making" not in second.stdout and "installing byteprop" not in second.stdout
    with (folder / "csrc/status.c").open("a") as source:
        source.write("/* changed */\n")
    third = setup("demo", path=path, cwd=folder, **offline)
    assert third.returncode == 0, third.stdout + third.stderr
    assert "compiling again" in third.stdout
    command = [folder / ".venv/bin/byteprop", "--version"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert told.startswith("byteprop ")


def pip_settings() -> dict[str, str]:
    """Where this computer gets its packages from, when not from the usual place."""
    return {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_", "REQUESTS_"))}
