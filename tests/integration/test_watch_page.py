"""The page of a render in a real browser, while a real render runs, and afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import urllib.error
import urllib.request

import numpy as np
import pytest

import framepipe as fp
from framepipe.core.images import read_png
from framepipe.job.frames import file_name
from framepipe.store.failures import FailureLog
from framepipe.store.heartbeats import Heartbeat, Heartbeats
from framepipe.watching.address import listen
from framepipe.watching.server import PageServer
from tests.integration.browser import Tab, chromium, pixels_of, text
from tests.support import many_frames
from tests.support.forked import Python
from tests.support.stand_in_schedulers import StandIn
from tests.support.waiting import PATIENCE_S, wait_for

COUNT = 12
FAILS = 5
#: Four frames at a time are drawn once a file allows them.
SCENE = """
    import os, time
    import numpy as np

    def draw(k):
        while not os.path.exists(f"go-{k // 4}"):
            time.sleep(0.02)
        if k == 5:
            raise ValueError("no <b>data</b><img src=x onerror='window.bad=1'> for frame 5")
        picture = np.full((90, 160, 3), 230, np.uint8)
        picture[10:80, 10 : 20 + 10 * k] = (200, 20 * k, 40)
        return picture
"""
MARKUP = "</script><script>window.bad=1</script><img src=x onerror='window.bad=1'>"
READY = "document.querySelector('#percent').textContent.includes('%')"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as number:
        yield number


@pytest.fixture
def tab(port):
    """A page that must not complain, but of a server that is gone, and ask nobody else for anything."""
    page = Tab(port, 1280, 900)
    page.media(prefers_reduced_motion="reduce")
    page.expected = ["net::ERR_"]
    yield page
    problems = [each for each in page.problems() if not any(text in str(each) for text in page.expected)]
    requests = page.requests()
    page.close()
    assert not problems
    assert all(address.startswith(("http://127.0.0.1:", "about:", "blob:")) for address in requests)


@contextlib.contextmanager
def served(store):
    """The page of a store, by a thread; yields its address."""
    listener, address = listen(store)
    server = PageServer(fp.Store(store), listener, address)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield address.url()
    finally:
        server.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def started(folder, *args):
    """A command of framepipe's in a process of its own."""
    return Python(
        [sys.executable, "-m", "framepipe", *map(str, args)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def watching(folder):
    """`framepipe watch`, and the address that it has printed."""
    process = started(folder, "watch", "s", "--json")
    return process, json.loads(process.stdout.readline())["address"]


def headline(tab):
    return text(tab, "#headline")


def on_canvas(tab, number, position):
    """The pixels that are shown, once it is this frame at this position."""
    tab.until(
        f"(({{position, number}}) => position === '{position}' && number === '{number}')"
        "(document.querySelector('#picture').dataset)"
    )
    return pixels_of(tab, "#picture")[..., :3]


def scrub_to(tab, position):
    tab.js(
        f"(() => {{ const scrub = document.querySelector('#scrub'); scrub.value = {position};"
        " scrub.dispatchEvent(new Event('input')); })()"
    )


def frame(store, number):
    return read_png(store / file_name(number))[..., :3]


def test_a_render_is_seen_as_it_goes_and_the_page_goes_on_when_its_server_was_killed(tmp_path, tab):
    (tmp_path / "scene.py").write_text(textwrap.dedent(SCENE))
    (tmp_path / "go-0").touch()
    render = started(tmp_path, "render", "scene.py:draw", "--frames", COUNT, "--store", "s", "-j", 1, "-q")
    wait_for(lambda: len(fp.Store(tmp_path / "s").numbers()) == 4)
    watch, address = watching(tmp_path)
    tab.open(address, until=READY)
    tab.until("document.querySelector('#sub').textContent.startsWith('4 of 12 frames')")
    assert text(tab, "#percent") == "33 %"
    assert headline(tab).startswith("Drawing")

    (tmp_path / "go-1").touch()  # frames appear
    tab.until("document.querySelector('#sub').textContent.startsWith('7 of 12 frames')")
    tab.until("document.querySelectorAll('#newest img').length === 7")
    tab.until("[...document.querySelectorAll('#newest img')].every((image) => image.naturalWidth > 0)")
    for number in (2, 7, 0):  # each frame's own pixels
        scrub_to(tab, number)
        assert np.array_equal(on_canvas(tab, number, number), frame(tmp_path / "s", number))
    scrub_to(tab, 9)  # a gap is held, and marked
    held = on_canvas(tab, 7, 9)
    assert np.array_equal(held, frame(tmp_path / "s", 7))
    tab.until("document.querySelector('#mark').textContent.includes('; frame 7 is shown')")

    tab.js("document.querySelector('#problem').focus()")
    tab.press(" ")  # the failed frame: its message, traceback and command
    tab.until("document.querySelector('#facts').dataset.number === '5'")
    assert "no <b>data</b><img src=x" in text(tab, "#message")
    assert "in draw\n" in text(tab, "#traceback") and "ValueError" in text(tab, "#traceback")
    assert text(tab, "#alone-command") == "framepipe resume s --only 5 --engine serial"
    assert "Frame 5 failed; frame 4 is shown" in text(tab, "#mark")
    assert tab.js("document.querySelectorAll('#side img, #side b').length") == 0
    assert not tab.js("window.bad")

    watch.kill()
    watch.communicate()
    tab.until("document.querySelector('#connection').dataset.state === 'lost'")
    (tmp_path / "go-2").touch()
    render.communicate(timeout=PATIENCE_S)
    again, same = watching(tmp_path)
    assert same == address
    tab.until("document.querySelector('#connection').dataset.state === 'live'")
    tab.until("document.querySelector('#headline').textContent === 'Stopped: 1 frame failed'")
    tab.until("document.title.startsWith('91 %')")
    assert text(tab, "#hint-command") == "framepipe resume s"
    tab.press("Home")
    on_canvas(tab, 0, 0)
    tab.js("document.activeElement.blur()")
    tab.press(" ")  # plays what is there, over the gap, and round
    tab.until("Number(document.querySelector('#picture').dataset.position) > 6")
    tab.until("Number(document.querySelector('#picture').dataset.position) < 3")
    tab.press(" ")

    again.send_signal(signal.SIGINT)
    _, err = again.communicate(timeout=PATIENCE_S)
    assert (again.returncode, err) == (0, "")


def test_make_shows_its_movie_and_its_verification_and_leaves_no_process(tmp_path, tab):
    (tmp_path / "scene.py").write_text(textwrap.dedent(SCENE).replace("k == 5", "k < 0"))
    for group in range(2):
        (tmp_path / f"go-{group}").touch()
    make = started(
        tmp_path, "make", "scene.py:draw", "--frames", COUNT, "-o", "a.gif", "-j", 1, "--watch", "-q"
    )
    tab.expected.append("status of 404")  # frames are deleted while small pictures are fetched
    line = make.stderr.readline()
    assert line.startswith("Watch frames/scene-draw at  http://127.0.0.1:")
    tab.open(line.split()[-1], until=READY)
    tab.until("document.querySelector('#sub').textContent.startsWith('8 of 12 frames')")
    assert "not built yet" in text(tab, "#movie-list")
    (tmp_path / "go-2").touch()
    _, err = make.communicate(timeout=PATIENCE_S)
    assert (make.returncode, err) == (0, "")
    tab.until("document.querySelector('#connection').dataset.state === 'over'")
    assert headline(tab) == "Complete: the movie is verified, and the frames deleted"
    assert "a.gif" in text(tab, "#movie-list") and "verified" in text(tab, "#movie-list")
    assert not (tmp_path / "frames" / "scene-draw").exists()


def test_a_movie_is_shown_with_what_was_measured_of_it(tmp_path, tab):
    store = many_frames.many_frames(tmp_path, COUNT, range(COUNT))
    fp.assemble(store, tmp_path / "film.gif", fps=4)
    with served(store) as address:
        tab.open(address, until=READY)
        assert headline(tab) == "Complete: all frames are done, 1 movie is verified"
        tab.until("document.querySelector('#facts').dataset.number === '11'")
        tab.click("#movie-list summary")
        tab.until("document.querySelector('#movie-list details').open")
        assert "12 frames" in text(tab, "#movie-list")
        rows = tab.js("[...document.querySelectorAll('#movie-list tr')].map((row) => row.textContent)")
    assert len(rows) >= 5 and all(row.startswith("✓") for row in rows)


def test_ten_thousand_frames_are_scrubbed_like_ten(tmp_path, tab):
    done = [number for number in range(10_000) if number % 5]
    store = many_frames.many_frames(tmp_path, 10_000, done)
    with served(store) as address:
        tab.open(address, until=READY)
        assert text(tab, "#sub").startswith("8,000 of 10,000 frames")
        for number in (7_777, 9_999, 1):
            scrub_to(tab, number)
            assert np.array_equal(on_canvas(tab, number, number), many_frames.pixels_of(number))
        tab.press("ArrowLeft")
        assert np.array_equal(on_canvas(tab, 1, 0), many_frames.pixels_of(1)), (
            "the next one, as none is before"
        )
        many_frames.write_frame(store, 0)
        tab.until("document.querySelector('#sub').textContent.startsWith('8,001 of 10,000')")
        assert np.array_equal(on_canvas(tab, 0, 0), many_frames.pixels_of(0))
        assert tab.js("document.querySelectorAll('#newest li').length") == 12


def test_a_hostile_store_is_shown_as_text_and_leads_nowhere(tmp_path, tab):
    store = many_frames.many_frames(tmp_path, COUNT, range(4))
    (tmp_path / "secret.png").write_bytes((store / file_name(3)).read_bytes())
    (store / file_name(8)).symlink_to(tmp_path / "secret.png")
    os.mkfifo(store / file_name(9))
    (store / file_name(10)).write_text(f"<html>{MARKUP}")
    job = json.loads((store / "job.json").read_text())
    job |= {"name": MARKUP, "goal": {"outputs": [MARKUP, "/etc/passwd", 7], "timing": {"fps": "1e999"}}}
    (store / "job.json").write_text(json.dumps(job))
    FailureLog(store, MARKUP).add(6, "raised", MARKUP, MARKUP)
    beat = Heartbeat(
        host=MARKUP, task=MARKUP, processes="elsewhere", error=MARKUP, rate=float("nan"), total=9
    )
    Heartbeats(store).write(beat)
    movie = {"passed": True, "encoder": MARKUP, "checks": [{"name": MARKUP, "ok": True, "seen": MARKUP}]}
    (store / "movies.json").write_text(json.dumps({"framepipe_movies": {f"/x/{MARKUP}": movie}}))
    with served(store) as address:
        tab.open(address, until=READY)
        tab.until("document.querySelectorAll('#newest img').length === 4")
        tab.js("document.querySelector('#problem').click()")
        tab.until("document.querySelector('#facts').dataset.number === '6'")
        for position in (8, 9, 10):
            scrub_to(tab, position)
            on_canvas(tab, 3, position)
        assert MARKUP in text(tab, "#name")
        assert MARKUP in text(tab, "#movie-list") and MARKUP in text(tab, "#failure-list")
        assert tab.js("document.scripts.length") == 1
        assert not tab.js("window.bad")
        for number in (8, 9, 10):
            assert asked(f"{address}frame/{number}.png") == 404
            assert asked(f"{address}small/{number}.jpg") == 404


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_can_be_read_aloud(tmp_path, port, scheme):
    store = many_frames.many_frames(tmp_path, COUNT, range(6))
    FailureLog(store, "task 7 on a-node-with-a-long-name.of.a.cluster").add(
        7, "raised", "failed in draw(): " + "x" * 200, "y" * 300
    )
    beat = Heartbeat(host="node3", task="7", shard="3/64", total=12, done=6, drawing={8: 1.0}, workers=4)
    Heartbeats(store).write(beat)
    tab = Tab(port, 390, 844)
    tab.media(prefers_color_scheme=scheme)
    with served(store) as address:
        tab.open(address, until=READY)
        tab.js("document.querySelector('#problem').click()")
        tab.until("document.querySelector('#facts').dataset.number === '7'")
        assert tab.js("document.documentElement.scrollWidth") == 390
        rows = (
            "[...document.querySelectorAll('#buttons button, #buttons select')].map((each) => each.offsetTop)"
        )
        assert len({*tab.js(rows)}) == 1, "the buttons take more than a row"
        names = tab.js(
            "[...document.querySelectorAll('button, select, input, canvas[role], [role=progressbar]')]"
            ".filter((each) => each.checkVisibility())"
            ".map((each) => (each.ariaLabel || each.labels?.[0]?.textContent || each.textContent).trim())"
        )
        assert len(names) > 12 and all(names)
        assert "Frame 7, failed, 8 of 12" in tab.js(
            "document.querySelector('#scrub').getAttribute('aria-valuetext')"
        )
        contrast = tab.js(CONTRAST)
        assert all(ratio >= 4.5 for ratio, _ in contrast), sorted(contrast)[:3]
    assert not tab.problems()
    tab.close()


#: How all visible texts stand out from what is behind them (WCAG 2.1, 1.4.3).
CONTRAST = """(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (colour) => colour.slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, k) => sum + c * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (each) => {
    for (; each; each = each.parentElement) {
      const colour = parse(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const ratios = [];
  for (const each of document.querySelectorAll('body *')) {
    const own = [...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !each.checkVisibility() || each.closest('.unseen')) continue;
    const [a, b] = [light(parse(getComputedStyle(each).color)), light(ground(each))].sort((x, y) => y - x);
    ratios.push([(a + 0.05) / (b + 0.05), each.id || each.className || each.tagName]);
  }
  return ratios;
})()"""


def asked(address, method="GET", **headers):
    """The status of an answer."""
    request = urllib.request.Request(address, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_nothing_but_the_store_is_served_and_only_to_who_may_read(tmp_path):
    store = many_frames.many_frames(tmp_path, COUNT, range(4))
    with served(store) as address:
        root = address.rpartition("/")[0].rpartition("/")[0]
        assert asked(f"{address}state") == 200
        assert [asked(address + each) for each in ("", "style.css", "page.js", "icon.svg")] == [200] * 4
        assert asked(f"{address}frame/1.png") == 200
        assert asked(f"{address}small/1.jpg") == 200
        for method in ("POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"):
            assert asked(f"{address}state", method) == 405, method
        for host in ("evil.example", "evil.example:80", "127.0.0.1.evil.example", "", "a@127.0.0.1"):
            assert asked(address, Host=host) in (400, 421), host
        assert asked(address, Host="localhost:8080") == 200, "as by ssh -L"
        for path in ("/", "/state", "/x/state", "//", f"/{'x' * 32}/", "/%C3%A9/", "/%FF/"):
            assert asked(root + path) == 404, path
        names = ["frame/4.png", "frame/12.png", "frame/-1.json", "frame/1e0.png", "frame/1.txt", "job.json"]
        names += [
            "../many.py",
            "..%2fmany.py",
            "frame/..%2f..%2fjob.json",
            "frame/%2e%2e/x.png",
            "page/page.js",
        ]
        names += [f"frame/{'9' * 400}.png", "frame/%EF%BC%91.png", "small/4.jpg"]
        for name in names:
            assert asked(address + urllib.request.quote(name, safe="/%.")) == 404, name


def test_a_frame_that_was_not_drawn_anew_is_not_sent_again(tmp_path):
    store = many_frames.many_frames(tmp_path, COUNT, range(4))
    with served(store) as address:
        assert asked(f"{address}state") == 200
        with urllib.request.urlopen(f"{address}frame/1.png", timeout=PATIENCE_S) as answer:
            tag, data = answer.headers["ETag"], answer.read()
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert data == (store / file_name(1)).read_bytes()
        assert asked(f"{address}frame/1.png", **{"If-None-Match": tag}) == 304


def test_the_page_ends_with_a_render_that_is_killed(tmp_path):
    (tmp_path / "scene.py").write_text(textwrap.dedent(SCENE))
    command = ["render", "scene.py:draw", "--frames", COUNT, "--store", "s", "-j", 1, "--watch", "-q"]
    render = started(tmp_path, *command)
    address = render.stderr.readline().split()[-1]
    assert asked(f"{address}state") == 200
    render.send_signal(signal.SIGKILL)
    render.communicate(timeout=PATIENCE_S)

    def is_gone():
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            asked(address)
            return False
        return True

    wait_for(is_gone)


def test_what_was_submitted_is_watched_before_it_begins(tmp_path, monkeypatch, tab):
    stand_in = StandIn(tmp_path / "pbs", "pbs")
    monkeypatch.setenv("PATH", str(stand_in.bin), prepend=":")
    (tmp_path / "scene.py").write_text(textwrap.dedent(SCENE))
    command = [
        "submit",
        "pbs",
        "scene.py:draw",
        "--frames",
        COUNT,
        "--store",
        "s",
        "-o",
        "a.gif",
        "--no-load",
    ]
    submitted = started(tmp_path, *command, "--watch", "-q")
    tab.open(submitted.stderr.readline().split()[-1], until=READY)
    assert headline(tab) == "Waiting: nobody has begun to draw yet"
    submitted.send_signal(signal.SIGINT)
    out, _ = submitted.communicate(timeout=PATIENCE_S)
    assert submitted.returncode == 0 and "12" in out
    refused = started(tmp_path, *command, "--watch", "--wait")
    assert "give it without --wait" in refused.communicate(timeout=PATIENCE_S)[1]
    assert refused.returncode == 2


def test_a_submitted_sweep_has_a_page_of_its_points_which_leads_to_each(tmp_path, monkeypatch, port):
    stand_in = StandIn(tmp_path / "pbs", "pbs")
    monkeypatch.setenv("PATH", str(stand_in.bin), prepend=":")
    scene = textwrap.dedent(SCENE).replace("(k)", "(k, a=0)").replace("k == 5", "(a, k) == (2, 1)")
    (tmp_path / "scene.py").write_text(scene)
    (tmp_path / "go-0").touch()
    command = ["submit", "pbs", "scene.py:draw", "--frames", 4, "--sweep", "a=1,<b>,2", "-o", "{a}.gif"]
    submitted = started(tmp_path, *command, "--grid", "all.gif", "--no-load", "--watch", "-q")
    address = submitted.stderr.readline().split()[-1]
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "frames/scene-draw-sweep"
    fp.render("scene.py:draw", 4, store=folder / "a=1", params={"a": 1}, engine="serial", only="0-2")
    with pytest.raises(fp.FramesFailed):
        fp.render("scene.py:draw", 4, store=folder / "a=2", params={"a": 2}, engine="serial")
    tab = Tab(port, 390, 844)
    tab.open(address, until="document.querySelectorAll('#points li').length === 4")
    rows = tab.js(
        "[...document.querySelectorAll('#points li')].map((row) => [...row.querySelectorAll('a, p')].map((each) => each.innerText))"
    )
    assert rows == [
        ["a=1", "waits, 3 of 4 frames"],
        ["a=<b>", "waits"],
        ["a=2", "waits, 3 of 4 frames, 1 failed"],
        ["side by side", "waits"],
    ]
    assert (headline(tab), text(tab, "#percent")) == ("0 of 3 points have their movies", "50 %")
    assert tab.js("document.documentElement.scrollWidth") == 390
    assert all(ratio >= 4.5 for ratio, _ in tab.js(CONTRAST))
    tab.js("document.querySelector('#points a').click()")
    tab.until("document.querySelector('#sub')?.textContent.startsWith('3 of 4 frames')")
    assert np.array_equal(on_canvas(tab, 2, 2), frame(folder / "a=1", 2))
    tab.js("document.querySelector('#all').click()")
    tab.until("document.querySelectorAll('#points li').length === 4")
    assert not tab.problems()
    tab.close()
    assert [asked(address + each) for each in ("point/4/", "point/0/../../x", "state")] == [404] * 3
    submitted.send_signal(signal.SIGINT)
    _, err = submitted.communicate(timeout=PATIENCE_S)
    assert submitted.returncode == 0, err


def test_watch_says_what_it_cannot_show_and_what_is_missing(cli, folder):
    absent = cli("watch", "nowhere")
    assert absent.returncode == 3 and "does not exist: it is no store" in absent.stderr
    (folder / "m").mkdir()
    many_frames.many_frames(folder / "m", COUNT, [0])
    bare = "import sys; sys.modules['uvicorn'] = None; from framepipe.cli import run; sys.exit(run(sys.argv[1:]))"
    for verb in (["watch", "m/many"], ["render", "scene.py:draw", "--frames", "2", "--watch"]):
        done = subprocess.run([sys.executable, "-c", bare, *verb], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 4, done.stderr
        assert "pip install 'framepipe[watch]'" in done.stderr
    assert not (folder / "frames").exists()
