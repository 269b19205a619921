"""The HTML player with its pictures in a folder beside it, in a real browser; and builds that are killed."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from urllib.parse import unquote

import numpy as np
import pytest

import framepipe as fp
from framepipe.core import png
from framepipe.core.images import read_png
from framepipe.formats.html import assets
from framepipe.job.frames import file_name
from tests.integration.browser import (
    POSITION,
    REFRESH_MS,
    Tab,
    at,
    by_refreshes,
    chromium,
    on_screen,
    pixels_of,
    rounds_ms,
    text,
    watch,
)
from tests.integration.movies import moving, stored
from tests.support.sizes import LONG

CANVAS_IS_EMPTY = """(() => {
  const all = document.querySelector('canvas').getContext('2d').getImageData(0, 0, 60, 40).data;
  return all.every((each) => each === 0); })()"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the pages that the tests look at; in its name are signs that mean something in addresses."""
    folder = tmp_path_factory.mktemp("beside") / "a %41#?&é"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        fp.assemble(stored(folder / "line", moving), folder / "b %41#?'é.html", fps=10, html_assets=True)
        fp.assemble(noisy(folder, 300), folder / "many.html", fps=60, html_assets=True)
    return folder


def noisy(folder, count):
    """A store of frames, each of its own pixels."""
    (folder / "given").mkdir()
    for k in range(count):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 60, 3), np.uint8)
        (folder / "given" / file_name(k)).write_bytes(png.encode(pixels))
    fp.adopt(str(folder / "given" / "frame_*.png"), store=folder / "noisy")
    return folder / "noisy"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as number:
        yield number


@pytest.fixture
def tab(port):
    page = Tab(port)
    page.media(prefers_reduced_motion="reduce")
    yield page
    page.close()


