"""Options for a cluster: sizes, times and profiles, as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

import framepipe as fp
from framepipe.cluster.profiles import with_profile
from framepipe.cluster.resources import Resources, clock, parse_memory, parse_time
from framepipe.options import SubmitOptions


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1:30:00", 5400),
        ("0:00:01", 1),
        ("100:00:00", 360_000),
        ("2-12:00:00", 216_000),
        ("90m", 5400),
        ("1d", 86_400),
    ],
)
def test_a_walltime_is_read(text, seconds):
    assert parse_time(text) == seconds
    assert parse_time(clock(seconds)) == seconds


@pytest.mark.parametrize(
    "text", ["", "60", "1:30", "0m", "0:00:00", "1:60", "-1:00:00", "1h30m", "٣m", "1:00:00\n"]
)
def test_a_walltime_that_schedulers_would_read_differently_is_refused(text):
    with pytest.raises(fp.UsageError, match=r"is no walltime. Examples: 1:30:00"):
        parse_time(text)


@pytest.mark.parametrize(
    ("text", "size_mb"), [("8G", 8192), ("8GB", 8192), ("1.5GiB", 1536), ("500", 500), ("1K", 1)]
)
def test_a_size_of_memory_is_read(text, size_mb):
    assert parse_memory(text) == size_mb


@pytest.mark.parametrize("text", ["", "0", "-1G", "8P", "G", "1e3", "8 G B"])
def test_a_wrong_size_of_memory_is_refused(text):
    with pytest.raises(fp.UsageError, match=r"is no size of memory. Examples: 8G"):
        parse_memory(text)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"partition": "a b"}, "partition 'a b': give a name of letters"),
        ({"account": "a\n#SBATCH --x"}, "account .*: give a name"),
        ({"directives": ["--a\n--b"]}, "option .*: give one line for the scheduler"),
        ({"directives": [" "]}, "option ' ': give one line"),
        ({"time": "60s", "warning_s": 60}, r"warning_s \(--warning\) is 60 s, and the whole walltime 60 s"),
        ({"tasks": 0}, "tasks is 0; give 1 to 100000"),
    ],
)
def test_what_would_break_a_script_is_refused(options, words):
    with pytest.raises(fp.UsageError, match=words):
        Resources.of(SubmitOptions(**options))


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a profile, and a user with two."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    user = tmp_path / "config/framepipe/profiles.toml"
    user.parent.mkdir(parents=True)
    user.write_text('[big]\npartition = "rome"\nmem = "64G"\ncpus = 16\n\n[default]\naccount = "mine"\n')
    project = tmp_path / "project"
    (project / "deep").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[tool.framepipe.profiles.big]\npartition = "milan"\noption = ["--constraint=x"]\nsetup = "module load a"\n'
    )
    return project


def test_a_project_s_profile_comes_before_the_user_s_and_options_before_both(project):
    found = with_profile({"profile": "big", "mem": "1G", "cpus": None, "directives": ()}, project / "deep")
    assert found["partition"] == "milan" and found["mem"] == "1G"
    assert found["directives"] == ["--constraint=x"] and found["setup"] == "module load a"
    outside = with_profile({"profile": "big"}, project.parent)
    assert (outside["partition"], outside["cpus"]) == ("rome", 16)


def test_the_profile_called_default_is_for_whom_names_none(project):
    assert with_profile({"mem": "1G"}, project) == {"account": "mine", "mem": "1G"}
    assert "account" not in with_profile({"profile": "big"}, project)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[big]\ncolor = "red"\n', "profiles.toml: profile big has 'color'; it may have tasks, cpus"),
        ("[big]\ncpus = 0\n", "profiles.toml: profile big: cpus is 0; give 1 to"),
        ("[big]\nload = false\n", "has 'load'"),
        ("big = 3\n", r"big is not a profile: write \[NAME\]"),
        ("[big\n", "profiles.toml cannot be read"),
    ],
)
def test_a_profile_with_a_mistake_is_refused(tmp_path, monkeypatch, text, words):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "framepipe").mkdir()
    (tmp_path / "framepipe/profiles.toml").write_text(text)
    with pytest.raises(fp.UsageError, match=words):
        with_profile({"profile": "big"}, Path("/"))


def test_an_unknown_profile_is_refused_with_those_that_exist(project):
    with pytest.raises(
        fp.UsageError, match=r"profile 'small' is not in .*profiles.toml.*; there: big, default"
    ):
        with_profile({"profile": "small"}, project)
