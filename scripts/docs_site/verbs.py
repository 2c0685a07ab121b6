"""A page for each verb of the command, from its argument parser."""

from __future__ import annotations

import argparse
import os
import re

from byteprop_host.cli import make_parser
from byteprop_host.commands import EXIT_CODES

FOLDER = "reference/verbs"
# argparse breaks lines at the width of the terminal.
os.environ["COLUMNS"] = "80"


def parsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each verb, in the order of --help."""
    actions = make_parser()._actions
    (verbs,) = (a for a in actions if isinstance(a, argparse._SubParsersAction))
    return dict(verbs.choices)


def pages() -> dict[str, str]:
    return {f"{FOLDER}/{name}.md": page(name, parser) for name, parser in parsers().items()}


def page(name: str, parser: argparse.ArgumentParser) -> str:
    parts = [f"# byteprop {name}", _text(parser.description or "")]
    usage = [line.removeprefix("usage: ").removeprefix(" " * 7) for line in usage_lines(parser)]
    parts.append("```text\n" + "\n".join(usage) + "\n```")
    for group in parser._action_groups:
        rows = [_row(action, parser) for action in group._group_actions if not _hidden(action)]
        if rows:
            title = (group.title or "options").capitalize()
            parts.append(f"## {title}\n\n| | meaning |\n|---|---|\n" + "\n".join(rows))
    example = (parser.epilog or "").split(EXIT_CODES)[0].strip()
    if example:
        title, _, lines = example.partition("\n")
        parts.append(f"## {title.rstrip(':')}\n\n```text\n{_dedented(lines)}\n```")
    parts.append(f"## Exit codes\n\n```text\n{_dedented(EXIT_CODES.partition(chr(10))[2])}\n```")
    return "\n\n".join(parts) + "\n"


def usage_lines(parser: argparse.ArgumentParser) -> list[str]:
    return parser.format_usage().rstrip().splitlines()


def _hidden(action: argparse.Action) -> bool:
    return action.help == argparse.SUPPRESS


def _row(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    value = parser._get_formatter()._format_args(action, _metavar(action)) if _takes(action) else ""
    names = action.option_strings or [value]
    shown = ", ".join(
        f"`{name} {value}`" if value and name != value else f"`{name}`" for name in names
    )
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return f"| {shown.replace('|', chr(92) + '|')} | {_text(text)} |"


def _metavar(action: argparse.Action) -> str:
    return action.dest.upper() if action.option_strings else action.dest


def _takes(action: argparse.Action) -> bool:
    return action.nargs != 0


def _text(text: str) -> str:
    """Plain text as Markdown: words between backquotes stay code, all else is escaped."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(
        p if p.startswith("`") else re.sub(r"([\\*_|<>\[\]])", r"\\\1", p) for p in parts
    )


def _dedented(text: str) -> str:
    return "\n".join(line.removeprefix("  ") for line in text.strip("\n").splitlines())
