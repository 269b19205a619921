"""Digests (SHA-256) of what decides a frame's pixels: values, files, functions and what these refer to.

A digest must be the same for equal things in another process, on another day, under another hash seed. So
values are hashed by their structure (`values`), code by its syntax tree, which has no comments and no white
space (`source_code`), and functions with all that they reach (`reach`).
"""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from framepipe.job.reach import Digester, Reach
from framepipe.job.values import NUMBERS

#: Parts of a fingerprint, by name; the value is a digest or, for a version, the text itself.
Parts = Mapping[str, str]
_MAX_TEXT = 80  # of a value for people


def combine(parts: Parts) -> str:
    """Combine named parts into the fingerprint of a frame: SHA-256, in hex."""
    text = "\n".join(f"{name}={parts[name]}" for name in sorted(parts))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_value(value: Any) -> str:
    """Digest a Python value by its structure: SHA-256, in hex.

    Parameters
    ----------
    value : object
        Numbers, text, containers and arrays are hashed whole, dictionaries in their order;
        functions by their code and what it refers to; tables, colour maps, random generators, iterators
        and files by their parts as `framepipe.job.anatomy` lists them; other objects by their class and
        the state that pickle would save, or their attributes. matplotlib's figures and artists, and
        objects that raise when they are inspected, count by their class only.
    """
    return Digester().whole(value)


def digest_file(path: Path) -> str:
    """Digest a file's bytes (SHA-256); a folder counts by all files below it with their names."""
    sha = hashlib.sha256()
    if path.is_dir():
        for below in sorted(item for item in path.rglob("*") if item.is_file()):
            sha.update(f"{below.relative_to(path).as_posix()}\0{digest_file(below)}\n".encode())
        return sha.hexdigest()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def digest_function(function: Callable[..., Any]) -> dict[str, str]:
    """Digest all that a function refers to, besides its file.

    Returns
    -------
    dict
        ``name -> digest`` of closure variables, defaults, bound object, and of the global variables,
        class attributes and attributes of modules that it, or what it calls, uses, as far as these are
        the user's own; and the code of these functions and classes. Names from other files than the
        function's begin with their module.
    """
    return Reach(Digester()).with_kinds(function)


def shown_values(function: Callable[..., Any]) -> dict[str, str]:
    """Return what `digest_function` digests as text where it is short: numbers, names, paths.

    Returns
    -------
    dict
        By the same names.
    """
    return {name: text for name, text in Reach(_Texts()).of(function).items() if text}


def state_digests(*functions: Callable[..., Any]) -> dict[str, str]:
    """Digest the state that calls of functions can change and later calls can see.

    The difference between two results, before and after a call, is what the call changed.

    Returns
    -------
    dict
        As `digest_function`, without code; large arrays are sampled. And ``"random"``, and
        ``"numpy.random"`` if numpy is loaded: the states of the global generators. matplotlib's figures
        and artists count by their class, the contents of a `functools.lru_cache` do not count. A text
        file in the middle of a loop over its lines counts as changed each time: its position is unknown.
    """
    digester = Digester(state=True)
    reach, states = Reach(digester), {}
    for function in functions:
        states = reach.with_kinds(function)
    states["random"] = digester.whole(random.getstate())
    if "numpy" in sys.modules:
        states["numpy.random"] = digester.whole(sys.modules["numpy"].random.get_state(legacy=False))
    return states


class _Texts:
    """Stands in for a `Digester`: a plain value's text instead of its digest, nothing for others."""

    is_state = False

    def __init__(self) -> None:
        self.kinds: dict[type, None] = {}

    def digest(self, value: Any) -> str:
        """Return the text of a value."""
        if type(value) not in NUMBERS and not isinstance(value, (str, Path)):
            return ""
        text = repr(str(value)) if isinstance(value, (str, Path)) else repr(value)
        return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}…"

    whole = digest

    def code(self, thing: Any) -> str:
        """Return nothing: code is no value."""
        return ""
