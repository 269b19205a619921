"""How many processors this process may use, by faked cgroup files."""

from __future__ import annotations

import os

import pytest

from framepipe.core import cpus
from framepipe.core.cpus import usable_cpus


def v1(root, quota, period="100000"):
    (root / "cpu").mkdir()
    (root / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (root / "cpu" / "cpu.cfs_period_us").write_text(f"{period}\n")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("max 100000\n", None),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("0 100000\n", None),
        ("", None),
        ("rubbish", None),
        ("100000", None),
    ],
)
def test_a_quota_of_cgroup_v2_is_rounded_up(tmp_path, text, limit):
    (tmp_path / "cpu.max").write_text(text)
    assert cpus._cgroup_quota(tmp_path) == limit


@pytest.mark.parametrize(("quota", "limit"), [("-1", None), ("250000", 3), ("50000", 1), ("x", None)])
def test_a_quota_of_cgroup_v1_is_rounded_up(tmp_path, quota, limit):
    v1(tmp_path, quota)
    assert cpus._cgroup_quota(tmp_path) == limit


def test_without_cgroup_files_there_is_no_quota(tmp_path):
    assert cpus._cgroup_quota(tmp_path) is None


def test_a_period_of_nothing_gives_no_quota(tmp_path):
    v1(tmp_path, "100000", "0")
    assert cpus._cgroup_quota(tmp_path) is None


def test_slurm_can_only_lower_the_count(monkeypatch):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    free = usable_cpus()
    assert 1 <= free <= (os.cpu_count() or 1)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert usable_cpus() == 1
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "100000")
    assert usable_cpus() == free


@pytest.mark.parametrize("text", ["", "0", "-3", "two", "٣", "1.5"])
def test_rubbish_from_slurm_is_ignored(monkeypatch, text):
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    free = usable_cpus()
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", text)
    assert usable_cpus() == free
