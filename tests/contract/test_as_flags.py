"""What `as_flags` writes, the command line reads back as the same options."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import framepipe as fp
from framepipe.cli.options import flags
from framepipe.options import (
    DrawOptions,
    EncodeOptions,
    SceneOptions,
    ShardOptions,
    SubmitOptions,
    UseOptions,
    as_flags,
    default_of,
    options_of,
    split,
)
from framepipe.timeline import Timing

GROUPS = [SceneOptions, DrawOptions, ShardOptions, Timing, EncodeOptions, UseOptions, SubmitOptions]
#: A value for each option that is not chosen from a list, is no number, and is no switch.
VALUES: dict[str, Any] = {
    "time_left": "1:30:00",
    "address": "tcp://node1:8786",
    "scheduler_file": "a b/scheduler.json",
    "params": {"amplitude": 0.5, "title": "a=b", "digits": "3", "null": "null", "many": [1, "x"], "on": True},
    "seed": "12",
    "env": ["HOME", "-x"],
    "inputs": ["a b.npy", "--odd"],
    "command": "prog --frame {number}",
    "dim": "time",
    "animation": "-1",
    "shard": "2/8",
    "only": "0-9x3",
    "fps": "30000/1001",
    "durations_s": "-times.csv",
    "part": "3-4",
    "loop": 2,
    "palette": "viridis",
    "codec_options": {"tune": "animation", "x": "-1"},
    "labels": "value",
    "metadata": {"title": "it's, \n=x"},
    "mem": "8G",
    "time": "1:00:00",
    "partition": "-p",
    "account": "a",
    "directives": ["--constraint=rome", "-l x"],
    "setup": "module load x\ny",
    "python": "/a b/python",
    "profile": "big",
}


def sample(entry):
    """A value of an option that is not its default."""
    declaration, default = entry.metadata, default_of(entry)
    if entry.name in VALUES:
        return VALUES[entry.name]
    if "bool" in str(entry.type):
        return default is not True
    if declaration["one_of"]:
        return next(each for each in declaration["one_of"] if each != default)
    return 7


def read_back(group, arguments):
    seen = []

    @click.command()
    @flags(group)
    def command(**keywords):
        seen.append(split(keywords, group, verb="trial")[0])

    command.main(arguments, standalone_mode=False)
    return seen[0]


@pytest.mark.parametrize(
    ("group", "name"),
    [
        (group, name)
        for group in GROUPS
        for name, entry in options_of(group).items()
        if entry.metadata["flag"] != ""
    ],
)
def test_each_option_is_read_back_as_it_was_written(group, name):
    keywords = {name: sample(options_of(group)[name])}
    if name == "layers":  # ImageMagick's alone
        keywords["encoder"] = "imagemagick"
    arguments = as_flags(keywords, group)
    assert arguments
    back = getattr(read_back(group, arguments), name)
    expected = getattr(split(keywords, group, verb="trial")[0], name)
    assert (list(back) if isinstance(expected, list) else back) == expected


def test_options_at_their_default_are_left_out():
    for group in GROUPS:
        assert as_flags({name: default_of(entry) for name, entry in options_of(group).items()}, group) == []


def test_a_switch_that_is_on_by_default_can_be_switched_off():
    assert as_flags({"load": False}, SubmitOptions) == ["--no-load"]
    assert as_flags({"transparent": False}, SceneOptions) == ["--opaque"]


def test_rates_and_paths_are_written_as_text():
    assert as_flags({"fps": Fraction(30000, 1001)}, Timing) == ["--fps=30000/1001"]
    assert as_flags({"durations_s": Path("a b")}, Timing) == ["--durations=a b"]


@pytest.mark.parametrize(
    ("keywords", "group", "words"),
    [
        ({"durations_s": [1, 2]}, Timing, "durations_s is a list, which a command line cannot hold"),
        ({"params": {"x": object()}}, SceneOptions, "params: a object cannot be handed on as text"),
        ({"params": {"x": float("nan")}}, SceneOptions, "params: a float cannot"),
        ({"engine": object()}, DrawOptions, "engine is a object"),
    ],
)
def test_what_a_command_line_cannot_hold_is_refused(keywords, group, words):
    with pytest.raises(fp.UsageError, match=words):
        as_flags(keywords, group)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(st.dictionaries(st.from_regex(r"[a-z_]{1,5}", fullmatch=True).filter(str.isidentifier), json_values))
def test_parameters_of_any_text_and_number_are_read_back(params):
    assert dict(read_back(SceneOptions, as_flags({"params": params}, SceneOptions)).params or {}) == params
