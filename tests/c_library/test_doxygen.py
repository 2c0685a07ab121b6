"""The comments of the public headers, as Doxygen reads them: every function, type and enumeration
has one, and nothing in them is wrong. The page of the C API of the web site is made of them too."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from library_tools import ROOT, need

HERE = Path(__file__).resolve().parent
HEADERS = ROOT / "csrc/include/byteprop"
SETTINGS = """
INPUT = {headers}
FILE_PATTERNS = *.h
INPUT_FILTER = "{filter}"
OUTPUT_DIRECTORY = {out}
OPTIMIZE_OUTPUT_FOR_C = YES
JAVADOC_AUTOBRIEF = YES
AUTOLINK_SUPPORT = NO
MARKDOWN_SUPPORT = NO
MACRO_EXPANSION = YES
EXPAND_ONLY_PREDEF = YES
PREDEFINED = BP_MUST_CHECK= BP_STATUS_IN_A_BYTE= __GNUC__
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
QUIET = YES
WARN_IF_UNDOCUMENTED = YES
"""
# Fields and macros have a comment where their name does not say enough.
MAY_HAVE_NONE = re.compile(
    r"\((variable|macro definition)\) of (struct|file) \S+ is not documented"
)


def warnings(headers: Path, folder: Path) -> list[str]:
    need("doxygen")
    settings = folder / "Doxyfile"
    command = f"{sys.executable} {HERE / 'doxygen_filter.py'}"
    text = SETTINGS.format(headers=headers, filter=command, out=folder)
    settings.write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["doxygen", settings], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return [w for w in done.stderr.splitlines() if w and not MAY_HAVE_NONE.search(w)]


def test_headers_have_no_warnings(tmp_path: Path) -> None:
    assert warnings(HEADERS, tmp_path) == []
    found = (tmp_path / "xml/infer_8h.xml").read_text(encoding="utf-8")
    assert "<name>bp_infer_run</name>" in found


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("/* x */\n\nint bp_f(void);\n", "bp_f(void) (function) of file h.h is not documented"),
        ("/* x */\n\ntypedef struct {\n    int a;\n} bp_t;\n", "Compound bp_t is not documented"),
        ("/* x */\n\n/* See \\ref bp_none. */\nint bp_f(void);\n", "bp_none"),
    ],
)
def test_what_is_missing_is_seen(text: str, warning: str, tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    (tmp_path / "headers/h.h").write_text(text, encoding="ascii")
    assert any(warning in line for line in warnings(tmp_path / "headers", tmp_path))


def test_declarations_of_a_block_share_its_comment(tmp_path: Path) -> None:
    (tmp_path / "headers").mkdir()
    text = "/* x */\n\n/* Both. */\nint bp_f(void);\nint bp_g(void);\n"
    (tmp_path / "headers/h.h").write_text(text, encoding="ascii")
    assert warnings(tmp_path / "headers", tmp_path) == []
