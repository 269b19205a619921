"""Many snaps need no more memory than few, and one worker process."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import framepipe as fp
from tests.integration.programs import started, workers
from tests.support.sizes import LONG

FEW, MANY = (200, 2_000) if LONG else (150, 450)
#: Of the snaps between; a figure that is kept takes more than 30 kB, so a leak of figures twice as much or more.
ALLOWED_MB = 12 if LONG else 4.5
BOX = (0, 0, 1, 1)


def resident_mb():
    """Memory of this process, after what can be freed was freed."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # glibc keeps what it could give back, malloc_trim(3)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def grown_mb(snap):
    """How much more memory the process has after many snaps than after few."""
    for number in range(MANY):
        if number == FEW:
            before = resident_mb()
            assert len(workers()) == 1
        snap(number)
    after = resident_mb()
    assert len(workers()) == 1
    return after - before


def bars(ax, number):
    ax.bar([0, 1], [1, number])


def legend(ax, number):
    ax.plot([0, 1], [0, number], label=str(number))
    ax.legend()


def image(ax, number):
    ax.imshow(np.full((4, 4), number))


def text(ax, number):
    ax.text(0, 0, str(number))


def contour(ax, number):
    ax.contour(np.outer([1, 2, 3], [1, 2, number]), levels=2)


KINDS = [bars, legend, image, text, contour]


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    plt.close("all")
    gc.collect()
    assert started() == []


def test_memory_of_a_recorder_is_flat(tmp_path):
    with fp.Recorder(tmp_path / "s") as recorder:

        def snap(number):
            fig = Figure(figsize=(0.5, 0.5), dpi=20)
            ax = fig.add_axes(BOX)
            ax.set_axis_off()
            KINDS[number % len(KINDS)](ax, number)
            recorder.snap(fig)

        grown = grown_mb(snap)
    assert grown < ALLOWED_MB


@pytest.mark.long
def test_memory_of_a_camera_is_flat():
    fig = plt.figure(figsize=(0.5, 0.5), dpi=20)
    ax = fig.add_axes(BOX)
    ax.set_axis_off()
    camera = fp.Camera(fig)

    def snap(number):
        KINDS[number % len(KINDS)](ax, number)
        camera.snap()

    assert grown_mb(snap) < ALLOWED_MB
    assert not ax.containers
    assert len(ax.get_children()) < 20
