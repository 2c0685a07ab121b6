"""Tables in text (.csv) as spreadsheets, pandas and people write them.

Columns are separated by commas, semicolons, tabs or single spaces. Whether line 1 holds titles is
judged by the columns below it; where that leaves a doubt, the user decides. Memory follows the
numbers, not the objects that Python makes of text: rows are turned into arrays block by block.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, Any, NoReturn

import numpy as np
import numpy.typing as npt

from byteprop.data.words import MAX_CLASSES, Numbering, shown
from byteprop.errors import DataError

Array = npt.NDArray[Any]
Row = tuple[int, list[str]]  # its last line in the file, its cells

LABEL_TITLES = ("label", "labels", "y", "class", "classes", "target", "targets")
MISSING = frozenset({"", "?", "-", "na", "n/a", "nan", "null", "none", "#n/a"})
MAX_ROW = 300_000  # characters

_SEPARATORS = ";\t, "
_SNIFFED_LINES = 10
_SNIFFED_CHARACTERS = 1 << 16
_WINDOW_ROWS = 1000
_WINDOW_CELLS = 1 << 15
_BLOCK_CELLS = 1 << 16
_SURE_TITLES = 16  # so many of 0, 1, 2, ... in a row are no sample
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?", re.ASCII)
_PLAIN = re.compile(r"[-+.0-9eE \t]*", re.ASCII)
_NOT_UTF8 = re.compile("[\udc80-\udcff]")
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_EXACT = 2.0**53


@dataclass(frozen=True)
class Table:
    """x: float32, or integers where all are written as such, [n, columns]. y: int64 or float32 [n].
    classes: names of the class numbers in y, where they are words. notes: what was decided."""

    x: Array
    y: Array | None
    classes: tuple[str, ...] | None
    notes: tuple[str, ...]


def read_csv(
    path: Path, *, limit: int | None, header: bool | None, only_labels: bool = False
) -> Table:
    """The first `limit` rows. header: whether line 1 holds titles; None: judged. only_labels: the
    file is for labels, so that its only column is that of the labels. DataError names the line and
    the column of what cannot be read."""
    separator = _separator(path)
    with _opened(path) as file:
        try:
            return _Reader(path, separator, limit, header, only_labels).read(file)
        except csv.Error as error:
            raise DataError(f"{path}: expected a table in text, got {error}") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{path}: is damaged: {error}") from None


class _Lines:
    """Lines for csv.reader, with a limit for the length of a row."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self._path, self._file = path, file
        self.number = self.row_length = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._file.readline(MAX_ROW - self.row_length + 1)
        if not line:
            raise StopIteration
        self.number += 1
        self.row_length += len(line)
        if self.row_length > MAX_ROW:
            raise DataError(
                f"{self._path}, line {self.number}: expected at most {MAX_ROW} characters in a "
                "row, got more; .npy and .npz hold long samples"
            )
        if not line.isascii() and (bad := _NOT_UTF8.search(line)):
            raise DataError(
                f"{self._path}, line {self.number}, character {bad.start() + 1}: expected text in "
                f"UTF-8, got the byte 0x{ord(bad[0]) - 0xDC00:02x}; save it as UTF-8"
            )
        return line


def _opened(path: Path) -> IO[str]:
    """Text, which a file whose name ends in .gz holds compressed. It is read line by line, so that
    memory follows the numbers and not what the file unpacks to."""
    if path.suffix.lower() == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8-sig", errors="surrogateescape")
    return path.open(newline="", encoding="utf-8-sig", errors="surrogateescape")


def _separator(path: Path) -> str:
    """The first separator that cuts the first lines into equally many columns, two or more."""
    with _opened(path) as file:
        lines: list[str] = []
        size = 0
        while len(lines) < _SNIFFED_LINES and size < _SNIFFED_CHARACTERS:
            line = file.readline(_SNIFFED_CHARACTERS)
            if not line:
                break
            lines.append(line)
            size += len(line)
    if lines and lines[0].startswith(("\udcff\udcfe", "\udcfe\udcff")):
        raise DataError(f"{path}: expected text in UTF-8, got UTF-16; save it as UTF-8")
    if size < _SNIFFED_CHARACTERS:
        for separator in _SEPARATORS:
            try:
                rows = [row for row in csv.reader(lines, delimiter=separator) if row]
            except csv.Error:
                continue
            # Spaces separate only where they are single.
            are_cells = separator != " " or all(all(row) for row in rows)
            if are_cells and len({len(row) for row in rows}) == 1 and len(rows[0]) > 1:
                return separator
    # Rows of different lengths, which will be named, or one column.
    in_lines = {sep: sum(sep in line for line in lines) for sep in _SEPARATORS[:-1]}
    likely = max(in_lines, key=lambda sep: in_lines[sep])
    return likely if 2 * in_lines[likely] > len(lines) else ","