@contextlib.contextmanager
def served(folder):
    """The folder's address on a server on loopback."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


def line(place):
    return place / "b %41#?'é.html"


def frame(place, k, store="line"):
    return read_png(place / store / file_name(k))


def copied(place, tmp_path):
    """The long page with its folder, which is to be damaged."""
    folder = assets.folder_of(place / "many.html")
    shutil.copy(place / "many.html", tmp_path)
    shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path / folder.name


def test_every_step_shows_the_next_frames_own_pixels(place, tab):
    tab.open(line(place))
    for k in range(6):
        at(tab, k)
        assert np.array_equal(on_screen(tab), frame(place, k)[..., :3])
        assert text(tab, "#label") == f"Frame {k}"
        tab.press("ArrowRight")
    tab.press("Home")
    at(tab, 0)
    assert np.array_equal(on_screen(tab), frame(place, 0)[..., :3])
    assert not tab.problems()
    page, *others = map(unquote, tab.requests())
    assert page == f"file://{line(place)}"
    assert len(others) == len(set(others)) == 7
    assert all(address.startswith(f"file://{assets.folder_of(line(place))}/") for address in others)


def test_a_server_gives_the_same_pixels_and_is_asked_for_near_ones_only(place, tab):
    with served(place) as address:
        tab.open(f"{address}/many.html")
        for key, k in [("End", 299), ("Home", 0), ("PageUp", 10), ("ArrowRight", 11), ("ArrowLeft", 10)]:
            tab.press(key)
            at(tab, k)
            assert np.array_equal(pixels_of(tab), frame(place, k, "noisy"))
        asked = [each for each in tab.requests() if not each.endswith("/favicon.ico")]  # the browser's own
    assert all(each.startswith(f"{address}/many") for each in asked)
    assert 61 < len(set(asked)) < 200


def test_few_pictures_are_kept_decoded(place, tab):
    count = """(() => { let made = window.createImageBitmap; window.live = 0; window.peak = 0;
      window.createImageBitmap = (...given) => made(...given).then((bitmap) => {
        window.peak = Math.max(window.peak, ++window.live);
        const close = bitmap.close.bind(bitmap);
        bitmap.close = () => { window.live--; close(); };
        return bitmap; }); })()"""
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source=count)
    tab.open(place / "many.html")
    for _ in range(9):
        for key in ("PageUp", "PageUp", "PageUp"):
            tab.press(key)
    at(tab, 270)
    tab.until("window.live > 50")
    assert tab.js("window.peak") <= 61 + 4 + 1  # the window, those in hand, the still


def test_it_plays_all_frames_in_order_and_in_time(place, tab):
    by_refreshes(tab)
    tab.open(line(place))
    watch(tab)
    tab.press(" ")
    tab.until("window.seen.filter((each) => each[0] === 0).length >= 3")
    tab.press(" ")
    seen = tab.js("window.seen")
    assert [each[0] for each in seen][:12] == [k % 6 for k in range(1, 13)]
    assert sum(rounds_ms(tab)[:2]) == pytest.approx(2 * 600, abs=REFRESH_MS + 0.1)


def test_a_missing_picture_is_told_where_it_is_due_and_no_other_is_shown_for_it(place, tab, tmp_path):
    folder = copied(place, tmp_path)
    gone = (folder / "000" / "000003.webp").rename(tmp_path / "gone.webp")
    (folder / "000" / "000005.webp").write_bytes((folder / "000" / "000005.webp").read_bytes()[:-99])
    with served(tmp_path) as address:
        tab.open(f"{address}/many.html")
        for k in (1, 2):
            tab.press("ArrowRight")
            at(tab, k)
            assert text(tab, "#label") == f"Frame {k}"
        tab.press("ArrowRight")
        told = f"Frame 3: its picture is missing or damaged: {folder.name}/000/000003.webp"
        tab.until(f"document.querySelector('#label').textContent === '{told}'")
        assert text(tab, "[role=status]") == told
        assert tab.js("document.querySelector('#scrub').value") == "3"
        assert tab.js(CANVAS_IS_EMPTY)
        tab.press("ArrowRight")
        at(tab, 4)
        assert np.array_equal(pixels_of(tab), frame(place, 4, "noisy"))
        gone.rename(folder / "000" / "000003.webp")
        tab.press("ArrowLeft")
        at(tab, 3)
        assert np.array_equal(pixels_of(tab), frame(place, 3, "noisy"))
        tab.press(" ")  # plays on, to the one that is cut short, and stops there
        tab.until("document.querySelector('#label').textContent.includes('000005.webp')")
        assert tab.js("document.querySelector('#play').ariaLabel") == "Play"
        tab.press(" ")
        tab.until(f"{POSITION} > 5")


def test_a_page_without_its_folder_says_so(place, tab, tmp_path):
    shutil.copy(place / "many.html", tmp_path)
    told = "document.querySelector('#label').textContent.startsWith('The pictures are not here: this page needs')"
    tab.open(tmp_path / "many.html", until=told)
    assert assets.folder_of(place / "many.html").name in text(tab, "#label")


def test_it_can_reach_no_network(place, port):
    tab = Tab(port)
    tab.open(line(place))
    elsewhere = f"http://127.0.0.1:{port}/json"
    for code in (f"fetch('{elsewhere}')", "fetch(location.href)", "import('data:text/javascript,1')"):
        assert tab.js(f"{code}.then(() => 'loaded', () => 'refused')") == "refused"
    for address in (elsewhere, "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA="):
        refused = "new Promise((done) => { const i = new Image(); i.onload = () => done('loaded');"
        assert tab.js(f"{refused} i.onerror = () => done('refused'); i.src = '{address}'; }})") == "refused"
    assert not [address for address in tab.requests() if address.startswith("http")]
    tab.close()


def test_a_notebook_links_to_the_page(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    movie = fp.assemble(place / "line", tmp_path / "a&b.html", html_assets=True)
    shown = movie._repr_mimebundle_()["text/html"]
    folder = assets.folder_of(movie.path).name
    assert (
        shown == f'<p><a href="a%26b.html">a&amp;b.html</a> '
        f"(opens in a browser, with its pictures in {folder.replace('&', '&amp;')})</p>"
    )
    assert movie.size_bytes == sum(path.stat().st_size for path in tmp_path.rglob("*.*") if path.is_file())


def test_the_command_line_builds_verifies_and_cleans_only_what_is_whole(cli, cli_process, folder):
    wanted = ("--frames", "0-5", "-o", "a.html", "--html-assets", "--keep-frames", "--json")
    wanted += ("--player-limit-mb", "0.001")
    made = json.loads(cli_process("make", "scene.py:draw", *wanted, ok=True).stdout)
    (beside,) = folder.glob("a_files-*")
    assert made["movies"][0]["size_bytes"] > (folder / "a.html").stat().st_size
    store = "frames/scene-draw"
    assert re.search(r"ok +files +\d pictures", cli("verify", "a.html", "--store", store, ok=True).stdout)
    gone = (beside / "still.webp").rename(folder / "still.webp")
    done = cli("verify", "a.html", "--store", store)
    assert done.returncode == 6
    assert "1 missing, first still.webp" in done.stdout
    assert cli("clean", store).returncode == 6
    assert len(list((folder / store).glob("frame_*.png"))) == 6
    gone.rename(beside / "still.webp")
    cli("clean", store, ok=True)
    assert not list((folder / store).glob("frame_*.png"))


KILLED = """
import os, signal, sys
import framepipe as fp
left = int(sys.argv[1])
def count(event, given):
    global left
    if event in ("os.rename", "os.remove", "os.rmdir"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
fp.assemble("new", "movie.html", html_assets=True)
"""


def test_a_build_that_is_killed_anywhere_leaves_a_page_that_works_and_the_next_leaves_nothing_else(tmp_path):
    """Killed before each change of a name and before each deletion (in CI, each other), until one comes through."""
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        noisy(tmp_path / name, 2 if name == "old" else 3)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")}
    pages, codes = set(), []
    while 0 not in codes:
        work = tmp_path / f"work{len(codes)}"
        work.mkdir()
        for name in ("old", "new"):
            (work / name).symlink_to(tmp_path / name / "noisy")
        old = fp.assemble(work / "old", work / "movie.html", html_assets=True)
        codes.append(
            subprocess.run(
                [sys.executable, "-c", KILLED, str((1 if LONG else 2) * len(codes))],
                cwd=work,
                env=environment,
                timeout=60,
            ).returncode
        )
        stores = [name for name in ("old", "new") if fp.verify(old.path, tmp_path / name / "noisy").passed]
        assert len(stores) == 1, codes
        pages.add(stores[0])
        fp.assemble(work / "new", work / "movie.html", every=2, html_assets=True)
        assert fp.verify(old.path, work / "new", every=2).passed
        left = {path.name for path in work.iterdir()}
        assert left == {"old", "new", "movie.html", assets.folder_of(old.path).name}, codes
    assert pages == {"old", "new"}
    assert codes[:-1] == [-9] * (len(codes) - 1)
