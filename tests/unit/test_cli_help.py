"""Help, and what is said where a word is misspelt."""

from __future__ import annotations

import re

import pytest

from framepipe.cli import VERBS, run


def said(capsys, *arguments):
    code = run(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("rendr", "render"), ("assmble", "assemble"), ("MAKE", "make"), ("vrify", "verify"), ("hlp", "help")],
)
def test_a_misspelt_verb_is_answered_with_the_one_that_was_meant(capsys, typed, meant):
    for arguments in ([typed], ["help", typed]):
        code, out, err = said(capsys, *arguments)
        assert (code, out) == (2, "")
        assert f"No such verb '{typed}'. Did you mean '{meant}'?" in err


def test_a_word_that_is_like_no_verb_is_answered_with_all_of_them(capsys):
    code, _, err = said(capsys, "xyzzy")
    assert code == 2
    assert f"Verbs: {', '.join(VERBS)}" in err


@pytest.mark.parametrize("script", ["scene.py", "scene.py:draw"])
def test_a_script_without_a_verb_is_answered_with_make(capsys, script):
    code, _, err = said(capsys, script)
    assert code == 2
    assert f"framepipe make {script}" in err


def test_a_misspelt_option_is_answered_with_the_one_that_was_meant(capsys):
    code, _, err = said(capsys, "make", "scene.py:draw", "--wokers", "3")
    assert code == 2
    assert "--wokers" in err and "--workers" in err


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_is_that_of_the_verb(capsys, verb):
    assert said(capsys, "help", verb) == said(capsys, verb, "--help")
    assert said(capsys, "help", verb)[1].startswith(f"Usage: framepipe {verb} ")


def test_help_alone_is_that_of_framepipe(capsys):
    assert said(capsys, "help") == said(capsys, "--help")
    assert "\n  help " in said(capsys, "help")[1]


def test_the_options_of_make_stand_under_headings_each_once(capsys):
    _, out, _ = said(capsys, "make", "--help")
    headings = re.findall(r"^(\w[\w ]+):$", out, re.M)
    assert headings == ["Options", "Scene and frames", "Drawing", "When each frame shows", "Movie"]
    for option in ("--output", "--frames", "--workers", "--fps", "--codec", "--json"):
        assert len(re.findall(rf"^  .*{option}(?![\w-])", out, re.M)) == 1, option
    assert out.index("--output") < out.index("Scene and frames:") < out.index("--frames")
    assert out.index("Movie:") < out.index("--codec")