@dataclass
class _Reader:
    """Reads one table. decimal: the decimal sign seen so far. trailing: a separator ends each row,
    as loggers write them."""

    path: Path
    separator: str
    limit: int | None
    header: bool | None
    only_labels: bool
    decimal: str = ""
    trailing: bool = False
    titles: list[str] = field(default_factory=list)

    def read(self, file: IO[str]) -> Table:
        rows = self._rows(file)
        window = _take(rows)
        if not window:
            raise DataError(f"{self.path}: the file is empty")
        if len(window[0][1]) > 1 and all(cells[-1] == "" for _, cells in window):
            self.trailing = True
            for _, cells in window:
                cells.pop()
        width = len(window[0][1])
        notes = []
        if self._has_titles(window):
            line, self.titles = window.pop(0)
            if _are_numbers(self.titles):
                notes.append(f"line {line} holds titles")
        label_at = self._label_column(window, width)
        if label_at is not None and width > 1 and not self._is_named(label_at):
            notes.append(f"labels are in column {label_at + 1}")
        x, labels = _Numbers(self, label_at), _Labels(self, label_at)
        n = 0
        for line, cells in chain(window, rows):
            if self.limit is None or n < self.limit:
                if label_at is not None:
                    labels.add(line, cells.pop(label_at))
                x.add(line, cells)
                n += 1
            elif labels.are_words and label_at is not None:
                # The numbers of classes do not depend on how many samples are taken.
                labels.note(line, cells[label_at])
            else:
                break
        table = x.table(n, width - (label_at is not None))
        return Table(table, *labels.result(), tuple(notes))

    def _rows(self, file: IO[str]) -> Iterator[Row]:
        """All with equally many cells. Empty lines are left out."""
        lines = _Lines(self.path, file)
        width, blank = 0, 0
        for cells in csv.reader(lines, delimiter=self.separator):
            lines.row_length = 0
            if not cells or (len(cells) == 1 and not cells[0].strip()):
                blank = blank or lines.number
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise DataError(
                    f"{self.path}, line {lines.number}: expected {width} columns as in the first "
                    f"line, got {len(cells)}"
                )
            if self.trailing and cells.pop():
                raise DataError(
                    f"{self.path}, line {lines.number}: expected a separator at its end as in the "
                    "lines above"
                )
            if width == 1 and blank:
                raise self.missing(blank, 0, "")
            yield lines.number, cells

    # --- titles and labels ---

    def _has_titles(self, window: Sequence[Row]) -> bool:
        if self.header is not None:
            return self.header
        (_, first), below = window[0], window[1:]
        kinds = [self.kind(cell) for cell in first]
        words = [i for i, kind in enumerate(kinds) if kind == "word"]
        numbers = [first[i] for i, kind in enumerate(kinds) if kind == "number"]
        if not words:
            if "missing" in kinds or not self._like_titles(first, below):
                return False
            if self._surely_titles(first, below):
                return True
            self._doubt(window[0], 0)
        over_numbers = [i for i in words if self._column_kind(below, i) == "number"]
        if over_numbers:
            if all(_like_title(number) for number in numbers):
                return True
            self._doubt(window[0], over_numbers[0])
        if numbers:
            if not below or self._like_titles(numbers, below):
                self._doubt(window[0], words[0])
            return False
        if not below or any(_is_label_title(cell) for cell in first):
            return True
        if any(first[i] in (cells[i] for _, cells in below) for i in words):
            return False
        self._doubt(window[0], words[0])

    def _doubt(self, first: Row, column: int) -> NoReturn:
        raise DataError(
            f"{self.where(first[0], column)}: {shown(first[1][column])!r} may be a title or a "
            "value; --header yes or --header no decides (header=True or False in Python)"
        )

    def _like_titles(self, numbers: Sequence[str], below: Sequence[Row]) -> bool:
        """Whether bare numbers may be titles: 0, 1, 2 ... (as pandas writes), or different integers
        where all numbers below have decimals."""
        if not all(_like_title(n) for n in numbers) or len(set(numbers)) < len(numbers):
            return False
        return (_are_counted(numbers) and len(numbers) > 2) or self._all_have_decimals(below)

    def _surely_titles(self, numbers: Sequence[str], below: Sequence[Row]) -> bool:
        if not _are_counted(numbers):
            return False
        return len(numbers) >= _SURE_TITLES or (len(numbers) > 1 and self._all_have_decimals(below))

    def _all_have_decimals(self, below: Sequence[Row]) -> bool:
        signs = "." if self.separator == "," else ".,"
        return len(below) > 1 and all(
            any(sign in cell for sign in signs)
            for _, cells in below
            for cell in cells
            if self.kind(cell) == "number"
        )

    def _is_named(self, column: int) -> bool:
        return bool(self.titles) and _is_label_title(self.titles[column])

    def _label_column(self, rows: Sequence[Row], width: int) -> int | None:
        named = [i for i, title in enumerate(self.titles) if _is_label_title(title)]
        if len(named) > 1:
            both = " and ".join(f"{i + 1} ({shown(self.titles[i])})" for i in named[:2])
            raise DataError(
                f"{self.path}, line 1: expected one column of labels, got columns {both}; "
                "rename one"
            )
        if named:
            return named[0]
        if width == 1:
            return 0 if self.only_labels else None
        words = [i for i in range(width) if self._column_kind(rows, i) == "word"]
        return words[0] if len(words) == 1 else None

    def kind(self, cell: str) -> str:
        text = cell.strip()
        if text.lower() in MISSING:
            return "missing"
        decimal_comma = self.separator != "," and _DECIMAL_COMMA.fullmatch(text)
        return "number" if _NUMBER.fullmatch(text) or decimal_comma else "word"

    def _column_kind(self, rows: Sequence[Row], column: int) -> str:
        """What most of its cells are."""
        kinds = Counter(self.kind(cells[column]) for _, cells in rows)
        kinds.pop("missing", None)
        return kinds.most_common(1)[0][0] if kinds else "missing"

    # --- cells ---

    def number(self, line: int, column: int, cell: str) -> str:
        """A cell that float() takes."""
        text = cell.strip()
        where = self.where(line, column)
        if text.lower() in MISSING:
            raise self.missing(line, column, text)
        if _NUMBER.fullmatch(text):
            self._check_decimal("." if "." in text else "", where)
            return text
        if self.separator != "," and _DECIMAL_COMMA.fullmatch(text):
            self._check_decimal(",", where)
            return text.replace(",", ".")
        hint = ""
        if "," in text and re.fullmatch(r"[-+\d.,]+", text):
            hint = (
                "; a comma is read as the decimal sign where ; or a tab stands between columns, "
                "and as nothing else"
            )
        raise DataError(f"{where}: expected a finite number, got {shown(text)!r}{hint}")

    def _check_decimal(self, sign: str, where: str) -> None:
        if sign and self.decimal and sign != self.decimal:
            raise DataError(f"{where}: expected {self.decimal!r} as the decimal sign, got {sign!r}")
        self.decimal = self.decimal or sign

    def where(self, line: int, column: int) -> str:
        title = f" ({shown(self.titles[column])})" if self.titles else ""
        return f"{self.path}, line {line}, column {column + 1}{title}"

    def missing(self, line: int, column: int, text: str, expected: str = "number") -> DataError:
        in_doubt = line == 1 and self.header is None
        hint = " (if line 1 holds titles: --header yes)" if in_doubt else ""
        return DataError(
            f"{self.where(line, column)}: expected a {expected}, got a missing value ({text!r}); "
            f"fill it in or leave the line out{hint}"
        )


