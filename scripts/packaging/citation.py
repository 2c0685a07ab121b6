"""Writes CITATION.cff from pyproject.toml: python scripts/packaging/citation.py"""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]


def citation() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)
    project, address = settings["project"], settings["tool"]["byteprop"]["repository"]
    return f"""\
# Written by scripts/packaging/citation.py from pyproject.toml.
cff-version: 1.2.0
message: If you use byteprop in your work, please cite it as below.
type: software
title: "byteprop: {project["description"]}"
version: {project["version"]}
license: Apache-2.0
repository-code: {address}
authors:
  - name: The byteprop developers
"""


if __name__ == "__main__":
    (ROOT / "CITATION.cff").write_text(citation(), encoding="utf-8")
