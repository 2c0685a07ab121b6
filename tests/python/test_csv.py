"""Tables in text: what is a title, a number, a label; and every way in which they can be wrong."""

from __future__ import annotations

import csv
import gzip
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byteprop import ArgumentError, DataError
from byteprop.data import Samples, load_labels, load_samples
from byteprop.data.csv import MAX_ROW
from test_npz import peak_of

Load = Callable[..., Samples]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """The samples of a table in text."""

    def read(text: str | bytes, **options: object) -> Samples:
        path = tmp_path / "a.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_samples(path, **options)  # type: ignore[arg-type]

    return read


# --- titles ---

TITLED = {
    "words": "a,b\n1,2\n3,4",
    "byte order mark": "\ufeffa,b\n1,2\n3,4\n",
    "with an empty title": ",a\n1,2\n3,4",
    "a word over numbers is enough": "0,a\n1,2\n3,4",
    "pandas numbers the columns": "0,1\n1.0,2.0\n3.0,4.0",
    "numbers from 1": "1,2\n1.0,2.0\n3.0,4.0",
    "a missing value below does not count": "a,b\n1,2\n3,4\n",
}
UNTITLED = {
    "numbers": "1,2\n3,4\n",
    "line ends of another system": "1,2\r\n3,4\r\n",
    "the first is whole": "1,2\n3,4",
    "spaces": "1 , 2\n3,\t4",
}


@pytest.mark.parametrize("name", TITLED)
def test_titles_are_left_out(load: Load, name: str) -> None:
    samples = load(TITLED[name])
    assert samples.x.tolist() == [[1, 2], [3, 4]]
    assert samples.y is None


@pytest.mark.parametrize("name", UNTITLED)
def test_the_first_sample_is_none(load: Load, name: str) -> None:
    assert load(UNTITLED[name]).x.tolist() == [[1, 2], [3, 4]]


def test_sixteen_counted_numbers_are_titles(load: Load) -> None:
    counted = ",".join(map(str, range(16)))
    samples = load(f"{counted}\n{','.join('7' * 16)}\n")
    assert samples.x.tolist() == [[7] * 16]
    assert samples.notes == ("line 1 holds titles",)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("0,1,2\n4,5,6\n7,8,9\n", "line 1, column 1: '0'"),
        ("400,410\n0.5,0.5\n0.25,0.5\n", "line 1, column 1: '400'"),
        ("0\n0.5\n0.25\n", "line 1, column 1: '0'"),
        ("0.1,o.2\n0.1,0.2\n0.1,0.2\n", "line 1, column 2: 'o.2'"),
        ("cat\ndog\nbird\n", "line 1, column 1: 'cat'"),
        ("1,cat\n", "line 1, column 2: 'cat'"),
        ("\n\n0,1,2\n4,5,6\n", "line 3, column 1: '0'"),
    ],
)
def test_a_doubt_about_titles_is_an_error(load: Load, text: str, place: str) -> None:
    with pytest.raises(DataError, match=f"{place} may be a title or a value; --header yes or"):
        load(text)


def test_the_user_decides_about_titles(load: Load) -> None:
    text = "0,1,2\n4,5,6\n7,8,9\n"
    assert load(text, header=True).x.tolist() == [[4, 5, 6], [7, 8, 9]]
    assert load(text, header=False).x.tolist() == [[0, 1, 2], [4, 5, 6], [7, 8, 9]]
    assert load("1,2\n3,4\n", header=True).x.tolist() == [[3, 4]]
    with pytest.raises(DataError, match="line 1, column 1: expected a finite number, got 'a'"):
        load("a,b\n1,2\n", header=False)


def test_titles_are_judged_by_all_lines_not_by_the_first_samples(load: Load) -> None:
    assert load("a,b\n1,2\n3,4", limit=1).x.tolist() == [[1, 2]]
    assert load("1,2\n3,4\nx,y\n", limit=2).x.tolist() == [[1, 2], [3, 4]]
    assert load("1,2\n3,4\n", limit=0).x.shape == (0, 2)


# --- numbers ---


@pytest.mark.parametrize(
    ("text", "dtype"),
    [
        ("1,2\n3,4\n", np.int32),
        ("1,-2\n3,4\n", np.int32),
        ("1,2\n3,70000\n", np.int32),
        ("1,2\n3,3000000000\n", np.int64),
        ("1,2\n-1,3000000000\n", np.int64),
        ("1,2\n3,4.0\n", np.float32),
        ("1,2\n3,4e0\n", np.float32),
        ("1,2\n3,99999999999999999999\n", np.float32),
    ],
)
def test_integers_are_what_is_written_as_integers(load: Load, text: str, dtype: type) -> None:
    x = load(text).x
    assert x.dtype == dtype
    rows = [[float(c) for c in line.split(",")] for line in text.split()]
    assert np.array_equal(x, np.array(rows, dtype))


