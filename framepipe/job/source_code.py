"""The text of Python source: its digest by its syntax tree, and the local files that it imports."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_source(text: str, docstrings: bool = True) -> str:
    """Digest Python source (SHA-256); comments and white space do not count.

    Parameters
    ----------
    text : str
    docstrings : bool
        Docstrings of functions and classes count.
    """
    try:
        tree = ast.parse(text)
        normal = ast.unparse(tree if docstrings else _without_docstrings(tree))
    except (SyntaxError, ValueError, RecursionError):
        normal = text
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def local_sources(script: Path) -> tuple[Path, ...]:
    """List the script and the files of its folder that it imports, directly or indirectly.

    Read from the ``import`` statements, so the result does not depend on what else is loaded.
    """
    sources, queue = {script: None}, [script]
    while queue:
        for path in _imported(queue.pop(), script.parent):
            if path not in sources:
                sources[path] = None
                queue.append(path)
    return (script, *sorted(set(sources) - {script}))


def _imported(source: Path, folder: Path) -> Iterable[Path]:
    try:
        tree = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            base = folder
        elif isinstance(node, ast.ImportFrom):
            inside = node.module or ""
            names = [inside, *(f"{inside}.{alias.name}".lstrip(".") for alias in node.names)]
            base = source.parents[node.level - 1] if node.level else folder
        else:
            continue
        for name in filter(None, names):
            yield from _files_of(base, name.split("."))


def _files_of(base: Path, parts: list[str]) -> Iterable[Path]:
    for depth in range(1, len(parts) + 1):
        target = base.joinpath(*parts[:depth])
        for path in (target.with_suffix(".py"), target / "__init__.py"):
            if path.is_file():
                yield path
