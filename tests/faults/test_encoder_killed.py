"""The real encoder killed while it works: a playable but short movie is never published."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import Bench, names_in
from tests.support.sizes import FAULTS
from tests.support.waiting import PATIENCE_S, wait_for

#: Long enough for a kill to fall into the encoding, and short enough for one segment.
SLOW = ("--hold-last", 6, "--preset", "slower", "--crf", 0)


def encoders(bench: Bench, last: str) -> list[int]:
    """ffmpeg at work on the movie itself, not its watchdog and not the trial."""
    return [
        pid
        for pid, command in bench.processes().items()
        if command.split(" ")[0].rpartition("/")[2].startswith("ffmpeg") and last in command
    ]


BIG = """
    import numpy as np
    from matplotlib.figure import Figure

    def draw(value):
        figure = Figure(figsize=(5, 4), dpi=100)
        noise = np.random.default_rng(value).random((60, 80))
        figure.add_axes((0, 0, 1, 1)).imshow(noise, interpolation="bicubic")
        return figure
"""


@pytest.fixture(scope="session")
def big_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bench = Bench(tmp_path_factory.mktemp("big"))
    bench.scene(BIG)
    bench.run(
        "render", "tiny.py:draw", "--frames", 10, "--store", "store", "--engine", "serial", "-q", ok=True
    )
    bench.close()
    return bench.store


@pytest.fixture
def big(bench: Bench, big_store: Path) -> Bench:
    """Frames that take an encoder a while."""
    shutil.copytree(big_store, bench.store)
    return bench


@pytest.mark.parametrize("name", ["movie.mp4", "movie.gif"])
def test_movie_of_a_killed_encoder_is_never_published(big: Bench, name: str, dice: random.Random) -> None:
    frames, hit = big.frames(), 0
    options = SLOW if name.endswith("mp4") else ("--dither", "sierra2", "--palette", "per-frame")
    for how in [signal.SIGKILL, signal.SIGTERM, signal.SIGINT] * FAULTS:
        (big.folder / name).write_bytes(b"the older movie")
        process = big.start("assemble", "store", "-o", name, *options, "-q")
        wait_for(lambda: any(big.folder.glob(f".*.tmp/{name}")) or process.poll() is not None)
        time.sleep(dice.uniform(0, 0.15))
        for pid in encoders(big, name):
            os.kill(pid, how)
            hit += 1
        _, err = process.communicate(timeout=PATIENCE_S)
        if process.returncode:
            assert process.returncode == 5, err
            assert (big.folder / name).read_bytes() == b"the older movie"
        else:
            big.run("verify", name, "--store", "store", ok=True)
        assert big.frames() == frames
        assert big.orphans() == {}
        assert names_in(big.folder) == sorted([name, "store", "tiny.py"])
    assert hit, "no kill met the encoder"


@pytest.mark.parametrize("name", ["movie.mp4", "movie.gif"])
def test_killed_framepipe_takes_its_encoder_along_and_its_work_folder_is_removed_later(
    big: Bench, name: str
) -> None:
    process = big.start(
        "assemble", "store", "-o", name, *(SLOW if name.endswith("mp4") else ("--dither", "sierra2")), "-q"
    )
    wait_for(lambda: encoders(big, name))
    process.kill()
    process.wait()
    assert big.orphans() == {}
    assert not (big.folder / name).exists()
    big.run("assemble", "store", "-o", name, "-q", ok=True)
    assert names_in(big.folder) == sorted([name, "store", "tiny.py"])


def test_temporary_folder_of_the_system_is_left_clean_by_a_killed_framepipe(big: Bench) -> None:
    """What verification unpacks can be gigabytes; the next run removes it, or it lay in the work folder."""
    temporary = big.folder.parent / "tmp"
    temporary.mkdir()
    slow = big.folder.parent / "slow-ffmpeg"
    slow.write_text(
        "#!/bin/bash\n"
        'if [[ " $* " == *" -i movie "* ]]; then\n'  # it decodes, to verify
        '    ffmpeg "$@"; touch "$FB_LOG.reached"; sleep 600\n'
        "fi\n"
        'exec ffmpeg "$@"\n'
    )
    slow.chmod(0o755)
    env = {"TMPDIR": str(temporary), "FRAMEPIPE_FFMPEG": str(slow)}
    process = big.start("assemble", "store", "-o", "movie.mp4", "--preset", "ultrafast", "-q", **env)
    wait_for(lambda: os.path.exists(f"{big.log}.reached"))
    process.kill()
    process.wait()
    assert big.orphans() == {}
    big.run(
        "assemble", "store", "-o", "movie.mp4", "--preset", "ultrafast", "-q", ok=True, TMPDIR=str(temporary)
    )
    assert names_in(temporary) == []