def test_images_are_bytes(load: Load) -> None:
    image = list(range(150, 214))
    text = ",".join(map(str, image)) + "\n"
    assert load(text).x.dtype == np.uint8
    assert load(text).x.tolist() == [image]
    assert load(text.replace("150", "256")).x.dtype == np.int32
    assert load(text.replace("150", "-1")).x.dtype == np.int32
    assert load(text.replace("150", "150.0")).x.dtype == np.float32
    assert load(",".join(map(str, image[:63]))).x.dtype == np.int32
    assert load(",".join(["127"] * 64)).x.dtype == np.int32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1;2\n3;4\n", [[1, 2], [3, 4]]),
        ("1\t2\n3\t4\n", [[1, 2], [3, 4]]),
        ("1,5;2,5\n3,5;-4,5e1\n", [[1.5, 2.5], [3.5, -45]]),
        ("1,5\t2\n3,5\t4\n", [[1.5, 2], [3.5, 4]]),
        ('"1","2"\n"3",4\n', [[1, 2], [3, 4]]),
        ("a;b,c\n1;2\n3;4\n", [[1, 2], [3, 4]]),
        ('"a;b",c\n1,2\n3,4\n', [[1, 2], [3, 4]]),
        ('"a\nb",c\n1,2\n3,4\n', [[1, 2], [3, 4]]),
        (".5,5.\n+1,1E2\n", [[0.5, 5], [1, 100]]),
        ("1.0e+00 -2.0e+00\n3.0e+00 4.0e+00\n", [[1, -2], [3, 4]]),
        ("1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a;b;\n1;2;\n3;4;\n", [[1, 2], [3, 4]]),
    ],
)
def test_separators_and_decimal_signs(load: Load, text: str, expected: object) -> None:
    assert load(text).x.tolist() == expected


