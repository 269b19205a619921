"""Whatever a store contains, no verb ends as a bug: every file in it is changed by chance, in every way known.

Numbers become text, fields vanish, lists are nested ten thousand deep, names are swapped, folders and links
stand for files. The verbs run in this process, so that many stores can be tried.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import framepipe
from framepipe.cli import run
from framepipe.core import png, signing
from framepipe.job.stamp import read_stamp, stamp
from framepipe.store.segment_cache import Key, SegmentCache
from framepipe.store.store import Store
from tests.support.sizes import FAULTS

VERBS = (
    ["status", "store"],
    ["status", "store", "--deep", "--json"],
    ["sheet", "store", "-o", "sheet.png"],
    ["verify", "movie.gif", "--store", "store"],
    ["assemble", "store", "-o", "new.gif", "-q", "--dry-run"],
    ["assemble", "store", "-o", "new.gif", "-q", "--missing", "hold", "--stale", "keep"],
    ["resume", "store", "-q", "--engine", "serial"],
    ["clean", "store"],
    ["clean", "store", "--movie", "movie.gif"],
    ["clean", "store", "--force"],
)
DEEP = "[" * 10_000 + "]" * 10_000
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    3,
    10**30,
    -(10**400),
    0.5,
    float("nan"),
    float("inf"),
    1e308,
    "",
    "3",
    "x",
    "0-3",
    "1/0",
    "-1/3",
    "0" * 64,
    "\ud800",
    "\x00",
    "a\nb",
    "/dev/zero",
    "../..",
    "%d",
    "free",
    "recorded",
    "growing",
    [],
    {},
    [None],
    [[]],
    {"": None},
    {"0": {"0": {}}},
    ["0"] * 50,
    [0, 0],
    list(range(50)),
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to each value in JSON data."""
    found = [path] if path else []
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        found += places(value, (*path, key))
    return found


def change_json(text: str, dice: random.Random) -> str:
    """JSON with some of its values changed, taken away, doubled or swapped."""
    data = json.loads(text)
    sealed = isinstance(data, dict) and dice.random() < 0.5
    for _ in range(dice.choice((1, 1, 1, 2, 5))):
        where = dice.choice(places(data))
        inside = data
        for key in where[:-1]:
            inside = inside[key]
        if sealed and where[0] in ("goal", "told", "ref", "spec", "cwd"):
            continue  # what is sealed is run
        way = dice.randrange(6)
        if way == 0:
            del inside[where[-1]]
        elif way == 1 and isinstance(inside, dict):
            inside[dice.choice(("x", "", "0", "99999999", "-1", "\ud800", "1" * 400))] = inside[where[-1]]
        elif way == 2:
            inside[where[-1]] = [inside[where[-1]]]
        elif way == 3:
            inside[where[-1]] = str(inside[where[-1]])
        else:
            inside[where[-1]] = dice.choice(VALUES)
        if not places(data):
            break
    if sealed and "framepipe_job" in data:
        data["seal"] = signing.sign(data)
    return json.dumps(data)


def change_text(text: str, dice: random.Random) -> str:
    """Text with something that is no JSON, or that Python reads and the standard does not allow."""
    at = dice.randrange(len(text))
    ways: tuple[Callable[[], str], ...] = (
        lambda: text[:at],
        lambda: text[:at] + text[at + dice.randrange(1, 40) :],
        lambda: text.replace(":", f": {DEEP}, ", 1),
        lambda: text.replace("0", "NaN", 1),
        lambda: text.replace("1", "9" * 5000, 1),
        lambda: text.replace('"', '"\\ud800', 3),
        lambda: text[:-2] + "," + text[1:],  # every key twice
        lambda: DEEP,
        lambda: "{" + '"a":{' * 10_000 + "}" * 10_001,
    )
    return dice.choice(ways)()


def change_file(path: Path, dice: random.Random) -> None:
    """Other bytes, or no file at all."""
    data = path.read_bytes()
    ways = (
        lambda: path.write_bytes(data[: dice.randrange(len(data) + 1)]),
        lambda: path.write_bytes(bytes(byte ^ (dice.random() < 0.01) for byte in data)),
        lambda: path.write_bytes(data + data),
        lambda: path.write_bytes(dice.randbytes(200)),
        lambda: path.unlink(),
        lambda: replace(path, path.mkdir),
        lambda: replace(path, lambda: os.mkfifo(path)),
        lambda: replace(path, lambda: path.symlink_to(path.name)),
        lambda: replace(path, lambda: path.symlink_to("frame_000001.png")),
        lambda: replace(path, lambda: path.symlink_to("/dev/zero")),
        lambda: path.rename(path.with_name(f"frame_{dice.choice((1, 2, 9, -3, 10**12, 10**30)):06d}.png")),
    )
    dice.choice(ways)()


def replace(path: Path, make: Callable[[], object]) -> None:
    path.unlink()
    make()


def parts_of(text: str) -> dict[str, str]:
    """Of a stamp, if nobody has changed it."""
    borne = read_stamp(text)
    return dict(borne[2]) if borne else {}