class _Numbers:
    """Collects rows of numbers, in the smallest types that have them. skipped: the column of the
    file that is not among the cells; only: the one that alone is."""

    def __init__(
        self, reader: _Reader, skipped: int | None = None, *, only: int | None = None
    ) -> None:
        self._reader, self._skipped, self._only = reader, skipped, only
        self._cells = array("d")
        self._lines: list[int] = []
        self._blocks: list[Array] = []
        self._integers = True

    def add(self, line: int, cells: Sequence[str]) -> None:
        text = " ".join(cells)
        if not _PLAIN.fullmatch(text) or ("." in text and self._reader.decimal != "."):
            cells = self._checked(line, cells)
            text = " ".join(cells)
        try:
            self._cells.extend(map(float, cells))
        except ValueError:
            self._checked(line, cells)
            raise
        if self._integers and any(sign in text for sign in ".eE"):
            self._integers = False
        self._lines.append(line)
        if len(self._cells) >= _BLOCK_CELLS:
            self._flush(len(cells))

    def table(self, n: int, width: int) -> Array:
        """All rows."""
        self._flush(width)
        table = np.empty((n, width), self._dtype())
        at = 0
        for block in self._blocks:
            table[at : at + len(block)] = block
            at += len(block)
        return table

    def _dtype(self) -> np.dtype[Any]:
        if not (self._integers and self._blocks):
            return np.dtype(np.float32)
        common = np.result_type(*self._blocks)
        return np.dtype(np.int64) if common.kind == "f" else common

    def _checked(self, line: int, cells: Sequence[str]) -> list[str]:
        return [self._reader.number(line, self._column(i), c) for i, c in enumerate(cells)]

    def _column(self, i: int) -> int:
        if self._only is not None:
            return self._only
        return i + (self._skipped is not None and i >= self._skipped)

    def _flush(self, width: int) -> None:
        if not self._lines or not width:
            return
        block = np.array(self._cells, np.float64).reshape(len(self._lines), width)
        self._check_range(block)
        self._integers = self._integers and float(np.abs(block).max()) <= _EXACT
        self._blocks.append(_smallest(block) if self._integers else block.astype(np.float32))
        self._cells, self._lines = array("d"), []

    def _check_range(self, block: npt.NDArray[np.float64]) -> None:
        outside = np.abs(block) > _FLOAT32_MAX
        if outside.any():
            row, i = (int(v) for v in np.argwhere(outside)[0])
            raise DataError(
                f"{self._reader.where(self._lines[row], self._column(i))}: expected a number of at "
                f"most {_FLOAT32_MAX:.3g}, got {block[row, i]:g}"
            )