@pytest.mark.parametrize("cell", ["", "?", "NaN", "nan", "NA", "n/a", "null", "None", "-", " "])
@pytest.mark.parametrize("line", [1, 2, 3])
def test_missing_values_are_named(load: Load, cell: str, line: int) -> None:
    rows = [["0.1", "0.2", "0.3"] for _ in range(3)]
    rows[line - 1][1] = cell
    text = "\n".join(map(",".join, rows))
    with pytest.raises(DataError, match=f"line {line}, column 2: expected a number, got a missing"):
        load(text)
    with pytest.raises(DataError, match=rf"line {line + 1}, column 2 \(b\): expected a number"):
        load("a,b,c\n" + text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("1,2,\n" * 1001 + "3,4,5\n", "line 1002: expected a separator at its end"),
        ("1  2\n3 4\n", "'1  2' may be a title or a value"),
        ("\n\n", "the file is empty"),
        ("1,2\n3,4,5\n", "line 2: expected 2 columns as in the first line, got 3"),
        ("1,2\n3,four\n", "line 2, column 2: expected a finite number, got 'four'"),
        ("a,b\n1,2\ninf,3\n", r"line 3, column 1 \(a\): expected a finite number, got 'inf'"),
        ("1,2\n1_000,4\n", "line 2, column 1: expected a finite number, got '1_000'"),
        ("1,2\n٣,4\n", "line 2, column 1: expected a finite number"),
        ("1,2\n1-2,4\n", "line 2, column 1: expected a finite number, got '1-2'"),
        ("1,2\n1 2,4\n", "line 2, column 1: expected a finite number, got '1 2'"),
        ("1,2\n3,1e300\n", r"line 2, column 2: expected a number of at most 3.4e\+38, got 1e\+300"),
        ("a,a,a\n4,1e300,1\n", r"line 2, column 2 \(a\): expected a number of at most"),
        ("y,x\n1,1e999\n", r"line 2, column 2 \(x\): expected a number of at most"),
        ("y,x\n1e99,1\n", r"line 2, column 1 \(y\): expected a number of at most"),
        ('1,2\n"1,5",4\n', "got '1,5'; a comma is read as the decimal sign where ; or a tab"),
        ("1;2\n1.234,5;4\n", "line 2, column 1: expected a finite number, got '1.234,5'"),
        ("1;2\n1,5;4.5\n", r"line 2, column 2: expected ',' as the decimal sign, got '.'"),
        ("1;2\n1.5;4,5\n", "line 2, column 2: expected '.' as the decimal sign, got ','"),
        (b"a,b\n1,2\n\xe9,1\n", "line 3, character 1: expected text in UTF-8, got the byte 0xe9"),
        ("a,b\n1,2\n".encode("utf-16"), "expected text in UTF-8, got UTF-16; save it as UTF-8"),
        ("1,2\n\0,3\n", "line 2, column 1|line contains NUL"),
        ("y,label\n1,2\n", r"expected one column of labels, got columns 1 \(y\) and 2 \(label\)"),
        ("label\n1\n2\n", "expected samples, got a column of labels alone"),
        ("1\n\n2\n", "line 2, column 1: expected a number, got a missing value"),
        ("1,a,x\n2,b,y\n2,a,x\n", "line 1, column 2: expected a finite number, got 'a'"),
        ('1,2\n"3,4\n', "line 2: expected 2 columns as in the first line, got 1"),
        ("1,2\n\x1b[2J,3\n", r"got '\\x1b\[2J'|got '\\\\x1b\[2J'"),
    ],
)
def test_what_cannot_be_read_is_named(load: Load, text: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as raised:
        load(text)
    assert "a.csv" in str(raised.value)
    assert "\x1b" not in str(raised.value)


# --- labels ---


@pytest.mark.parametrize("title", ["label", "Y", '" y "', "class", "Target"])
def test_a_column_by_its_title(load: Load, title: str) -> None:
    samples = load(f"a,{title},b\n1,7,2.5\n\n-3,8,1e2\n")
    np.testing.assert_array_equal(samples.x, np.float32([[1, 2.5], [-3, 100]]))
    assert samples.y is not None
    assert (samples.y.tolist(), samples.y.dtype) == ([7, 8], np.int64)
    assert samples.classes is None


def test_integers_next_to_target_values_stay_integers(load: Load) -> None:
    samples = load("x,y\n1,0.5\n2,1\n")
    assert samples.y is not None
    assert (samples.y.tolist(), samples.y.dtype) == ([0.5, 1.0], np.float32)
    assert samples.x.dtype == np.int32


@pytest.mark.parametrize(
    "text",
    [
        "a,b,species\n5.1,3.5,cat\n4.9,3.0,ant\n4.9,3.0,cat\n",
        "5.1,3.5,cat\n4.9,3.0,ant\n4.9,3.0,cat\n",
        "label,a,b\ncat,5.1,3.5\nant,4.9,3.0\ncat,4.9,3.0\n",
    ],
)
def test_words_are_labels_in_sorted_order(load: Load, text: str) -> None:
    for limit in (None, 1):
        samples = load(text, limit=limit)
        assert samples.y is not None
        assert samples.y.tolist() == [1, 0, 1][:limit]
        assert samples.classes == ("ant", "cat")
        assert samples.x.tolist() == np.float32([[5.1, 3.5], [4.9, 3], [4.9, 3]])[:limit].tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n1,cat\n2,\n", r"line 3, column 2 \(y\): expected a label, got a missing value"),
        ("x,y\n1,cat\n2,3\n", "expected a word as in the labels above, got '3'"),
        ("x,y\n1,3\n2,cat\n", "expected a number as in the labels above, got 'cat'"),
        ("x,y\n" + "".join(f"1,w{i}\n" for i in range(65_537)), "line 65538, .* at most 65536"),
    ],
)
def test_wrong_labels_are_named(load: Load, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(text)


# --- memory and time ---

HUGE = {
    "one row": b"1," * 2_000_000 + b"1\n",
    "rows of two characters": (b"12," * 99_000 + b"1\n") * 2,
    "no line ends": b"0" * 3_000_000,
    "quotes": b'"' * 200_000 + b",1\n" * 300_000,
    "a cell of many lines": b'"' + b"a\n" * 2_000_000,
    "short rows": b"1\n" * 150_000,
    "short rows with words": b"1,a\n" * 150_000,
    "short rows with other words": b"".join(b"1,w%d\n" % i for i in range(60_000)),
    "one long word": b"1,a\n" * 100_000 + b"1," + b"b" * 100_000 + b"\n",
    "short reals": b"1.,1\n" * 100_000,
    "empty lines": b"\n" * 500_000 + b"1,2\n",
    "separators": b"," * 200_000 + b"\n1,2\n",
}


@pytest.mark.parametrize("name", HUGE)
def test_memory_and_time_are_bounded(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HUGE[name])

    def read() -> None:
        try:
            load_samples(path, header=False)
        except DataError as error:
            assert len(str(error)) < 1000

    assert peak_of(read) < 4 * len(HUGE[name]) + 16_000_000
    began = time.monotonic()
    read()
    assert time.monotonic() - began < 20


def test_the_longest_row(load: Load) -> None:
    cells = MAX_ROW // 2
    assert load("1," * (cells - 1) + "1\n").x.shape == (1, cells)
    with pytest.raises(DataError, match="line 1: expected at most 300000 characters in a row"):
        load("1," * cells + "1\n")


# --- properties ---

NUMBERS = st.one_of(
    st.integers(-(2**53), 2**53),
    st.floats(-(2.0**99), 2.0**99, allow_nan=False, width=32),
)
# A carriage return alone is written without quotes by Python 3.11 and ends a line.
LETTERS = st.characters(codec="utf-8", exclude_characters="\0;\t,\r")
WORDS = st.text(LETTERS, min_size=1, max_size=12)


def written(
    titles: Sequence[str], rows: Sequence[Sequence[object]], separator: str, comma: bool,
    quoting: int, end: str, mark: bool,
) -> bytes:  # fmt: skip
    file = io.StringIO()
    writer = csv.writer(
        file,
        delimiter=separator,
        lineterminator=end,
        quoting=quoting,  # type: ignore[arg-type]
    )
    writer.writerow(titles)
    for row in rows:
        writer.writerow([str(c).replace(".", ",") if comma else c for c in row])
    return ("\ufeff" if mark else "").encode() + file.getvalue().encode()


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    width, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 6))
    rows = [[data.draw(NUMBERS) for _ in range(width)] for _ in range(n)]
    separator = data.draw(st.sampled_from(",;\t"))
    has_labels = data.draw(st.booleans())
    titles = [f"{i} {data.draw(WORDS)}" for i in range(width)]
    words = [f"class {data.draw(WORDS)}" for _ in range(n)]
    table = [[*row, word] for row, word in zip(rows, words, strict=True)] if has_labels else rows
    blob = written(
        [*titles, "label"] if has_labels else titles,
        table,
        separator,
        separator != "," and data.draw(st.booleans()) and not has_labels and width > 1,
        data.draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        data.draw(st.sampled_from(["\n", "\r\n"])),
        data.draw(st.booleans()),
    )
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(blob)
    # Titles of one column may hold any separator, so only one that is used is looked for.
    samples = load_samples(path, header=True)
    if samples.x.shape[1] != width:
        assert width + has_labels == 1
        return
    expected = np.array(rows, np.float64)
    if samples.x.dtype.kind == "f":
        assert np.array_equal(samples.x, expected.astype(np.float32))
    else:
        assert np.array_equal(samples.x.astype(np.float64), expected)
    if has_labels:
        assert samples.y is not None and samples.classes is not None
        assert list(samples.classes) == sorted({w.strip() for w in words})
        assert [samples.classes[i] for i in samples.y] == [w.strip() for w in words]


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_damaged_tables_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = data.draw(
        st.sampled_from(
            [
                b"a,label\n1,2\n3.5,4\n",
                b'a;b;"c d"\r\n1,5;2;cat\r\n"1";2,5;dog\r\n',
                b"\xef\xbb\xbf0\t1\n1\t2\n3\t-4e2\n",
            ]
        )
    )
    blob = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(blob)))
        blob[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "damaged.csv"
    path.write_bytes(blob)
    for load in (load_samples, load_labels):
        for header in (None, True, False):
            try:
                load(path, header=header)
            except DataError as error:
                assert str(path) in str(error)
            except ArgumentError as error:  # no text any more
                assert header is not None and "expected a .csv" in str(error)


def test_a_compressed_table_is_the_same_table(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i / 2},{('even', 'odd')[i % 2]}\n" for i in range(50))
    text = f"a,b,label\n{rows}"
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    plain.write_text(text, encoding="utf-8")
    packed.write_bytes(gzip.compress(text.encode()))
    one, other = load_samples(plain), load_samples(packed)
    assert np.array_equal(one.x, other.x) and np.array_equal(one.y, other.y)
    assert one.classes == other.classes == ("even", "odd")


def test_a_compressed_table_that_is_cut_off_is_named(tmp_path: Path) -> None:
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(b"1,2\n" * 5000)[:-20])
    with pytest.raises(DataError, match=r"t\.csv\.gz: is damaged"):
        load_samples(packed)
