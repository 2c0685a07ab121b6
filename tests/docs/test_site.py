"""The web site of the documents: it builds without a dead link, loads nothing from elsewhere, and
has what the code has."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs_examples import ROOT

pytest.importorskip("material", reason="mkdocs-material is not installed: scripts/setup test")
sys.path.insert(0, str(ROOT / "scripts/docs_site"))

import c_api
import messages
import python_api
import raised
import staging
import verbs
from navigation import navigation

import byteprop
from byteprop_host import remedies
from byteprop_host.commands import NAMES

pytestmark = pytest.mark.xdist_group("docs-site")
BUILD = ROOT / "scripts/docs_site/build.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, BUILD, "--output", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class _Page(HTMLParser):
    """What a page links to, what it loads, and its ids."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.add(found.get("id", ""))
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag in {"script", "img", "iframe", "source"} and "src" in found:
            self.loaded.append(found["src"])
        if tag == "link" and found.get("rel") in {"stylesheet", "icon", "preload", "preconnect"}:
            self.loaded.append(found.get("href", ""))


@pytest.fixture(scope="module")
def parsed(site: Path) -> dict[Path, _Page]:
    return {p: _Page(p.read_text(encoding="utf-8")) for p in site.rglob("*.html")}


def dead(pages: dict[Path, _Page], site: Path) -> list[str]:
    """Every link and loaded file of the pages that leads nowhere."""
    found = []
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            if re.match(r"[a-z]+:", link) or path.name == "404.html":
                continue
            target, _, anchor = link.partition("#")
            to = (path.parent / target.partition("?")[0]).resolve() if target else path
            if not to.is_file() or (anchor and to in pages and anchor not in pages[to].ids):
                found.append(f"{path.relative_to(site)}: {link}")
    return found


def test_no_link_of_the_site_is_dead(site: Path, parsed: dict[Path, _Page]) -> None:
    found = dead(parsed, site)
    assert found == []


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<i id="here"></i><a href="#here"></a><a href="#gone"></a><img src="no.svg">')
    found = dead({page: _Page(page.read_text())}, tmp_path)
    assert found == ["page.html: #gone", "page.html: no.svg"]


def test_nothing_is_loaded_from_elsewhere(parsed: dict[Path, _Page]) -> None:
    assert {src for page in parsed.values() for src in page.loaded if "//" in src} == set()


def test_style_sheets_load_nothing_from_elsewhere(site: Path) -> None:
    urls = re.findall(
        r"(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']+",
        "".join(p.read_text(encoding="utf-8") for p in site.rglob("*.css")),
    )
    assert urls == []


def test_every_document_is_in_the_navigation() -> None:
    pages = [p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "docs").rglob("*.md"))]
    shown = [page for section in navigation(pages) for named in section.values() for page in named]
    assert sorted(shown) == sorted(pages)


def test_words_for_tests_are_not_shown(site: Path) -> None:
    assert "needs=" not in (site / "docs/python.html").read_text(encoding="utf-8")


def test_a_missing_page_ends_the_build(tmp_path: Path) -> None:
    stage = staging.Staging(tmp_path)
    stage.write("docs/page.md", "[a](none.md) [b](../examples/activity/features.py)\n")
    text = (tmp_path / "docs/page.md").read_text(encoding="utf-8")
    assert text == "[a](none.md) [b](../examples/activity/features.py.md)\n"  # mkdocs is strict


# --- pages made of the code --------------------------------------------------------------------


def test_every_verb_has_a_page_with_its_options() -> None:
    pages = verbs.pages()
    assert sorted(pages) == sorted(f"reference/verbs/{name}.md" for name in NAMES)
    for name, parser in verbs.parsers().items():
        options = [option for action in parser._actions for option in action.option_strings]
        page = pages[f"reference/verbs/{name}.md"]
        assert [option for option in options if f"`{option}" not in page] == []


