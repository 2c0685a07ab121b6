"""`byteprop help`: the documents, which an installed byteprop has with it."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from byteprop_host.commands import EXIT_OK, NAMES, Verb
from byteprop_host.console import Console


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "topic",
        nargs="?",
        metavar="TOPIC",
        help="a document, for instance data or boards/pico, or a verb (default: list them all)",
    )


def _run(args: argparse.Namespace, console: Console) -> int:
    from byteprop.support import paths

    folder = paths.docs()
    topics = {_topic(path, folder): path for path in sorted(folder.rglob("*.md"))}
    if args.topic is None:
        titles = {topic: _title(path) for topic, path in topics.items()}
        width = max(map(len, titles))
        lines = [f"{topic:<{width}}  {title}" for topic, title in titles.items()]
        console.result("\n".join(lines), {"folder": str(folder), "topics": titles})
        return EXIT_OK
    path = _found(args.topic, topics)
    text = path.read_text(encoding="utf-8")
    if sys.stdout.isatty() and not console.json_mode:
        _show(text)
    else:
        console.result(text.rstrip(), {"topic": args.topic, "path": str(path), "text": text})
    return EXIT_OK


def _topic(path: Path, folder: Path) -> str:
    return path.relative_to(folder).with_suffix("").as_posix()


def _title(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return next((line[2:].strip() for line in file if line.startswith("# ")), "")


def _found(name: str, topics: dict[str, Path]) -> Path:
    """The document of a topic, a verb or a file name. ArgumentError names what is near."""
    from byteprop.errors import ArgumentError
    from byteprop_host.errors import did_you_mean

    topic = name.removeprefix("docs/").removesuffix(".md")
    if topic not in topics and topic in NAMES:
        verb: Verb = importlib.import_module(f"byteprop_host.commands.{topic}").VERB
        topic = verb.docs
    if topic not in topics:
        raise ArgumentError(
            f"expected a topic, got {name!r}{did_you_mean(topic, {*topics, *NAMES})}; "
            "byteprop help lists them"
        )
    return topics[topic]


def _show(text: str) -> None:
    """Markdown as a terminal shows it."""
    try:
        from rich.console import Console as RichConsole
        from rich.markdown import Markdown
    except ImportError:
        Console().line(text.rstrip())
        return
    rich = RichConsole()
    with rich.pager(styles=True):
        rich.print(Markdown(text))


VERB = Verb(
    name="help",
    summary="show a document: how to use data, boards, training and all else",
    example="byteprop help data",
    configure=_configure,
    run=_run,
    docs="README",
)
