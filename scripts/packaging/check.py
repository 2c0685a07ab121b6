"""Checks the files of a release: python scripts/packaging/check.py dist

twine for the metadata, auditwheel for the tags of Linux, abi3audit for the stable ABI. Prints a
table of the wheels; any finding ends it with exit code 1.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from targets import TARGETS, Target

DEVICE = "byteprop/_bin/byteprop-device"


def said(*words: str | Path) -> str:
    """Output of a program of this environment that must succeed."""
    program = Path(sys.executable).parent / words[0]
    done = subprocess.run(
        [program, *words[1:]],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: {done.stdout}")
    return done.stdout


def target_of(wheel: Path) -> Target:
    tag = wheel.stem.split("-", 4)[4]
    (found,) = (each for each in TARGETS if each.platform == tag)
    return found


def check_contents(wheel: Path, to: Target) -> None:
    """The extension has the name that its Python looks for, and the device program is there."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    extensions = [n for n in names if n.startswith("byteprop/_kernels.") and not n.endswith("pyi")]
    name = "_kernels.pyd" if to.is_windows else "_kernels.abi3.so"
    if extensions != [f"byteprop/{name}"]:
        sys.exit(f"{wheel.name}: expected {name}, found {extensions}")
    if (DEVICE in names) is to.is_windows:
        sys.exit(f"{wheel.name}: {DEVICE} is {'there' if to.is_windows else 'missing'}")


def check_policy(wheel: Path, to: Target) -> None:
    """auditwheel finds the tag justified. Libraries of this computer are not looked at."""
    with tempfile.TemporaryDirectory() as nothing:
        answer = " ".join(said("auditwheel", "show", "--ldpaths", nothing, wheel).split())
    found = re.search(r'consistent with the following platform tag: "(\w+)"', answer)
    if found is None or found[1] != to.platform:
        sys.exit(f"{wheel.name}: {answer}")


def check_wheel(wheel: Path) -> Target:
    to = target_of(wheel)
    check_contents(wheel, to)
    if to.is_audited:
        check_policy(wheel, to)
    said("abi3audit", "--strict", wheel)
    return to


def main(folder: Path) -> None:
    files = sorted([*folder.glob("*.whl"), *folder.glob("*.tar.gz")])
    if not files:
        sys.exit(f"{folder}: there is nothing to check")
    said("twine", "check", "--strict", *files)
    print("| wheel | bytes | auditwheel | abi3audit | proof |\n|---|---|---|---|---|")
    for wheel in sorted(folder.glob("*.whl")):
        to = check_wheel(wheel)
        policy = "agrees" if to.is_audited else "does not apply"
        print(f"| `{to.platform}` | {wheel.stat().st_size:,} | {policy} | agrees | {to.proof} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