class _Labels:
    """Collects the column of labels: numbers, or words that get numbers."""

    def __init__(self, reader: _Reader, column: int | None) -> None:
        self._reader = reader
        self._column = column or 0
        self._numbers = _Numbers(reader, only=column)
        self._words = Numbering()
        self._kind = ""
        self._n = 0

    @property
    def are_words(self) -> bool:
        return self._kind == "word"

    def add(self, line: int, cell: str) -> None:
        """The label of the next sample."""
        kind = self._reader.kind(cell)
        self._kind = self._kind or kind
        if kind == "missing":
            raise self._reader.missing(line, self._column, cell.strip(), "label")
        if kind != self._kind:
            raise DataError(
                f"{self._reader.where(line, self._column)}: expected a {self._kind} as in the "
                f"labels above, got {shown(cell.strip())!r}"
            )
        self._n += 1
        if self.are_words:
            self.note(line, cell)
            self._words.add(cell.strip())
        else:
            self._numbers.add(line, [cell])

    def note(self, line: int, cell: str) -> None:
        """A word that may be a class of its own."""
        self._words.note(cell.strip())
        if self._words.n > MAX_CLASSES:
            raise DataError(
                f"{self._reader.where(line, self._column)}: expected at most {MAX_CLASSES} "
                f"different labels, got one more, {shown(cell.strip())!r}"
            )

    def result(self) -> tuple[Array | None, tuple[str, ...] | None]:
        """y and the names of its classes."""
        if not self._n:
            return None, None
        if self.are_words:
            return self._words.result()
        y = self._numbers.table(self._n, 1)[:, 0]
        return (y if y.dtype.kind == "f" else y.astype(np.int64)), None


def _take(rows: Iterator[Row]) -> list[Row]:
    """The rows by which titles are judged."""
    window: list[Row] = []
    cells = 0
    for row in rows:
        window.append(row)
        cells += len(row[1])
        if len(window) > _WINDOW_ROWS or cells > _WINDOW_CELLS:
            break
    return window


def _smallest(block: npt.NDArray[np.float64]) -> Array:
    if block.size == 0:
        return block.astype(np.int8)
    low, high = int(block.min()), int(block.max())
    return block.astype(np.result_type(np.min_scalar_type(low), np.min_scalar_type(high)))


def _is_label_title(title: str) -> bool:
    return title.strip().lower() in LABEL_TITLES


def _like_title(number: str) -> bool:
    """A title that is a number is an integer of no sign."""
    return number.strip().isdecimal()


def _are_numbers(titles: Sequence[str]) -> bool:
    return all(_INTEGER.fullmatch(t.strip()) for t in titles)


def _are_counted(numbers: Sequence[str]) -> bool:
    """0, 1, 2, ... or 1, 2, 3, ..."""
    values = [int(n) if len(n) < 10 else -1 for n in (n.strip() for n in numbers)]
    return values[0] in (0, 1) and values == list(range(values[0], values[0] + len(values)))
