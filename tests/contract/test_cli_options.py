"""An option of the command line is a keyword of the library function, with the same default."""

from __future__ import annotations

import importlib
import inspect
from fractions import Fraction

import click
import pytest

import framepipe
from framepipe.cli import VERBS

LIBRARY = ("make", "render", "resume", "status", "adopt", "sheet", "assemble", "verify", "clean")
LIBRARY += ("plan", "submit", "finish", "logs", "cancel", "grid")
LEAST = {
    "make": ["a.py:draw", "-o", "a.gif"],
    "render": ["a.py:draw"],
    "adopt": ["a.png", "--store", "s"],
    "sheet": ["s", "-o", "a.png"],
    "assemble": ["s", "-o", "a.gif"],
    "verify": ["a.gif", "--store", "s"],
    "grid": ["s", "-o", "a.gif"],
    "plan": ["a.py:draw"],
    "submit": ["slurm", "a.py:draw", "-o", "a.gif"],
}
ONLY_CLI = {"as_json", "quiet", "timings", "dry_run", "help", "watch", "every"}
ONLY_LIBRARY = {"progress", "stop"}


def command(verb):
    return importlib.import_module(f"framepipe.cli.{verb}").command


def options(verb):
    return {each.name: each for each in command(verb).params if isinstance(each, click.Option)}


def keywords(verb):
    return inspect.signature(getattr(framepipe, verb)).parameters


def same(cli, library):
    """``--loop forever`` is ``loop=0``, ``--fps "25"`` is ``fps=25``, no ``--param`` is None."""
    if cli is None or library is None or isinstance(library, (bool, tuple)):
        return cli is library or (cli in ((), {}) and library in ((), None))
    if cli == library or (cli == "forever" and library == 0):
        return True
    try:
        return Fraction(str(cli)) == Fraction(str(library))
    except ValueError:
        return False


@pytest.mark.parametrize("verb", LIBRARY)
def test_every_option_is_a_keyword_of_the_function(verb):
    own = {"assemble": {"shard"}, "make": {"all_films", "values", "grid"}, "submit": {"values", "grid"}}.get(
        verb, set()
    )  # of others
    assert set(options(verb)) - ONLY_CLI - own <= set(keywords(verb))


@pytest.mark.parametrize("verb", LIBRARY)
def test_every_keyword_of_the_function_can_be_given_on_the_command_line(verb):
    given = {each.name for each in command(verb).params}
    assert set(keywords(verb)) - ONLY_LIBRARY <= given


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        (verb, name)
        for verb in LIBRARY
        for name in sorted(set(options(verb)) - ONLY_CLI)
        if name in keywords(verb)
    ],
)
def test_an_option_has_the_default_of_its_keyword(verb, name):
    option, keyword = options(verb)[name], keywords(verb)[name]
    if option.required:
        assert keyword.default in (inspect.Parameter.empty, ())
        return
    context = command(verb).make_context(verb, list(LEAST.get(verb, ["s"])))
    default = context.params[name]
    assert same(default, keyword.default), f"--{name} {default!r}, {name}={keyword.default!r}"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(verb):
    assert command(verb).help
    assert "as_json" in options(verb)


def test_all_verbs_are_in_the_help(capsys):
    from framepipe.cli import run

    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    for verb in VERBS:
        assert f"\n  {verb} " in text
    assert "75 interrupted" in text


def test_the_version_is_told(capsys):
    from framepipe.cli import run

    assert run(["--version"]) == 0
    assert framepipe.__version__ in capsys.readouterr().out
