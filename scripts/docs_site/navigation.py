"""The navigation of the site, per kind of user. Pages that it does not name go where they belong
by their folder, so that a new page of docs is never lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Section: pages, or subsections. Titles are those of the pages, except where one is given.
NAVIGATION: dict[str, list[str]] = {
    "Start": ["README.md"],
    "First steps": [
        "docs/start-embedded.md",
        "docs/start-teacher.md",
        "docs/raspberry-pi.md",
        "docs/start-product.md",
    ],
    "Learn": [
        "docs/lessons.md",
        "docs/training.md",
        "docs/anomaly.md",
        "docs/audio.md",
        "docs/federated.md",
        "docs/glossary.md",
    ],
    "How to": [
        "docs/python.md",
        "docs/quantization.md",
        "docs/data.md",
        "docs/add-a-class.md",
        "docs/testing.md",
        "docs/ci.md",
        "docs/rig.md",
        "docs/watch.md",
        "docs/mlperf-tiny.md",
        "docs/c-library.md",
        "examples/link_library/README.md",
        "examples/wake_word/README.md",
        "docs/porting.md",
        "docs/adding-an-op.md",
    ],
    "Boards": ["docs/boards.md"],
    "Help": ["docs/faq.md", "reference/messages.md"],
    "Reference": [
        "docs/README.md",
        "docs/ops.md",
        "reference/python.md",
        "reference/c.md",
        "docs/format.md",
        "docs/protocol.md",
        "docs/numerics.md",
        "docs/design.md",
    ],
    "Figures": ["docs/benchmarks.md", "docs/comparison.md"],
    "Project": ["CHANGELOG.md", "CONTRIBUTING.md", "docs/release.md", "SECURITY.md"],
}
# Folders whose pages join a section.
FOLDERS = {
    "docs/lessons/": "Learn",
    "docs/boards/": "Boards",
    "reference/verbs/": "Commands",
    "docs/": "How to",
    "examples/": "Learn",
}
AFTER = {"Commands": "Help"}


def navigation(pages: Sequence[str]) -> list[dict[str, Any]]:
    """Returns mkdocs' nav of all pages in a folder of FOLDERS, and of those named above."""
    sections = {name: [page for page in named if page in pages] for name, named in _named().items()}
    known = {page for named in sections.values() for page in named}
    for page in sorted(set(pages) - known):
        section = next((FOLDERS[folder] for folder in FOLDERS if page.startswith(folder)), None)
        if section is not None:
            sections[section].append(page)
    return [{name: found} for name, found in sections.items() if found]


def _named() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for name, pages in NAVIGATION.items():
        for earlier, later in AFTER.items():
            if later == name:
                sections[earlier] = []
        sections[name] = list(pages)
    return sections
