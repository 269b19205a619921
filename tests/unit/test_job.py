"""The record of a job, stamps, and why a frame is stale."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from framepipe.errors import StoreError, UsageError
from framepipe.job.canvas import Canvas
from framepipe.job.frames import Frames
from framepipe.job.job import Job
from framepipe.job.record import JobRecord
from framepipe.job.stamp import read_stamp, stamp, why_stale


class Scene:
    """What the job asks of a scene, given directly."""

    name, ref = "draw", "/s/scene.py:draw"

    def __init__(self, sources=(), params=None, data=None, style=None, code="c0de", versions=None):
        self.sources, self.params = tuple(sources), params or {}
        self._data, self._style, self._code = data or {}, style or {}, code
        self._versions = {"matplotlib": "3.8.4"} if versions is None else versions

    def code_digest(self):
        return self._code

    def data(self):
        return self._data

    def style(self):
        return self._style

    def versions(self, sources):
        return self._versions


def record(frames=3, canvas=None, inputs=(), goal=None, **scene):
    return Job(Scene(**scene), Frames.of(frames), canvas or Canvas(), tuple(inputs)).record(goal)


def reason(before, now, value=0, value_before=None):
    drawn = before.frame_parts(value if value_before is None else value_before)
    return why_stale(drawn, now.frame_parts(value), before, now)


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "scene.py"
    path.write_text("x = 1\n")
    return path


def test_an_unchanged_job_is_not_stale(script):
    assert reason(record(sources=[script]), record(sources=[script])) == ""


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"params": {"a": 1}}, {"params": {"a": 2}}, "the parameters changed"),
        ({"code": "1"}, {"code": "2"}, "the function changed"),
        ({"data": {"a": "1"}}, {"data": {"a": "2"}}, "data that the function uses changed (a)"),
        ({"data": {"a": "1"}}, {"data": {"b": "1"}}, "data that the function uses changed (a, b)"),
        (
            {"data": {}},
            {"data": dict.fromkeys("abcdefg", "1")},
            "data that the function uses changed (a, b, c, d, e …)",
        ),
        (
            {"style": {"font.size": "10"}},
            {"style": {"font.size": "12"}},
            "rcParams or style changed (font.size)",
        ),
        ({"canvas": Canvas()}, {"canvas": Canvas(dpi=100)}, "dpi, tight or transparent changed"),
        ({"canvas": Canvas()}, {"canvas": Canvas(tight=True)}, "dpi, tight or transparent changed"),
        ({"canvas": Canvas()}, {"canvas": Canvas(transparent=False)}, "dpi, tight or transparent changed"),
        (
            {"params": {"a": 1}, "canvas": Canvas()},
            {"params": {"a": 2}, "canvas": Canvas(dpi=9)},
            "the parameters changed, dpi, tight or transparent changed",
        ),
    ],
)
def test_a_stale_frame_says_what_changed(before, now, why):
    said = reason(record(**before), record(**now))
    assert sorted(said.split(", ")) == sorted(why.split(", "))


def test_another_value_is_a_reason():
    one = record([1.0, 2.0])
    assert reason(one, one, np.float64(2), np.float64(1)) == "the frame's value changed"


def test_a_changed_source_file_is_named(script):
    before = record(sources=[script])
    script.write_text("x = 2\n")
    assert reason(before, record(sources=[script])) == "scene.py changed"


def test_a_comment_in_a_source_file_is_no_reason(script):
    before = record(sources=[script])
    script.write_text("# better\nx   = 1\n")
    assert reason(before, record(sources=[script])) == ""


def test_a_source_file_that_is_gone_is_named(script, tmp_path):
    (tmp_path / "helper.py").write_text("")
    before = record(sources=[script, tmp_path / "helper.py"])
    (tmp_path / "helper.py").unlink()
    assert reason(before, record(sources=[script, tmp_path / "helper.py"])) == "helper.py is missing"


def test_all_reasons_are_said_when_several_apply(script, tmp_path):
    helper, gone = tmp_path / "helper.py", tmp_path / "gone.py"
    for each in (helper, gone):
        each.write_text("x = 1\n")
    before = record(sources=[script, helper, gone], params={"a": 1})
    helper.write_text("x = 2\n")
    gone.unlink()
    now = record(sources=[script, helper, gone], params={"a": 2})
    files = {"data/d5.txt": "2", "data/d6.txt": "absent", str(helper): "2"}
    said = why_stale(before.frame_parts(0), now.frame_parts(0), before, now, files)
    assert said == "the parameters changed, d5.txt, helper.py changed, d6.txt, gone.py is missing"


def test_a_moved_project_is_no_reason(tmp_path):
    paths = []
    for home in ("one", "two"):
        (tmp_path / home).mkdir()
        (tmp_path / home / "scene.py").write_text("x = 1")
        (tmp_path / home / "data.bin").write_bytes(b"1")
        paths.append(tmp_path / home)
    one, two = (record(sources=[path / "scene.py"], inputs=[path / "data.bin"]) for path in paths)
    assert reason(one, two) == ""


def test_a_changed_input_file_is_named(tmp_path):
    data = tmp_path / "data.bin"
    data.write_bytes(b"1")
    before = record(inputs=[data])
    data.write_bytes(b"2")
    assert reason(before, record(inputs=[data])) == "data.bin changed"
    assert reason(before, before.refreshed()) == "data.bin changed"
    data.unlink()
    assert reason(before, before.refreshed()) == ""  # a store that was moved: as recorded


def test_the_scene_says_which_versions_decide_its_pixels():
    before, now = (record(versions={"matplotlib": "3.8.4", "scipy": each}) for each in ("1.0", "1.1"))
    assert reason(before, now) == "a package that the script imports has another version (scipy)"
    assert not {"matplotlib", "packages"} & set(record(versions={}).parts)


def test_another_matplotlib_is_named_with_both_versions():
    now = record()
    before = replace(now, parts={**now.parts, "matplotlib": "3.0.1"})
    assert reason(before, now) == f"matplotlib was 3.0.1, is {now.parts['matplotlib']}"


def test_a_reason_without_the_old_record_is_plain(script):
    before = record(sources=[script])
    script.write_text("x = 2\n")
    now = record(sources=[script])
    assert why_stale(before.frame_parts(0), now.frame_parts(0), None, now) == "the source code changed"


def test_a_reason_never_names_files_of_another_run_than_the_frame_is_of(script):
    first = record(sources=[script], params={"a": 1})
    script.write_text("x = 2\n")
    second = record(sources=[script], params={"a": 1})
    script.write_text("x = 3\n")
    third = record(sources=[script], params={"a": 1})
    said = why_stale(first.frame_parts(0), third.frame_parts(0), second, third)
    assert said == "the source code changed"


def test_another_function_of_the_same_script_makes_other_frames(script):
    one, two = Scene([script], code="one"), Scene([script], code="two")
    two.name = "other"
    records = [Job(scene, Frames.of(3)).record() for scene in (one, two)]
    assert reason(*records) != ""


@pytest.mark.parametrize("dpi", [0, 0.5, -1, 10_001, float("nan"), float("inf")])
def test_a_resolution_that_makes_no_sense_is_refused(dpi):
    with pytest.raises(UsageError, match="not within 1 to 10000"):
        Canvas(dpi=dpi)


FULL = {
    "frames": range(2, 20, 3),
    "canvas": Canvas(137.5, True, False),
    "goal": {"outputs": ["/a b.gif"], "fps": "24"},
    "params": {"amp": 1.5, "name": "é", "nested": {"a": [1, None, True]}},
    "data": {"x": "1"},
    "style": {"font.size": "12"},
}


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        FULL,
        {"frames": [1, 2]},
        {"frames": "5-1"},
        {"frames": "3,1,2"},
        {"frames": 1000},
        {"frames": range(-3, 3)},
    ],
    ids=lambda keywords: str(keywords.get("frames", "none")),
)
def test_a_record_comes_back_from_its_json_sealed(keywords):
    before = record(**keywords)
    after, sealed = JobRecord.from_json(before.to_json())
    assert after == before
    assert sealed


def test_a_record_is_one_text_for_one_job():
    assert record(**FULL).to_json() == record(**FULL).to_json()


def test_parameters_that_json_cannot_keep_are_not_recorded():
    for params in ({"a": {1, 2}}, {"a": (1, 2)}, {"a": float("nan")}, {"a": np.zeros(2)}, {"a": {1: 2}}):
        assert record(params=params).params is None
    assert record(params={"a": [1]}).params == {"a": [1]}


@pytest.mark.parametrize(
    "edit",
    [
        {"ref": "/tmp/evil.py:run"},
        {"cwd": "/"},
        {"numbers": "0-5"},
        {"params": {"a": 1}},
        {"goal": {"outputs": ["/etc/passwd.gif"]}},
        {"seal": ""},
        {"seal": None},
        {"seal": "0" * 64},
    ],
    ids=str,
)
def test_a_record_that_was_edited_is_not_taken_for_ours(edit):
    data = json.loads(record().to_json()) | edit
    _, sealed = JobRecord.from_json(json.dumps(data).encode())
    assert not sealed


def test_a_record_of_a_newer_framepipe_says_so():
    data = json.loads(record().to_json()) | {"framepipe_job": 99}
    with pytest.raises(StoreError, match="newer framepipe"):
        JobRecord.from_json(json.dumps(data).encode())


@pytest.mark.parametrize(
    "damage",
    [
        {"numbers": ""},
        {"numbers": []},
        {"numbers": [1, "2"]},
        {"numbers": [1, True]},
        {"numbers": [1.5]},
        {"numbers": None},
        {"numbers": "0-99999999999"},
        {"numbers": [3, 3]},
        {"canvas": {"dpi": "x", "tight": False, "transparent": None}},
        {"canvas": {"dpi": 0, "tight": False, "transparent": None}},
        {"canvas": {"dpi": 50, "tight": "no", "transparent": None}},
        {"canvas": {"dpi": 50, "tight": False, "transparent": None, "more": 1}},
        {"parts": []},
        {"parts": {"source": 1}},
        {"details": {}},
        {"details": {"source": [], "inputs": {}, "data": {}, "style": {}}},
        {"name": None},
        {"ref": 5},
        {"spec": 5},
        {"cwd": None},
        {"inputs": [1]},
        {"inputs": None},
        {"params": []},
        {"goal": "x"},
        {"values_are_numbers": "perhaps"},
        {"framepipe_job": "1"},
        {"framepipe_job": None},
    ],
    ids=str,
)
def test_a_damaged_record_is_a_store_error(damage):
    data = json.loads(record().to_json()) | damage
    with pytest.raises(StoreError, match=r"job\.json is damaged"):
        JobRecord.from_json(json.dumps(data).encode())


#: Fields that framepipe did not write from the beginning.
LATER = {"extent", "order", "fps", "told", "order_checked", "seed", "owner", "roots", "scheme", "redraw"}


@pytest.mark.parametrize("field", sorted(set(json.loads(record().to_json())) - LATER))
def test_a_record_that_lacks_a_field_is_a_store_error(field):
    data = json.loads(record().to_json())
    del data[field]
    with pytest.raises(StoreError, match="run the render command again"):
        JobRecord.from_json(json.dumps(data).encode())


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"null", b"1", b"\xff\xfe", b"[" * 100_000, b'{"a": 1}'])
def test_what_is_no_record_at_all_is_a_store_error(text):
    with pytest.raises(StoreError):
        JobRecord.from_json(text)


def test_a_refreshed_record_sees_edited_sources_and_keeps_absent_ones(script):
    before = record(sources=[script])
    script.write_text("x = 2\n")
    assert before.refreshed().parts["source"] != before.parts["source"]
    script.unlink()
    assert before.refreshed().parts == before.parts


def test_a_passport_is_one_line_of_ascii_that_can_be_read_back():
    parts = record(params={"é": "\n"}).frame_parts(3)
    text = stamp(7, parts)
    assert text.isascii()
    assert "\n" not in text
    number, fingerprint, read, files = read_stamp(text)
    assert (number, read, files) == (7, parts, {})
    assert len(fingerprint) == 64


def test_a_passport_names_the_files_that_its_frame_was_drawn_from():
    parts, reads = record().frame_parts(3), {"data/é.csv": "1", "../b.npy": "2"}
    read = read_stamp(stamp(7, parts, reads))
    assert read.reads == reads
    assert read.fingerprint == read_stamp(stamp(7, parts)).fingerprint, "they are held against the files"
    for nonsense in (["a"], {"a": 1}, {"a": None}, "a", None):
        data = json.loads(stamp(7, parts, reads)) | {"reads": nonsense}
        assert read_stamp(json.dumps(data)) is None


def test_a_passport_that_does_not_fit_itself_is_none():
    data = json.loads(stamp(7, record().frame_parts(3)))
    assert read_stamp(json.dumps({**data, "parts": {**data["parts"], "value": "x"}})) is None
    assert read_stamp(json.dumps({**data, "number": "7"})) is None
    assert read_stamp(json.dumps({**data, "number": True})) is None
    assert read_stamp(json.dumps({**data, "parts": None})) is None


def test_details_keep_the_paths_of_sources(script):
    assert list(record(sources=[script]).details["source"]) == [str(Path(script))]