def change_frame(path: Path, dice: random.Random) -> None:
    """Other pixels, or another stamp, with all checksums right."""
    info = png.inspect(path)
    if info is None or info.damage:
        return
    text = info.stamp if info.stamp.startswith("{") else stamp(1, {"value": "x"})
    way = dice.randrange(6)
    if way == 0:
        text = change_json(stamp(3, {"run": "x", "recorded": "0-2"}), dice)
    elif way == 1:
        text = change_text(text, dice)[:60_000]
    elif way == 2:
        parts = {
            **parts_of(text),
            "recorded": dice.choice(("0-99", "9999999-1", "x", "0-9999999", "0-99999999x100")),
        }
        text = stamp(dice.randrange(5), parts)
    same = info.height, info.width, len(info.mode)
    shape = dice.choice((same, same, same, (6, 8, 3), (6, 8, 4), (1, 1, 3), (3000, 2, 3)))
    pixels = np.full(shape, dice.randrange(256), np.uint8)
    path.write_bytes(png.encode(pixels, text.encode("ascii", "replace").decode(), background=(1, 2, 3)))
    if dice.random() < 0.5:  # pixels that do not unpack, under a right checksum
        data = path.read_bytes()
        at = data.index(b"IDAT") - 4
        path.write_bytes(data[:at] + png._chunk(b"IDAT", dice.randbytes(30)) + png._END)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A store of each kind, each with a movie: drawn, recorded, adopted."""
    base = tmp_path_factory.mktemp("contents")
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.getbasetemp() / "state")  # as `own_account`
    (base / "small.py").write_text(
        "from matplotlib.figure import Figure\ndef draw(k): return Figure(figsize=(0.08, 0.06), dpi=100)\n"
    )
    for kind in ("drawn", "recorded", "adopted"):
        folder = base / kind
        folder.mkdir()
        if kind == "drawn":
            options = {"engine": "serial", "order": "free", "output": folder / "movie.gif"}
            framepipe.make(f"{base}/small.py:draw", 4, store=folder / "store", keep_frames=True, **options)
        elif kind == "recorded":
            with framepipe.Recorder(folder / "store", workers=0) as recorder:
                for number in range(4):
                    recorder.snap(np.full((6, 8, 3), 60 * number, np.uint8))
        else:
            for number in range(4):
                picture = png.encode(np.full((6, 8, 3), 60 * number, np.uint8))
                (folder / f"picture{number}.png").write_bytes(picture)
            framepipe.adopt(str(folder / "picture*.png"), folder / "store")
        if kind != "drawn":
            framepipe.assemble(folder / "store", folder / "movie.gif")
        segment = folder / "segment.mp4"
        segment.write_bytes(b"a segment")
        SegmentCache(Store(folder / "store")).add(Key("0" * 16, "1" * 32, ".mp4"), segment)
    return [base / kind for kind in ("drawn", "recorded", "adopted")]


def change_store(store: Path, dice: random.Random) -> None:
    """Something in it becomes something else."""
    paths = sorted(path for path in store.rglob("*") if path.is_file() and not path.is_symlink())
    jsons = [path for path in paths if path.suffix == ".json"]
    frames = [path for path in paths if path.suffix == ".png"]
    way = dice.randrange(8)
    if way <= 3 and jsons:
        path = dice.choice(jsons)
        try:
            path.write_text(change_json(path.read_text(), dice))
        except (ValueError, RecursionError, IndexError):  # it was changed before
            change_file(path, dice)
    elif way == 4 and jsons:
        path = dice.choice(jsons)
        if text := path.read_text(errors="replace"):
            path.write_text(change_text(text, dice))
    elif way <= 6 and frames:
        change_frame(dice.choice(frames), dice)
    elif paths:
        change_file(dice.choice(paths), dice)


def test_no_content_of_a_store_is_a_bug(
    stores: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    dice: random.Random,
) -> None:
    codes = set()
    for count in range(40 * FAULTS):
        bench = tmp_path / str(count)
        shutil.copytree(dice.choice(stores), bench, symlinks=True)
        monkeypatch.chdir(bench)
        for _ in range(dice.choice((1, 1, 2, 4))):
            change_store(bench / "store", dice)
        for verb in dice.sample(VERBS, 4):
            code = run(verb)
            err = capsys.readouterr().err
            assert code != 1 and "this is a bug" not in err, f"{bench}: framepipe {' '.join(verb)}\n{err}"
            codes.add(code)
        monkeypatch.chdir(tmp_path)
        shutil.rmtree(bench)
    assert {0, 3, 6} <= codes, "too few kinds of damage were tried"


NOBODY = 65534


@pytest.fixture
def another_account() -> Iterator[Callable[[], None]]:
    """Become one that may read and write nothing of ours, since root may do all."""
    yield lambda: os.seteuid(NOBODY) if os.getuid() == 0 else None
    if os.getuid() == 0:
        os.seteuid(0)


@pytest.mark.parametrize("what", ["job.json", "movies.json", "frame_000001.png", "segments", ".", ".."])
def test_what_may_not_be_read_or_written_is_told(
    stores: list[Path],
    what: str,
    another_account: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to other accounts
        bench = Path(folder) / "bench"
        shutil.copytree(stores[0], bench)
        monkeypatch.chdir(bench)
        for verb in VERBS[:6]:  # what they import lazily may lie where the other account may not read
            run(verb)
        Path(folder).chmod(0o755)
        (bench / "store").chmod(0o555)
        (bench / "store" / what).chmod(0)
        another_account()
        capsys.readouterr()
        codes = {" ".join(verb): (run(verb), capsys.readouterr().err) for verb in VERBS}
        if os.getuid() == 0:
            os.seteuid(0)
        for path in (bench, bench / "store"):
            path.chmod(0o755)
        monkeypatch.chdir("/")
    for verb, (code, err) in codes.items():
        assert code != 1 and "this is a bug" not in err, f"{verb}\n{err}"
    code, err = codes["status store"]
    if what in ("job.json", ".", ".."):
        assert code == 3 and "ermission denied" in err
