"""The record of a job where an earlier run has left its own: what has to be drawn again, and what not."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from framepipe.job.canvas import Canvas
from framepipe.job.contents import FileDigests
from framepipe.job.frames import Frames
from framepipe.job.job import Evidence, Job
from framepipe.job.record import JobRecord, source_digests
from framepipe.job.stamp import why_stale
from tests.unit.test_job import Scene


def read(folder, *names, params=None, sources=(), seed=None):
    """The record of a run whose loading has read these files."""
    files = FileDigests().of_all([str(folder / name) for name in names])
    job = Job(Scene(sources, params), Frames.of(3), Canvas(), (), seed=seed)
    return replace(job, evidence=Evidence(files)).record()


def gone_on(before, now):
    """What the next run records, and why it draws a frame of the earlier one again; empty if it does not."""
    record = now.continued(before, FileDigests())
    return record, why_stale(before.frame_parts(0), record.frame_parts(0), before, record)


@pytest.fixture
def data(tmp_path):
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text(f"{name}\n")
    return tmp_path


def test_a_first_run_has_nothing_to_go_on_with(data):
    now = read(data, "a.csv")
    assert now.continued(None, FileDigests()) is now


def test_a_run_that_reads_the_same_costs_nothing(data):
    record, why = gone_on(read(data, "a.csv", "b.csv"), read(data, "b.csv", "a.csv"))
    assert why == ""
    assert record.parts == read(data, "a.csv", "b.csv").parts


def test_what_was_read_then_and_is_as_it_was_need_not_be_read_again(data):
    record, why = gone_on(read(data, "a.csv", "b.csv"), read(data, "a.csv"))
    assert why == ""
    assert set(record.details["reads"]) == {str(data / "a.csv"), str(data / "b.csv")}


def test_a_change_of_what_only_the_earlier_run_has_read_counts(data):
    before = read(data, "a.csv", "b.csv")
    (data / "b.csv").write_text("other\n")
    assert gone_on(before, read(data, "a.csv"))[1] == "b.csv changed"


def test_a_change_of_what_both_have_read_counts(data):
    before = read(data, "a.csv", "b.csv")
    (data / "a.csv").write_text("other\n")
    record, why = gone_on(before, read(data, "a.csv", "b.csv"))
    assert why == "a.csv changed"
    assert gone_on(record, read(data, "a.csv", "b.csv"))[1] == "", "and only once"


def test_a_file_that_is_read_for_the_first_time_costs_nothing(data):
    record, why = gone_on(read(data, "a.csv"), read(data, "a.csv", "b.csv"))
    assert why == ""
    assert set(record.details["also_read"]) == {str(data / "b.csv")}


def test_a_file_that_a_later_run_has_read_counts_from_then_on(data):
    record, _ = gone_on(read(data, "a.csv"), read(data, "a.csv", "b.csv"))
    third, why = gone_on(record, read(data, "a.csv", "c.csv"))
    assert why == ""
    assert set(third.details["also_read"]) == {str(data / "b.csv"), str(data / "c.csv")}
    (data / "b.csv").write_text("other\n")
    assert gone_on(third, read(data, "a.csv", "b.csv"))[1] != ""
    assert gone_on(third, read(data, "a.csv"))[1] != ""


def test_a_record_that_goes_on_comes_back_from_its_json(data):
    record, _ = gone_on(read(data, "a.csv"), read(data, "a.csv", "b.csv"))
    assert JobRecord.from_json(record.to_json()) == (record, True)


def test_a_file_that_is_gone_is_named(data):
    before = read(data, "a.csv", "b.csv")
    (data / "b.csv").unlink()
    record, why = gone_on(before, read(data, "a.csv"))
    assert why == "b.csv is missing"
    assert str(data / "b.csv") not in record.details["reads"]
    assert gone_on(record, read(data, "a.csv"))[1] == ""


def test_a_file_that_was_not_there_and_has_come_counts(data):
    before = read(data, "a.csv", "later.csv")
    assert gone_on(before, read(data, "a.csv", "later.csv"))[1] == ""
    (data / "later.csv").write_text("here\n")
    assert gone_on(before, read(data, "a.csv", "later.csv"))[1] == "later.csv changed"


def test_a_temporary_file_of_the_earlier_run_costs_nothing(data):
    with tempfile.NamedTemporaryFile() as file:
        before = read(data, "a.csv", file.name)
    assert before.details["reads"][file.name] != "absent"
    assert gone_on(before, read(data, "a.csv"))[1] == ""
    with tempfile.NamedTemporaryFile() as other:
        assert gone_on(before, read(data, "a.csv", other.name))[1] == ""
    assert before.refreshed().parts == before.parts, "nor does status say so"


def test_status_sees_a_changed_file_without_loading_the_scene(data):
    before = read(data, "a.csv", "b.csv")
    assert before.refreshed().parts == before.parts
    (data / "b.csv").write_text("other\n")
    now = before.refreshed(FileDigests())
    assert why_stale(before.frame_parts(0), now.frame_parts(0), before, now) == "b.csv changed"


def test_files_are_not_asked_for_twice(data):
    class Counted(FileDigests):
        asked = 0

        def of(self, path, **about):
            self.asked += 1
            return super().of(path, **about)

    digests = Counted()
    read(data, "a.csv", "b.csv").continued(read(data, "a.csv", "b.csv", "c.csv"), digests)
    assert digests.asked == 1, "what this run has read itself is known"


def test_other_parts_still_count(data):
    assert gone_on(read(data, "a.csv", params={"a": 1}), read(data, "a.csv", params={"a": 2}))[1] == (
        "the parameters changed"
    )


def test_another_scene_does_not_go_on(data):
    now = read(data, "a.csv")
    assert now.continued(replace(read(data, "a.csv", "b.csv"), name="other"), FileDigests()) is now


@pytest.mark.parametrize("which", ["before", "now"])
def test_a_run_of_which_nobody_saw_what_it_read_costs_nothing(data, which):
    seen, unseen = read(data, "a.csv"), Job(Scene(), Frames.of(3)).record()
    before, now = (unseen, seen) if which == "before" else (seen, unseen)
    record, why = gone_on(before, now)
    assert why == ""
    (data / "a.csv").write_text("other\n")
    assert gone_on(record, read(data, "a.csv"))[1] != "", "and the file counts from then on"


@pytest.mark.parametrize("which", ["before", "now"])
def test_a_record_that_says_nothing_of_what_was_read_takes_nothing_over(data, which):
    seen = read(data, "a.csv")
    details = {name: detail for name, detail in seen.details.items() if name != "reads"}
    parts = {name: part for name, part in seen.parts.items() if name != "reads"}
    silent = replace(seen, details=details, parts=parts)
    before, now = (silent, seen) if which == "before" else (seen, silent)
    record, why = gone_on(before, now)
    assert record is now
    assert why == ""


def test_a_moved_project_with_its_data_costs_nothing(tmp_path):
    records = []
    for home in ("one", "two"):
        (tmp_path / home / "data").mkdir(parents=True)
        (tmp_path / home / "scene.py").write_text("x = 1\n")
        (tmp_path / home / "data" / "a.csv").write_text("1\n")
        records.append(read(tmp_path / home, "data/a.csv", sources=[tmp_path / home / "scene.py"]))
    assert why_stale(records[0].frame_parts(0), records[1].frame_parts(0), *records) == ""


def by_old_rules(record):
    """As framepipe 0.1 has written it: sources count whole, and it knew of no files but inputs."""
    names = ("scene", "source", "inputs", "data", "style")
    details = {name: record.details[name] for name in names}
    details["source"] = source_digests([Path(path) for path in details["source"]])
    old = replace(record, scheme=1, seed=None, roots=(), details=details)
    parts = {name: part for name, part in record.parts.items() if name not in ("packages", "reads", "seed")}
    return replace(old, parts=parts | {"source": old.refreshed().parts["source"]})


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "scene.py"
    path.write_text("def draw(k):\n    return k\n\ndef unused():\n    return 1\n")
    return path


def test_a_store_of_an_older_framepipe_goes_on_by_its_rules(data, script):
    before = by_old_rules(read(data, sources=[script]))
    record, why = gone_on(before, read(data, "a.csv", sources=[script], seed=7))
    assert why == ""
    assert (record.scheme, record.seed) == (1, None)
    assert "seed" not in record.parts
    assert JobRecord.from_json(record.to_json()) == (record, True)
    assert gone_on(record, read(data, "a.csv", sources=[script], seed=9))[1] == "", "the third run too"


def test_a_store_of_an_older_framepipe_whose_script_was_edited_is_drawn_again(data, script):
    before = by_old_rules(read(data, sources=[script]))
    script.write_text(script.read_text().replace("return k", "return 2 * k"))
    now = read(data, "a.csv", sources=[script], seed=7)
    record, why = gone_on(before, now)
    assert record is now
    assert "scene.py changed" in why


@pytest.mark.parametrize("change", ["params", "canvas"])
def test_a_store_of_an_older_framepipe_sees_other_parameters_and_canvas(data, script, change):
    before = by_old_rules(read(data, sources=[script]))
    now = read(data, sources=[script])
    other = Job(Scene([script], {"a": 1}), Frames.of(3), Canvas(dpi=50), evidence=Evidence({})).record()
    record, why = gone_on(before, replace(now, parts={**now.parts, change: other.parts[change]}))
    assert record.scheme == 1
    assert why
