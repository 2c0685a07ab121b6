"""Puts the pages of the repository into one folder, with their paths, for mkdocs.

Links stay as they are, except that mkdocs knows pages only: a link to a folder becomes one to its
README.md, or to a list of its files; a link to a source file becomes one to a page that shows it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"(^```.*?^```)", re.M | re.S)
LINK = re.compile(r"(\]\()([^)#\s]+)((?:#[^)\s]*)?\))")
# Files that pages show, by their language; others are copied as they are.
LANGUAGES = {
    ".py": "python", ".c": "c", ".h": "c", ".S": "text", ".toml": "toml", ".sh": "bash",
    ".csv": "text", ".ld": "text", "": "text", ".fashion-mnist": "text",
}  # fmt: skip


class Staging:
    """The folder that mkdocs reads. `pages` are paths in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pages: list[str] = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def add(self, path: str) -> None:
        """Adds a page of the repository, and whatever it links to."""
        if path not in self.pages:
            self.pages.append(path)
            self.write(path, (ROOT / path).read_text(encoding="utf-8"))

    def write(self, path: str, text: str) -> None:
        """Adds a page with the given text; its links count from `path`."""
        if path not in self.pages:
            self.pages.append(path)
        parts = FENCE.split(text)
        here = (ROOT / path).parent
        parts[::2] = [LINK.sub(lambda m: self._link(here, m), part) for part in parts[::2]]
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # A word after the language of a block is for the tests of the examples.
        shown = re.sub(r"^```(\w+) .*$", r"```\1", "".join(parts), flags=re.M)
        shown = shown.replace("<details>", '<details markdown="1">')  # for Markdown inside
        target.write_text(shown, encoding="utf-8")

    def _link(self, here: Path, match: re.Match[str]) -> str:
        """The same link, to a page; what it leads to is added."""
        before, link, after = match.groups()
        target = (here / link).resolve()
        if "://" in link or not target.is_relative_to(ROOT) or not target.exists():
            return match[0]  # mkdocs reports what is missing
        if target.is_dir():
            return f"{before}{link.rstrip('/')}/{self._folder(target)}{after}"
        if target.suffix == ".md":
            self.add(target.relative_to(ROOT).as_posix())
            return match[0]
        return f"{before}{link}{self._file(target)}{after}"

    def _folder(self, target: Path) -> str:
        path = (target / "README.md").relative_to(ROOT).as_posix()
        if (target / "README.md").exists():
            self.add(path)
        elif path not in self.pages:
            self.pages.append(path)
            files = sorted(p for p in target.iterdir() if p.is_file() and p.suffix in LANGUAGES)
            rows = "\n".join(f"- [{file.name}]({file.name})" for file in files)
            self.write(path, f"# {target.relative_to(ROOT)}\n\n{rows}\n")
        return "README.md"

    def _file(self, target: Path) -> str:
        """Adds a file; returns what its link ends with in addition."""
        path = target.relative_to(ROOT).as_posix()
        copy = self.folder / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix not in LANGUAGES:
            shutil.copyfile(target, copy)
            return ""
        text = target.read_text(encoding="utf-8")
        head = f"---\nsearch:\n  exclude: true\n---\n\n# {target.name}\n\n"
        page = f"{head}````{LANGUAGES[target.suffix]}\n{text}\n````\n"
        copy.with_name(f"{target.name}.md").write_text(page, encoding="utf-8")
        return ".md"
