"""docs/design.md lists the parts of both packages in the order that tests/test_architecture.py
enforces, and the folders of csrc."""

from __future__ import annotations

import ast
import re

import pytest

from docs_examples import ROOT

DESIGN = (ROOT / "docs/design.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "tests/test_architecture.py").read_text(encoding="utf-8")
FACES = {"__init__", "__main__"}


def layers(name: str) -> list[str]:
    (text,) = re.findall(rf"^{name} = \((.*?)\)\.split\(\)", ARCHITECTURE, re.M | re.S)
    value = ast.literal_eval(f"({text})")
    assert isinstance(value, str)
    return [part for part in value.split() if part not in FACES]


@pytest.mark.parametrize(
    ("package", "name"), [("byteprop", "RUNTIME_LAYERS"), ("byteprop_host", "HOST_LAYERS")]
)
def test_parts_are_listed_in_the_order_of_their_imports(package: str, name: str) -> None:
    section = DESIGN.split(f"### Python: {package}\n")[1].split("\n#")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", section, re.M)
    assert re.findall(r"`(\w+)`", " ".join(cells)) == layers(name)


def test_folders_of_csrc_are_listed() -> None:
    block = DESIGN.split("### C: csrc and boards\n")[1].split("```")[1]
    listed = re.findall(r"^  (\w+)/ ", block, re.M)
    assert sorted(listed) == sorted(p.name for p in (ROOT / "csrc").iterdir() if p.is_dir())
