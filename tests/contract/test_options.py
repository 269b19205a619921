"""An option is declared once; signatures, keywords for type checkers, docstrings and flags follow from it."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import click
import pytest
from click.testing import CliRunner

import framepipe as fp
from framepipe import options
from framepipe.cli import VERBS
from framepipe.cli.options import flags
from framepipe.cluster.submit import SubmittingKeywords
from framepipe.movie.api import AssembleKeywords
from framepipe.movie.check import VerifyKeywords
from framepipe.options import OptionGroup, check, group, option, split, takes
from framepipe.pipeline.make import MakeKeywords
from framepipe.pipeline.resume import ResumeKeywords
from framepipe.rendering.api import RenderKeywords
from framepipe.timeline import Timing, TimingKeywords
from tests.contract.test_cli_options import command

GROUPS = {
    options.SceneOptions: options.SceneKeywords,
    options.DrawOptions: options.DrawKeywords,
    options.ShardOptions: options.ShardKeywords,
    Timing: TimingKeywords,
    options.EncodeOptions: options.EncodeKeywords,
    options.UseOptions: options.UseKeywords,
    options.SubmitOptions: options.SubmitKeywords,
}
ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").glob("*.md")]
PAGES = [
    page for page in PAGES if page.stem not in {"speed", "proof", "changelog", "contributing", "security"}
]


@pytest.mark.parametrize("kind", GROUPS, ids=lambda kind: kind.__name__)
def test_keywords_for_type_checkers_are_the_fields_with_their_types(kind):
    typed = {name: each.__forward_arg__ for name, each in GROUPS[kind].__annotations__.items()}
    whole = getattr(kind, "keyword", None)
    assert typed.pop(whole, kind.__name__) == kind.__name__
    bare = {name: text.removesuffix(" | None") for name, text in typed.items()}
    assert bare == {each.name: str(each.type).removesuffix(" | None") for each in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    ("function", "keywords"),
    [
        (fp.make, MakeKeywords),
        (fp.render, RenderKeywords),
        (fp.resume, ResumeKeywords),
        (fp.assemble, AssembleKeywords),
        (fp.verify, VerifyKeywords),
        (fp.plan, SubmittingKeywords),
        (fp.submit, SubmittingKeywords),
    ],
    ids=lambda each: each.__name__,
)
def test_a_function_shows_the_options_that_it_takes(function, keywords):
    own = inspect.unwrap(function).__code__
    shown = set(inspect.signature(function).parameters) - set(
        own.co_varnames[: own.co_argcount + own.co_kwonlyargcount]
    )
    whole = {getattr(kind, "keyword", "") for kind in GROUPS}
    typed = set(keywords.__annotations__) - whole
    assert typed >= shown & {name for kind in GROUPS for name in options.options_of(kind)}
    assert function is fp.verify or typed <= shown
    for name in typed & shown:
        assert f"\n{name} : " in inspect.getdoc(function)


@dataclass(frozen=True, kw_only=True)
class Plain:
    heading: ClassVar[str] = "Trial"
    speedup: float = option(2.0, "How much faster.", within=(1, 8))
    mode: str = option("a", "How.", more="Only in the docs.", one_of=("a", "b"))
    limit_s: float | None = option(None, "When to stop.", flag="--limit", above="seconds")
    deep: bool = option(False, "Dive.", judged=True)

    def __post_init__(self):
        check(self)


Trial = group(Plain)


def test_a_new_option_is_in_signature_docstring_command_line_and_checks():
    """All that an option needs is its declaration."""

    @takes(Trial)
    def dive(where: str, **more: Any) -> Any:
        """Dive.

        Returns
        -------
        Trial
        """
        return split(more, Trial, verb="dive")[0]

    assert str(inspect.signature(dive)).startswith(
        "(where: 'str', *, speedup: 'float' = 2.0, mode: 'str' = 'a'"
    )
    text = inspect.getdoc(dive)
    assert 'mode : {"a", "b"}\n    How. Only in the docs.\n' in text
    assert text.index("Other Parameters") < text.index("Returns")
    assert dive("here", speedup=3).speedup == 3

    @click.command()
    @flags(Trial)
    def dived(**keywords: Any) -> None:
        """Dive."""
        print(dive("here", **keywords))

    result = CliRunner().invoke(dived, ["--speedup", "4", "--limit", "9", "--deep"])
    assert "speedup=4.0, mode='a', limit_s=9.0, deep=True" in result.output
    for wrong, words in [
        ({"speedup": 9}, "speedup is 9; give 1 to 8"),
        ({"mode": "c"}, "mode is 'c'; give one of a, b"),
        ({"limit_s": 0}, r"limit_s \(--limit\) is 0; give seconds above 0"),
        ({"deep": "yes"}, "deep is 'yes'; give True or False"),
        ({"spedup": 2}, "dive has no option 'spedup'; did you mean speedup?"),
        ({"mode": 3}, "mode is 3; give one of"),
        ({"speedup": "fast"}, "speedup is 'fast'; give a number"),
    ]:
        with pytest.raises(fp.UsageError, match=words):
            dive("here", **wrong)


def test_a_group_can_be_handed_over_whole_and_overridden():
    encode = options.EncodeOptions(colors=64, crf=20)
    (found,) = split({"encode": encode, "crf": 30}, options.EncodeOptions, verb="assemble")
    assert (found.colors, found.crf) == (64, 30)
    with pytest.raises(fp.UsageError, match=r"encode is a dict; give EncodeOptions\(\.\.\.\)"):
        split({"encode": {"colors": 64}}, options.EncodeOptions, verb="assemble")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_flag_in_the_readme_and_the_pages_is_one(page):
    known = {
        flag for verb in VERBS for each in command(verb).params for flag in each.opts + each.secondary_opts
    }
    blocks = re.sub(r"```python.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    named = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)\b", blocks))
    assert named - known - NOT_OURS - {"--version", "--help"} == set()


#: Flags of other programs that pages name.
NOT_OURS = {"--frame", "--out", "--steps"}
NOT_OURS |= {"--array", "--cpus-per-task", "--ntasks", "--open-mode", "--parsable", "--requeue", "--signal"}
NOT_OURS |= {"--constraint", "--dependency", "--exclude", "--mpi", "--wrap"}
NOT_OURS |= {"--from", "--override", "--spec", "--with", "--write", "--yes"}


def test_groups_are_the_only_place_of_defaults():
    """No function of the front door repeats a default: all come by ``**options``."""
    for function in (fp.make, fp.render, fp.resume, fp.assemble, fp.verify, fp.plan, fp.submit):
        inner = inspect.unwrap(function)
        own = inner.__code__.co_varnames[: inner.__code__.co_argcount + inner.__code__.co_kwonlyargcount]
        declared = {name for kind in GROUPS for name in options.options_of(kind)}
        allowed = (
            {"workers"}
            if function is fp.assemble
            else {"command", "idle_timeout_s"}
            if function is fp.resume
            else set()
        )
        assert set(own) & declared <= allowed, function.__name__


def test_a_group_is_a_dataclass_with_a_heading():
    for kind in GROUPS:
        checked: type[OptionGroup] = kind
        assert checked.heading


def test_the_pages_of_all_options_are_what_the_declaration_says():
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "options", "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
