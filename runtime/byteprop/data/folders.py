"""Folders of files, one per sample: a subfolder per class, as Keras's image_dataset_from_directory
and torchvision's ImageFolder have them, or one folder without labels."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from byteprop.data.splits import SPLIT_WORDS, choice_text
from byteprop.data.words import MAX_CLASSES, shown
from byteprop.errors import DataError

_MOST_ENTRIES = 1_000_000

Item = TypeVar("Item")


@dataclass(frozen=True)
class Tree:
    """files: of each class, in the order of their paths; without classes, of the only one. others:
    how many files were left out."""

    files: tuple[tuple[Path, ...], ...]
    classes: tuple[str, ...] | None
    others: int

    @property
    def notes(self) -> tuple[str, ...]:
        return (f"{self.others} other files left out",) if self.others else ()


def tree_of(source: Path, suffixes: Collection[str], split: str | None = None) -> Tree:
    """The files with these suffixes under a folder, or a single file. Names that begin with a
    full stop do not count. DataError for a folder that can be read in two ways."""
    if not source.is_dir():
        return Tree(((source,),), None, 0)
    folder = _chosen_part(source, split)
    walk = _Walk(folder, suffixes)
    own = walk.directly(folder)
    by_class = {path.name: walk.below(path) for path in subfolders(folder)}
    with_files = {name: files for name, files in by_class.items() if files}
    if own and with_files:
        raise DataError(
            f"{folder}: expected files in subfolders, one per class, or all in one folder, got both"
        )
    if not with_files:
        return Tree((tuple(own),), None, walk.others)
    for name, files in by_class.items():
        if not files:
            raise DataError(f"{folder / shown(name)}: expected files of a class, got none")
    if len(by_class) > MAX_CLASSES:
        raise DataError(f"{folder}: expected at most {MAX_CLASSES} classes, got {len(by_class)}")
    classes = tuple(sorted(by_class))
    return Tree(tuple(tuple(by_class[name]) for name in classes), classes, walk.others)


def first_suffix(folder: Path, suffixes: Collection[str]) -> str | None:
    """That of the first file with one of these suffixes, which shows what a folder has."""
    walk = _Walk(folder, suffixes)
    return next((path.suffix.lower() for path in walk.files(folder)), None)


def parts_of(folder: Path) -> dict[str, Path]:
    """The subfolders train, test and val by these names, if all subfolders have such a name."""
    names = subfolders(folder)
    found = {SPLIT_WORDS[path.name.lower()]: path for path in names if _is_part(path)}
    return found if len(found) == len(names) else {}


def subfolders(folder: Path) -> list[Path]:
    """In sorted order, without hidden ones and links."""
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")
        ]
    return [folder / name for name in sorted(names)]


def in_turn(groups: Sequence[Sequence[Item]]) -> list[tuple[int, Item]]:
    """(number of the group, item): the first of every group, the second of every group, and so on.
    So the first samples are of all classes."""
    places = [(i, number) for number, group in enumerate(groups) for i in range(len(group))]
    return [(number, groups[number][i]) for i, number in sorted(places)]


def _chosen_part(source: Path, split: str | None) -> Path:
    parts = parts_of(source)
    if split is not None:
        if split not in parts:
            raise DataError(f"{source}: expected subfolders of parts, one of them {split!r}")
        return parts[split]
    if len(parts) > 1:
        names = ", ".join(path.name for path in parts.values())
        raise DataError(
            f"{source}: expected one set of samples, got the folders {names}; "
            f"{choice_text(list(parts))} chooses (split= in Python)"
        )
    return next(iter(parts.values()), source)


def _is_part(path: Path) -> bool:
    return path.name.lower() in SPLIT_WORDS


class _Walk:
    """Counts what it sees, so that a folder of a whole disk is refused and not searched."""

    def __init__(self, root: Path, suffixes: Collection[str]) -> None:
        self.root, self.suffixes = root, suffixes
        self.entries = self.others = 0

    def directly(self, folder: Path) -> list[Path]:
        return list(self._here(folder, [path.name for path in folder.iterdir()]))

    def below(self, folder: Path) -> list[Path]:
        return list(self.files(folder))

    def files(self, folder: Path) -> Iterator[Path]:
        """Sorted within each folder; links to folders are not followed."""
        for at, folders, names in os.walk(folder):
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            self.entries += len(folders)
            yield from self._here(Path(at), names)

    def _here(self, folder: Path, names: list[str]) -> Iterator[Path]:
        self.entries += len(names)
        if self.entries > _MOST_ENTRIES:
            raise DataError(f"{self.root}: expected at most {_MOST_ENTRIES} files, got more")
        for name in sorted(names):
            path = folder / name
            if name.startswith(".") or not path.is_file():
                continue
            if path.suffix.lower() in self.suffixes:
                yield path
            else:
                self.others += 1
