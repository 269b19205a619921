"""What the manual says of the command line, read from the command line itself: for `man`, and for the site.

Options of a group (`framepipe.options`) are explained once, and named under each verb that takes them.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import click

from framepipe import __version__
from framepipe.cli import VERBS

#: Files beside those that are named on the command line.
FILES = {
    "frames/NAME/": "the frames, without --store, and job.json, which says what they were drawn from",
    "~/.config/framepipe/profiles.toml": "options of submit under a name",
    "~/.local/state/framepipe/": "this account's key, with which job.json is sealed",
}
EXIT_CODES = {
    0: "done",
    1: "a bug of framepipe",
    2: "usage: nothing was done",
    3: "frames failed or are missing; the others are in the store",
    4: "no usable ffmpeg or ImageMagick",
    5: "the encoder failed; the frames are kept",
    6: "the movie is not what was asked for; it is kept as NAME.rejected.SUFFIX, and the frames too",
    75: "interrupted: run the same again to go on",
    130: "Ctrl-C: the same",
    141: "the reader of the output closed it",
}
_EXAMPLE = """\
framepipe make scene.py:draw --frames 300 -o wave.mp4
framepipe make script.py -o film.gif --preview
framepipe resume frames/run1
framepipe assemble frames/run1 -o run1.gif --fps 12 --hold-last 2"""


@dataclass(frozen=True)
class Entry:
    """An option as help shows it: ``-j, --workers N`` and what it means."""

    flags: str
    meaning: str


@dataclass(frozen=True)
class VerbPage:
    """What help says of a verb.

    Parameters
    ----------
    name, usage : str
    paragraphs : tuple of str
    sections : mapping of str to tuple of Entry
        Options by heading; the verb's own under ``"Options"``.
    """

    name: str
    usage: str
    paragraphs: tuple[str, ...]
    sections: Mapping[str, tuple[Entry, ...]]


def verb_page(name: str) -> VerbPage:
    """Return what help says of a verb."""
    command: click.Command = importlib.import_module(f"framepipe.cli.{name}").command
    context = click.Context(command, info_name=f"framepipe {name}")
    usage = " ".join(command.collect_usage_pieces(context))
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    sections: dict[str, list[Entry]] = {}
    for param in command.get_params(context):
        record = param.get_help_record(context) if isinstance(param, click.Option) else None
        if record is not None and "--help" not in param.opts:
            sections.setdefault(getattr(param, "heading", "Options"), []).append(Entry(*record))
    return VerbPage(
        name,
        f"framepipe {name} {usage}",
        tuple(" ".join(each.split()) for each in paragraphs),
        {heading: tuple(entries) for heading, entries in sections.items()},
    )


def _shared(pages: list[VerbPage]) -> dict[str, dict[str, Entry]]:
    """Options of groups, each once, by heading and flags."""
    groups: dict[str, dict[str, Entry]] = {}
    for page in pages:
        for heading, entries in page.sections.items():
            if heading != "Options":
                for entry in entries:
                    groups.setdefault(heading, {}).setdefault(_long(entry), entry)
    return groups


def _long(entry: Entry) -> str:
    """``--workers`` of ``-j, --workers INTEGER``."""
    long_flag = re.search(r"--[a-z0-9-]+", entry.flags)
    return long_flag[0] if long_flag else entry.flags


def as_markdown() -> str:
    """Return the site's chapter of each verb."""
    return "\n".join(line for name in VERBS for line in _chapter(verb_page(name)))


def _chapter(page: VerbPage) -> Iterator[str]:
    yield from (f"## {page.name}", "", "```text", page.usage, "```", "")
    for paragraph in page.paragraphs:
        yield from (paragraph, "")
    if own := page.sections.get("Options"):
        yield from ("| option | |", "|---|---|")
        for entry in own:
            yield f"| `{entry.flags}` | {_cell(entry.meaning)} |"
        yield ""
    for heading, entries in page.sections.items():
        if heading != "Options":
            yield f"*{heading}*: " + " ".join(f"`{_long(entry)}`" for entry in entries)
            yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def as_man_page() -> str:
    """Return ``framepipe.1``, in man(7)'s macros."""
    return "\n".join(_man_lines()) + "\n"


def _man_lines() -> Iterator[str]:
    pages = [verb_page(name) for name in VERBS]
    yield f'.TH FRAMEPIPE 1 "" "framepipe {__version__}" "User Commands"'
    yield ".ad l"
    yield ".SH NAME"
    yield "framepipe \\- draw frames in parallel, resumably; build the movie; prove that it is right"
    yield from (".SH SYNOPSIS", ".B framepipe", ".I VERB", "[...]")
    yield from (".SH EXAMPLES", ".nf", *map(_roff, _EXAMPLE.splitlines()), ".fi")
    yield ".SH VERBS"
    for page in pages:
        yield from (f".SS {page.name}", f".B {_roff(page.usage)}")
        for paragraph in page.paragraphs:
            yield from (".PP", _roff(paragraph))
        yield from _listed(page.sections.get("Options", ()))
        for heading, entries in page.sections.items():
            if heading != "Options":
                yield from (".PP", f"{_roff(heading)}: {_roff(', '.join(map(_long, entries)))}.")
    yield ".SH OPTIONS OF SEVERAL VERBS"
    for heading, group in _shared(pages).items():
        yield f".SS {_roff(heading)}"
        yield from _listed(tuple(group.values()))
    yield ".SH EXIT STATUS"
    yield from _listed(tuple(Entry(str(code), meaning) for code, meaning in EXIT_CODES.items()))
    yield ".SH ENVIRONMENT"
    yield from _listed((Entry("FRAMEPIPE_FFMPEG", "The ffmpeg to use, before those on PATH."),))
    yield ".SH FILES"
    yield from _listed(tuple(Entry(*item) for item in FILES.items()))
    yield from (".SH SEE ALSO", ".BR ffmpeg (1),", ".BR magick (1)")


def _listed(entries: tuple[Entry, ...]) -> Iterator[str]:
    for entry in entries:
        yield from (".TP", f".B {_roff(entry.flags)}", _roff(entry.meaning))


def _roff(text: str) -> str:
    """Escape what man(7) would read as its own, and let long choices break after a bar."""
    text = " ".join(text.split()) if "\n" in text else text
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("|", "|\\:")
    return f"\\&{text}" if text.startswith((".", "'")) else text