def test_every_public_name_of_python_is_described() -> None:
    headings = set(re.findall(r"^### (\w+)$", python_api.page(), re.M))
    assert {name for name in byteprop.__all__ if not name.startswith("__")} <= headings
    assert {"load_samples", "BytepropClassifier", "BoardUnderTest"} <= headings


def test_members_for_byteprop_itself_are_not_described() -> None:
    shown = set(re.findall(r"^#### (\w+)\.(\w+)$", python_api.page(), re.M))
    assert {name for _, name in shown} & python_api.INTERNAL == set()
    of_model = {name for owner, name in shown if owner == "Model"}
    assert {"fit", "predict", "run", "save", "summary", "count_params"} <= of_model
    assert {name for owner, name in shown if owner == "Sequential"} >= {"add", "from_keras"}
    assert ("Sequential", "fit") not in shown
    classes = [byteprop.Model, byteprop.EarlyStopping, python_api.estimators.BytepropClassifier]
    assert [
        name for name in python_api.INTERNAL if not any(hasattr(c, name) for c in classes)
    ] == []


def test_every_function_of_the_headers_is_described() -> None:
    page = c_api.page()
    for path in c_api.headers():
        code = c_api.COMMENT.sub("", path.read_text(encoding="utf-8"))
        names = re.findall(r"^[a-zA-Z][\w *]*?\b(bp_\w+)\(", code, re.M)
        assert [name for name in names if not re.search(rf"\b{name}\(", page)] == []
    assert "bp_infer_run(" in page and "bp_train_plan(" in page


def test_every_error_and_status_has_a_remedy() -> None:
    """Add what to do to host_tools/byteprop_host/remedies.py."""
    assert set(remedies.ERRORS) == set(messages.error_classes())
    assert set(remedies.STATUSES) == set(messages.statuses())


def test_the_page_has_every_error_that_the_code_makes() -> None:
    """A place whose words are not found needs a text that `raised.py` can follow: put it into the
    call, into a variable, or into a function of the same module."""
    assert [str(place) for place in messages.source().raised() if not place.is_found] == []
    assert messages.source().used == set(messages.KNOWN)


CODE = """
LIMIT = "too many"
class Bad(Exception): pass
class Inner(Exception): pass
def direct(n): raise Bad(f"got {n}" + (", too few" if n < 3 else f", {LIMIT}"))
def made(key, text): return Bad(f"{key}: {text}")
def uses(key): raise made(key, "is missing")
def refuse(what): raise Bad(f"here: {what}")
def asks(): refuse("no good")
def local(n):
    parts = [f"{n} apples", "no pears"]
    raise Bad("; ".join(part for part in parts if part))
def wraps():
    try: direct(1)
    except Bad as error: raise Bad(f"file: {error}") from error
def hidden(reasons): raise Bad(reasons[3].text)
def inside(): raise Inner("within")
"""


def test_words_are_followed_through_variables_and_functions(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text(CODE)
    source = raised.Source(tmp_path, ["."], {"Bad", "Inner"}, {})
    by_line = {int(p.where.rpartition(":")[2]): p for p in source.raised()}
    texts = {line: sorted(place.texts) for line, place in by_line.items()}
    assert texts == {
        5: ["got …, too few", "got …, too many"],
        7: ["…: is missing"],
        9: ["here: no good"],
        12: ["no pears", "… apples"],
        15: ["file: …"],
        16: ["…"],
        17: ["within"],
    }
    assert [line for line, place in by_line.items() if not place.is_found] == [16]
    assert by_line[17].kind == "Inner"


def test_messages_are_found_in_the_code() -> None:
    found = messages.messages()
    assert "--erase: expected --erase or --reset, got both" in found["ArgumentError"]
    assert all(found[name] for name in ("DataError", "FlashError", "LinkError", "ModelError"))
    tools = {runner.program for runner in messages.runners()}
    assert {"avrdude", "openocd", "st-flash", "dfu-util"} <= tools
    page = messages.page()
    for runner in messages.runners():
        for symptom in runner.symptoms:
            assert messages.prose(symptom.remedy) in page
