"""The HTML player in a real browser: every frame's own pixels, its times, its labels, its manners."""

from __future__ import annotations

import json

import numpy as np
import pytest

import framepipe as fp
from framepipe.core import png
from framepipe.core.images import read_png
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
from tests.integration.movies import half_see_through, moving, stored
from tests.support.waiting import wait_for

LABELS = [
    "</script><script>window.bad=1</script>",
    "<img src=x onerror='window.bad=1'>",
    "loss 0.5",
    "",
    "é",
    "z",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the pages that the tests look at."""
    folder = tmp_path_factory.mktemp("player")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        line = stored(folder / "line", moving)
        fp.assemble(line, folder / "line.html", fps=10, metadata={"title": "<b>Waves</b>"})
        fp.assemble(line, folder / "twice.html", fps=20, loop=2)
        fp.assemble(line, folder / "held.html", fps=20, bounce=True, hold_last_s=0.3, labels=LABELS)
        fp.assemble(line, folder / "draft.html", quality="draft", loop=1)
        glass = stored(folder / "glass", half_see_through)
        fp.assemble(glass, folder / "glass.html", loop=1)
        fp.assemble(many(folder), folder / "many.html", fps=60)
    return folder


def many(folder, count=400):
    """A store of many frames, each of its own pixels."""
    (folder / "given").mkdir()
    for k in range(count):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 60, 3), np.uint8)
        (folder / "given" / file_name(k)).write_bytes(png.encode(pixels))
    fp.adopt(str(folder / "given" / "frame_*.png"), store=folder / "many")
    return folder / "many"


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as number:
        yield number


@pytest.fixture
def tab(port):
    """A page that starts no movie by itself; it must not complain, and not ask for anything."""
    page = Tab(port)
    page.media(prefers_reduced_motion="reduce")
    yield page
    problems, requests = page.problems(), page.requests()
    page.close()
    assert not problems
    assert all(address.startswith(("file:", "about:")) for address in requests)


def frame(place, k, store="line"):
    return read_png(place / store / file_name(k))


def test_every_step_shows_the_next_frames_own_pixels_and_number(place, tab):
    tab.open(place / "line.html")
    for k in range(6):
        at(tab, k)
        assert np.array_equal(pixels_of(tab), frame(place, k))
        assert np.array_equal(on_screen(tab), frame(place, k)[..., :3])
        assert text(tab, "#label") == f"Frame {k}"
        assert tab.js("document.querySelector('#scrub').value") == str(k)
        tab.press("ArrowRight")
    at(tab, 5)


def test_keys_buttons_and_the_bar_lead_to_their_frames(place, tab):
    tab.open(place / "many.html")
    steps = [
        ("End", 399),
        ("PageUp", 399),
        ("ArrowLeft", 398),
        ("PageDown", 388),
        ("Home", 0),
        ("ArrowLeft", 0),
    ]
    for key, position in [*steps, ("PageUp", 10), ("ArrowRight", 11)]:
        tab.press(key)
        at(tab, position)
        assert np.array_equal(pixels_of(tab), frame(place, position, "many"))
    for selector, position in [("#last", 399), ("#back", 398), ("#next", 399), ("#first", 0), ("#next", 1)]:
        tab.click(selector)
        at(tab, position)
    tab.click("#scrub")  # its middle
    tab.until(f"Math.abs({POSITION} - 200) < 3")
    tab.press("ArrowRight")
    tab.press("Home")
    at(tab, 0)
    for _ in range(30):
        tab.press("ArrowRight")
    at(tab, 30)
    assert np.array_equal(pixels_of(tab), frame(place, 30, "many"))


@pytest.mark.parametrize(("width", "height"), [(390, 844), (390, 205), (320, 480), (1280, 800)])
def test_nothing_of_it_reaches_out_of_the_window_or_the_frame_that_it_is_in(place, port, width, height):
    page = Tab(port, width, height)
    page.media(prefers_reduced_motion="reduce")
    page.open(place / "line.html")
    sizes = page.js(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight, innerWidth, innerHeight]"
    )
    page.close()
    assert sizes == [width, height, width, height]


def test_few_pictures_are_kept_decoded(place, tab):
    count = """(() => { let made = window.createImageBitmap; window.live = 0; window.peak = 0;
      window.createImageBitmap = (...given) => made(...given).then((bitmap) => {
        window.peak = Math.max(window.peak, ++window.live);
        const close = bitmap.close.bind(bitmap);
        bitmap.close = () => { window.live--; close(); };
        return bitmap; }); })()"""
    tab.ask("Page.addScriptToEvaluateOnNewDocument", source=count)
    tab.open(place / "many.html")
    for _ in range(12):
        for key in ("PageUp", "PageUp", "PageUp", "ArrowRight"):
            tab.press(key)
    at(tab, 12 * 31)
    tab.until("window.live > 50")
    assert tab.js("window.peak") <= 61 + 4 + 1  # the window, those in hand, the still


def test_it_plays_all_frames_in_order_round_and_round_without_drift(place, tab):
    by_refreshes(tab)
    tab.open(place / "line.html")
    watch(tab)
    tab.press(" ")
    tab.until("window.seen.filter((each) => each[0] === 0).length >= 5")
    tab.press(" ")
    seen = tab.js("window.seen")
    positions = [each[0] for each in seen]
    assert positions[:20] == [k % 6 for k in range(1, 21)]
    assert [each[2] for each in seen] == [f"Frame {k}" for k in positions]
    assert sum(rounds_ms(tab)[:4]) == pytest.approx(4 * 600, abs=REFRESH_MS + 0.1)


def test_it_plays_by_the_browsers_clock(place, tab):
    tab.open(place / "line.html")
    watch(tab)
    tab.press(" ")
    tab.until("window.seen.filter((each) => each[0] === 0).length >= 9")
    # a busy machine shows a frame late, which makes one round longer and one shorter
    assert min(rounds_ms(tab), key=lambda each: abs(each - 600)) == pytest.approx(600, abs=25)


def test_held_frames_stay_and_a_bounce_comes_back(place, tab):
    by_refreshes(tab)
    tab.open(place / "held.html")
    watch(tab)
    tab.press(" ")
    tab.until("window.seen.filter((each) => each[0] === 0).length >= 2")
    seen = tab.js("window.seen")
    start = [each[0] for each in seen].index(0)
    time = {each[0]: each[1] for each in seen[start : start + 11]}
    assert sorted(time) == list(range(10))  # 0 to 5 and back to 1
    assert time[5] - time[4] == pytest.approx(50, abs=REFRESH_MS + 0.1)
    assert time[6] - time[5] == pytest.approx(300, abs=REFRESH_MS + 0.1)
    tab.press("End")
    at(tab, 9)
    assert np.array_equal(pixels_of(tab), frame(place, 1))


def test_after_its_plays_it_stands_on_the_last_frame_and_can_be_played_again(place, tab):
    tab.open(place / "twice.html")
    for _ in range(2):
        watch(tab)
        tab.press(" ")
        tab.until("window.seen.length > 4")
        assert tab.js("document.querySelector('#play').ariaLabel") == "Pause"
        tab.until("document.querySelector('#play').ariaLabel === 'Play'")
        positions = tab.js("window.seen.map((each) => each[0])")
        assert positions[-11:] == [1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5]
        assert np.array_equal(pixels_of(tab), frame(place, 5))
    tab.click("#loop")
    tab.press(" ")  # the button has the focus: a button's own key
    assert tab.js("document.querySelector('#loop').getAttribute('aria-pressed')") == "false"


def test_speed_changes_the_time_and_no_frame(place, tab):
    by_refreshes(tab)
    tab.open(place / "line.html")
    tab.js("const s = document.querySelector('#speed'); s.value = '4'; s.dispatchEvent(new Event('change'))")
    watch(tab)
    tab.press(" ")
    tab.until("window.seen.filter((each) => each[0] === 0).length >= 10")
    assert rounds_ms(tab) == [pytest.approx(150, abs=REFRESH_MS + 0.1)] * len(rounds_ms(tab))


def test_labels_and_titles_are_text_whatever_they_hold(place, tab):
    tab.open(place / "held.html")
    for k, label in enumerate(LABELS):
        at(tab, k)
        assert text(tab, "#label") == label
        assert (
            tab.js("document.querySelector('#scrub').ariaValueText")
            == f"{label}, {k + 1} of 10, {k / 20:.2f} s"
        )
        tab.press("ArrowRight")
    assert tab.js("typeof window.bad") == "undefined"
    tab.open(place / "line.html")
    assert tab.js("document.title") == text(tab, "h1") == "<b>Waves</b>"
    assert tab.js("document.querySelectorAll('b').length") == 0


def test_a_link_leads_to_a_frame(place, tab):
    tab.open(place / "line.html", "#frame=4")
    at(tab, 4)
    tab.js("location.hash = '#frame=2'")
    at(tab, 2)


def test_it_starts_by_itself_unless_less_motion_is_wanted(place, tab):
    tab.open(place / "line.html")
    assert (
        tab.js(
            "new Promise((done) => setTimeout(() => done(document.querySelector('#play').ariaLabel), 300))"
        )
        == "Play"
    )
    assert tab.js(POSITION) == 0
    tab.media(prefers_reduced_motion="no-preference")
    tab.open(place / "line.html")
    tab.until("document.querySelector('#play').ariaLabel === 'Pause'")
    tab.until(f"{POSITION} === 2")


def test_it_is_light_or_dark_as_the_system_is(place, tab):
    shades = {}
    for scheme in ("light", "dark"):
        tab.media(prefers_reduced_motion="reduce", prefers_color_scheme=scheme)
        tab.open(place / "line.html")
        picture = tab.screenshot()
        shades[scheme] = (picture[5, 5].mean(), picture[-5, 5].mean())
        assert np.array_equal(on_screen(tab), frame(place, 0)[..., :3])
    assert min(shades["light"]) > 200
    assert max(shades["dark"]) < 60


def test_everything_has_a_name_and_a_role_and_can_be_reached_by_tab(place, tab):
    tab.open(place / "line.html")
    nodes = tab.ask("Accessibility.getFullAXTree")["nodes"]
    named = {
        (node["role"]["value"], node["name"]["value"]) for node in nodes if node.get("name", {}).get("value")
    }
    wanted = ["First frame", "Previous frame", "Play", "Next frame", "Last frame", "Repeat"]
    assert {("button", name) for name in wanted} <= named
    assert {("slider", "Frame"), ("combobox", "Speed"), ("image", "<b>Waves</b>, Frame 0")} <= named
    assert {("heading", "<b>Waves</b>"), ("region", "Player")} <= named
    reached = []
    for _ in range(8):
        tab.press("Tab")
        reached.append(tab.js("document.activeElement.id"))
        assert tab.js("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert reached == ["scrub", "first", "back", "play", "next", "last", "loop", "speed"]
    tab.js("document.activeElement.blur()")
    tab.press("ArrowRight")
    tab.until("document.querySelector('[role=status]').textContent === 'Frame 1, 2 of 6'")


def test_it_can_reach_no_network(place, port):
    tab = Tab(port)
    tab.open(place / "line.html")
    for code in (f"fetch('http://127.0.0.1:{port}/json')", "import('data:text/javascript,1')"):
        assert tab.js(f"{code}.then(() => 'loaded', () => 'refused')") == "refused"
    refused = "new Promise((done) => { const i = new Image(); i.onload = () => done('loaded');"
    refused += f" i.onerror = () => done('refused'); i.src = 'http://127.0.0.1:{port}/json'; }})"
    assert tab.js(refused) == "refused"
    assert not [address for address in tab.requests() if address.startswith("http")]
    tab.close()


def test_transparent_frames_are_seen_over_their_figures_colour(place, tab):
    tab.open(place / "glass.html")
    for k in range(6):
        at(tab, k)
        rgba = frame(place, k, "glass").astype(float)
        share = rgba[..., 3:] / 255
        due = rgba[..., :3] * share + np.array([102, 0, 0]) * (1 - share)
        assert (
            np.abs(on_screen(tab) - due).max() <= 2.5
        )  # browsers keep colours multiplied by alpha, in 8 bits
        assert np.array_equal(pixels_of(tab)[..., 3], frame(place, k, "glass")[..., 3])
        tab.press("ArrowRight")


def test_a_draft_steps_as_exactly(place, tab):
    tab.open(place / "draft.html")
    for k in range(6):
        at(tab, k)
        off = [np.abs(pixels_of(tab).astype(int) - frame(place, other)).mean() for other in range(6)]
        assert np.argmin(off) == k
        tab.press("ArrowRight")


def test_a_notebook_shows_the_movie(place, port, tmp_path):
    tab = Tab(port, width=700)
    movie = fp.assemble(place / "line", tmp_path / "once.html", loop=1)
    shown = movie._repr_mimebundle_()
    assert shown["text/plain"] == repr(movie)
    cell = tmp_path / "cell.html"
    cell.write_text(
        f"<!DOCTYPE html><body style='background:black'><canvas data-position='0' hidden></canvas>{shown['text/html']}"
    )
    tab.open(cell)
    due = frame(place, 5)[..., :3]  # it has started by itself, and ended

    def is_there():
        picture = tab.screenshot()
        top, left = next(iter(np.argwhere(picture.min(-1) == 255)), (0, 0))
        return np.array_equal(picture[top : top + due.shape[0], left : left + due.shape[1]], due)

    wait_for(is_there)
    assert not tab.problems()
    tab.close()


def test_other_formats_show_themselves_as_images_and_videos(place, tmp_path):
    gif = fp.assemble(place / "line", tmp_path / "a&b.gif")._repr_mimebundle_()["text/html"]
    assert gif.startswith('<img alt="a&amp;b.gif" width="100" src="data:image/gif;base64,R0lG')
    mp4 = fp.assemble(place / "line", tmp_path / "a.mp4")
    assert mp4._repr_mimebundle_()["text/html"].startswith("<video controls loop")
    with (tmp_path / "a.mp4").open("ab") as file:
        file.truncate(21_000_000)
    large = mp4._repr_mimebundle_()["text/html"]
    assert ">a.mp4</a> (21 MB, too large" in large


def test_the_command_line_builds_verifies_and_refuses_pages(cli, cli_process, folder):
    store, texts = "frames/scene-draw", "".join(f"loss {k / 10}\n" for k in range(6))
    (folder / "labels.txt").write_text(texts)
    wanted = ("--frames", "0-5", "-o", "a.html", "--labels", "labels.txt", "--keep-frames", "--json")
    made = json.loads(cli_process("make", "scene.py:draw", *wanted, ok=True).stdout)
    assert made["movies"][0]["format"] == "html"
    assert '"loss 0.5"' in (folder / "a.html").read_text()
    assert "every pixel of every frame" in cli("verify", "a.html", "--store", store, ok=True).stdout
    done = cli("assemble", store, "-o", "c.html", "--player-limit-mb", "0.001")
    assert done.returncode == 2
    assert "--every" in done.stderr
    assert not (folder / "c.html").exists()


def test_a_store_knows_its_numbers_and_how_many_labels_it_needs(place, tmp_path):
    with pytest.raises(fp.UsageError, match="2 texts for 6 frames"):
        fp.assemble(place / "line", tmp_path / "a.html", labels=["a", "b"])
    fp.assemble(place / "line", tmp_path / "a.html", labels="value", part="2-3")
    assert '"numbers":[2,3],"labels":null' in (tmp_path / "a.html").read_text()
    fp.assemble(place / "line", tmp_path / "b.html", labels=list("abcdef"), every=2, reverse=True)
    assert '"labels":["e","c","a"]' in (tmp_path / "b.html").read_text()
    assert fp.verify(tmp_path / "b.html", place / "line").passed
    assert not fp.verify(tmp_path / "b.html", place / "line", every=3).passed


def test_values_are_labels_where_make_knows_them(folder):
    with pytest.raises(fp.UsageError, match="1 texts for 3 frames"):
        fp.make(lambda value: 1 / 0, frames=3, output="a.html", labels=["a"], engine="serial")
    fp.make(
        lambda value: moving(0), frames=[0.25, 1e-7, "end"], output="a.html", labels="value", engine="serial"
    )
    assert '"labels":["0.25","1e-07","end"]' in (folder / "a.html").read_text()
