"""Every message that framepipe raises, read from its source: for docs/messages.md, as the site has it."""

from __future__ import annotations

import ast
import html
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from framepipe import errors

PACKAGE = Path(errors.__file__).parent
KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.FramepipeError)
}
KINDS["CannotSend"] = errors.EngineError


class Message(NamedTuple):
    """The error's class, its text with ``…`` for what differs, and where it is raised."""

    kind: str
    text: str
    module: str


def messages() -> list[Message]:
    """Return all of them, in the order of the classes, then of the alphabet; each once."""
    order = list(KINDS)
    found = {message for path in sorted(PACKAGE.rglob("*.py")) for message in _of(path)}
    return sorted(found, key=lambda each: (order.index(each.kind), each.text.lstrip("… ").lower()))


def _of(path: Path) -> Iterator[Message]:
    module = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_bytes())):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in KINDS
            and node.args
        ):
            for text in _texts(node.args[0]):
                if any(char.isalpha() for char in text):
                    yield Message(node.func.id, " ".join(text.split()), module)


def _texts(node: ast.expr) -> list[str]:
    """Return what an expression may be: one text, or that of each branch."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(_texts(part)[0] if isinstance(part, ast.Constant) else "…" for part in node.values)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in _texts(node.left) for right in _texts(node.right)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    return ["…"]


def as_markdown() -> str:
    """Return a table a class."""
    lines: list[str] = []
    for kind in KINDS:
        rows = [each for each in messages() if each.kind == kind]
        if rows:
            lines += [f"### {kind}", "", "| message | raised in |", "|---|---|"]
            lines += [f"| {_cell(each.text)} | `{each.module}` |" for each in rows]
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    text = html.escape(text, quote=False)
    for char in "\\`*_[]{}|$":
        text = text.replace(char, f"\\{char}")
    return text
