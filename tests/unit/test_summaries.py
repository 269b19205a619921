"""Reports print as a few lines, the same at a prompt, in a log and in a container."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from framepipe import (
    AdoptReport,
    CleanupReport,
    MakeReport,
    Movie,
    RenderReport,
    ShareReport,
    Sheet,
    StoreStatus,
    VerifyReport,
)
from framepipe.core.process import Tool
from framepipe.core.shape import Shape
from framepipe.core.summary import short_path, size_text
from framepipe.rendering.engines.base import Failed
from framepipe.store.heartbeats import Heartbeat
from framepipe.store.status import FrameState
from framepipe.verification.check import Check

NUMBERS = tuple(range(300))
STORE, PATH = Path("frames/run1"), Path("run1.mp4")
CHECKS = tuple(Check(f"thing {k}", True, "1", "1") for k in range(9))
VERIFIED = VerifyReport(PATH, CHECKS)
MOVIE = Movie(
    PATH, "mp4", Tool("ffmpeg", "/usr/bin/ffmpeg", "7.1"), 300, 12.5, 640, 480, 123456, VERIFIED, ("a note",)
)
RENDER = RenderReport(
    STORE, 300, NUMBERS, 0, {"code of draw()": 3}, (), "local", 4, 12.34, order="replay", notes=("why",)
)
CLEANUP = CleanupReport(STORE, 298, 5_000_000, (7, 8))
SEEN = {number: FrameState("f" * 64, (1, 2)) for number in NUMBERS}

TEXTS = [
    (
        RENDER,
        "300 frames drawn, 0 were done, in frames/run1 (local, 4 at once, order replay, 12.3 s)\n"
        "  note: why\n  drawn again: 3 code of draw()",
    ),
    (
        RenderReport(
            STORE,
            4,
            (0, 1),
            failed=(Failed(2, "raised", "x"), Failed(3, "raised", "x")),
            engine="local",
            workers=2,
        ),
        ("2 frames drawn, 0 were done, in frames/run1 (local, 2 at once, 0.0 s)\n  failed: 2-3"),
    ),
    (
        MOVIE,
        "run1.mp4: 300 frames, 12.50 s, 640x480, 123 kB, by ffmpeg 7.1\n  note: a note\n"
        "  verified: 9 of 9 checks as expected",
    ),
    (VERIFIED, "run1.mp4: 9 of 9 checks as expected"),
    (
        VerifyReport(PATH, (*CHECKS, Check("frames", False, "300", "299"))),
        ("run1.mp4: 9 of 10 checks as expected\n  NO  frames: expected 300, seen 299"),
    ),
    (CLEANUP, "298 frames deleted, 5 MB freed; left in frames/run1, being in no verified movie: 7-8"),
    (
        StoreStatus(STORE, NUMBERS, (300, 301), {}, {}, (), Shape(640, 480, "RGB"), None, 5_000_000, SEEN),
        (
            "frames/run1: 300 of 302 frames done, 640x480 RGB, 5 MB\n  missing: 300-301\n"
            "Go on: framepipe resume frames/run1"
        ),
    ),
    (
        AdoptReport(STORE, NUMBERS, 200, 0, 100, 0, Shape(640, 480, "RGB")),
        ("frames/run1: 300 frames, 0-299, 640x480 RGB (200 linked, 100 decoded)"),
    ),
    (
        Sheet(Path("sheet.png"), NUMBERS, (3,), 20, 15, 4000, 3000),
        ("sheet.png: 300 frames, 20 x 15, 4000x3000 px; grey: 3"),
    ),
    (
        ShareReport(PATH, 10, (1, 3, 5), 1),
        (
            "run1.mp4: 2 segments encoded, 1 were in the store; of 10 in all. Join them: the same without --shard"
        ),
    ),
]


@pytest.mark.parametrize(("report", "text"), TEXTS, ids=[type(report).__name__ for report, _ in TEXTS])
def test_a_report_prints_as_its_summary(report, text):
    assert str(report) == repr(report) == f"{report}" == text
    assert repr([report]) == f"[{text}]"


def test_status_does_not_ask_to_go_on_while_a_task_draws():
    status = StoreStatus(
        STORE, NUMBERS, (300, 301), {}, {}, (), Shape(640, 480, "RGB"), None, 5_000_000, SEEN
    )
    for state, asks in (("drawing", False), ("ended", True)):
        text = str(replace(status, tasks=(Heartbeat(state=state),)))
        assert ("Go on: framepipe resume" in text) is asks


def test_all_stages_of_make_print_one_below_the_other():
    report = MakeReport(RENDER, (MOVIE, MOVIE), CLEANUP)
    assert str(report) == "\n".join(map(str, [RENDER, MOVIE, MOVIE, CLEANUP]))
    assert str(MakeReport(RENDER, (MOVIE,), None)) == f"{RENDER}\n{MOVIE}"


def test_the_command_line_shows_what_was_measured_too():
    assert "\n  ok  thing 8  1         1" in MOVIE.details()
    assert MOVIE.details().startswith(str(MOVIE).rpartition("\n")[0])
    assert MakeReport(RENDER, (MOVIE,), CLEANUP).details() == f"{RENDER}\n{MOVIE.details()}\n{CLEANUP}"
    assert VERIFIED.details() == VERIFIED.table()


def test_a_report_of_a_long_movie_is_short():
    for report, _ in TEXTS:
        assert len(str(report)) < 400


def test_paths_are_told_from_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert short_path(tmp_path / "frames" / "a") == "frames/a"
    assert short_path(Path("/elsewhere/a")) == "/elsewhere/a"
    assert (size_text(999), size_text(1500), size_text(2_500_000_000)) == ("999 bytes", "1.5 kB", "2.5 GB")


def test_a_render_whose_frames_have_each_their_reason_names_the_most_frequent():
    reasons = {f"d{number}.txt changed": 1 for number in range(9)} | {"scene.py changed": 40}
    lines = [line for line in replace(RENDER, redrawn=reasons).summary().splitlines() if "again" in line]
    assert len(lines) == 6
    assert lines[0].split() == ["drawn", "again:", "40", "scene.py", "changed"]
    assert lines[-1].split() == ["drawn", "again:", "5", "for", "5", "other", "reasons"]
