"""A header of csrc as Doxygen reads comments: python doxygen_filter.py FILE

A comment belongs to what follows it up to the next empty line, so declarations below the first one
of a block get it too; one behind code belongs to that code.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

DECLARATION = re.compile(r"^(?:BP_MUST_CHECK )?\w[\w *]*\(?\w+\(")


def converted(text: str) -> Iterator[str]:
    has_comment = ended = False
    for i, line in enumerate(text.splitlines()):
        before, mark, after = line.partition("/*")
        if mark and not after.startswith(" cdef"):
            has_comment, ended = True, False
            line = f"{before}/**{'<' if before.strip() else ''}{after}"
        elif not line.strip():
            has_comment = False
        elif DECLARATION.match(line) and has_comment and ended:
            line = f"/** As above. */ {line}"
        is_end = line.rstrip().endswith(";") and not line.startswith((" ", "/*"))
        if is_end or line.startswith("#define"):
            ended = True
        if re.match(r"\s*(/\*|\*| )", line) or "*/" in line:
            line = re.sub(r"<(?=\w)", r"\\<", line)
        yield line.replace("/**", "/** @file\n", 1) if i == 0 else line


if __name__ == "__main__":
    print("\n".join(converted(Path(sys.argv[1]).read_text(encoding="utf-8"))))
