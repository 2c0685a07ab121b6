"""Builds the documentation as a web site, without the internet; `make docs` calls it.

    python3 scripts/docs_site/build.py [--output FOLDER]    default: build/site

The pages are those of docs, README.md and CHANGELOG.md, and pages made of the code: every verb
with its options, the Python API, the C API, and what messages mean. A dead link or anchor is an
error.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path

import c_api
import messages
import python_api
import verbs
from mkdocs.commands.build import build
from mkdocs.config import load_config
from mkdocs.exceptions import Abort
from navigation import navigation
from staging import ROOT, Staging

HERE = Path(__file__).parent


def stage(folder: Path) -> list[str]:
    """Fills the folder with all pages; returns their paths."""
    staging = Staging(folder)
    for path in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        staging.add(path)
    for document in sorted((ROOT / "docs").rglob("*.md")):
        staging.add(document.relative_to(ROOT).as_posix())
    for generator in (verbs, python_api, c_api, messages):
        for path, text in generator.pages().items():
            staging.write(path, text)
    for asset in ("style.css", "iframe-worker.js"):
        shutil.copyfile(HERE / asset, folder / asset)
    return staging.pages


def build_site(output: Path) -> None:
    """Raises mkdocs.exceptions.Abort after it has reported dead links."""
    with tempfile.TemporaryDirectory() as folder:
        pages = stage(Path(folder))
        config = load_config(
            str(HERE / "mkdocs.yml"),
            docs_dir=folder,
            site_dir=str(output),
            nav=navigation(pages),
        )
        build(config)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=ROOT / "build/site")
    output = parser.parse_args().output.resolve()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        build_site(output)
    except Abort as error:
        print(f"docs: {error}", file=sys.stderr)
        return 1
    print(f"docs: open {output / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
