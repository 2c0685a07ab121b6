"""Links to a heading of a document lead to a heading that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs_examples import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
DOCUMENTS += sorted((ROOT / "docs/lessons").glob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(text: str) -> set[str]:
    """As GitHub makes them of headings: lower case, no punctuation, dashes for blanks."""
    headings = re.findall(r"^#+ +(.+?)\s*$", without_blocks(text), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def missing(document: Path) -> list[str]:
    text = without_blocks(document.read_text(encoding="utf-8"))
    return [
        f"{target}#{anchor}"
        for target, anchor in LINK.findall(text)
        if "://" not in target
        and anchor not in anchors((document.parent / target if target else document).read_text())
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_anchors_are_there(document: Path) -> None:
    assert missing(document) == []


def test_a_missing_anchor_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Two words, really\n```\n# no heading\n```\n[a](#two-words-really) [b](#no-heading)\n"
    )
    assert missing(page) == ["#no-heading"]
