"""The page of the HTML player: what gets into it, how user text is escaped, what it refuses, what is found."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from framepipe.core import png
from framepipe.core.control import NO_CONTROL, Control
from framepipe.core.shape import Shape
from framepipe.errors import Interrupted, UsageError
from framepipe.formats import FORMATS, measure
from framepipe.formats.html import assets
from framepipe.formats.html import page as player
from framepipe.formats.html.recipe import resolve_labels
from framepipe.formats.recipe import MovieSpec
from framepipe.job.frames import file_name
from framepipe.options import EncodeOptions
from framepipe.timeline import Timeline

NASTY = [
    "</script><script>window.bad=1</script>",
    "<img src=x onerror='window.bad=1'>",
    '"><b>&amp;',
    "<!--",
    "\u2028 \u00e9 \U0001f600",
    "",
]
SHAPE = Shape(24, 16, "RGB")


def frame(k, alpha=None):
    """A ground that all share, noise in a corner, and a dot that moves."""
    rgb = np.full((16, 24, 3), 230, np.uint8)
    rgb[:4, :6] = np.random.default_rng(k).integers(0, 256, (4, 6, 3))
    rgb[10, k % 24] = (0, 40 + k % 200, 0)
    return rgb if alpha is None else np.dstack([rgb, np.full((16, 24), alpha, np.uint8)])


@pytest.fixture
def frames(tmp_path):
    for k in range(6):
        (tmp_path / file_name(k)).write_bytes(png.encode(frame(k)))
    return tmp_path


def made(frames, numbers=range(6), shape=SHAPE, timing=None, **options):
    """A page, and what it should be."""
    timeline, settled = Timeline.of(numbers, **timing or {}), EncodeOptions(**options)
    spec = FORMATS["html"].recipe(MovieSpec(timeline, shape, settled)).spec
    page = frames / "movie.html"
    player.build(spec, frames, page, lambda done: None, NO_CONTROL)
    sources = [frames / file_name(number) for number in timeline.numbers]
    return page, FORMATS["html"].expected(timeline, sources, shape, (255, 255, 255), settled)


def failed(page, expected):
    return {check.name for check in measure(page, expected).checks if not check.ok}


def facts(page):
    return json.loads(re.search(r'id="movie">(.*)</script>', page.read_text())[1])


def test_a_page_passes_its_own_verification(frames):
    page, expected = made(frames, timing={"fps": "30000/1001", "hold_last_s": 0.7, "loop": 3, "bounce": True})
    report = measure(page, expected)
    assert report.passed, report.table()
    assert facts(page)["plays"] == 3
    assert facts(page)["pictures"] == [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]


def test_times_are_sums_that_are_rounded_once(frames):
    page, _ = made(frames, list(range(6)) * 50, timing={"fps": "30000/1001"})
    assert facts(page)["ends_s"] == [float(k * 1001 / 30000) for k in range(1, 301)]


def test_frames_with_equal_pixels_are_stored_once(frames):
    for k in (1, 2, 4):
        (frames / file_name(k)).write_bytes(png.encode(frame(0), stamp=f"other text {k}"))
    page, expected = made(frames)
    assert measure(page, expected).passed
    assert facts(page)["pictures"] == [0, 0, 0, 1, 0, 2]
    assert page.read_text().count("image/webp;base64") == 1 + 3


def test_what_all_frames_share_is_stored_once(frames):
    page, _ = made(frames)
    for left, top, width, height in facts(page)["boxes"]:
        assert (left, top) == (0, 0)
        assert width < 24
        assert height <= 11


def test_a_movie_of_one_picture_is_the_still_alone(frames):
    page, expected = made(frames, [3, 3])
    assert facts(page)["boxes"] == [[0, 0, 0, 0]]
    assert measure(page, expected).passed


@pytest.mark.parametrize("alpha", [0, 1, 128, 255])
def test_see_through_pixels_keep_their_colours_and_alpha(frames, alpha):
    for k in range(6):
        (frames / file_name(k)).write_bytes(png.encode(frame(k, alpha)))
    page, expected = made(frames, shape=Shape(24, 16, "RGBA"))
    assert measure(page, expected).passed


@pytest.mark.parametrize("text", NASTY)
def test_no_label_gets_out_of_its_place(frames, text):
    page, expected = made(frames, labels=[text] * 6)
    assert facts(page)["labels"] == [text] * 6
    assert page.read_text().count("<script") == page.read_text().count("</script>") == 6 + 1 + 2
    assert not failed(page, expected)


@pytest.mark.parametrize("text", [*NASTY, "<!--framepipe:movie-->", "</title><script>window.bad=1</script>"])
def test_no_title_gets_out_of_its_place(frames, text):
    page, expected = made(frames, metadata={"title": text, "comment": text, "\u00e9": text})
    assert page.read_text().count("<script") == page.read_text().count("</script>") == 6 + 1 + 2
    assert "window.bad=1<" not in page.read_text().replace("&lt;", "(")
    assert not failed(page, expected)


def test_the_page_names_no_address_and_allows_none(frames):
    page, _ = made(frames)
    text = page.read_text()
    assert "://" not in text
    assert not re.search(r"\b(src|href|action|srcset)=", text)
    rule = re.search(r'Content-Security-Policy" content="(.*?)"', text)[1]
    assert rule.startswith("default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'sha256-")
    assert "unsafe" not in rule
    assert "*" not in rule
    assert text.index("Content-Security-Policy") < text.index("<style>") < text.index("<script")


def test_a_page_over_the_limit_is_refused_before_it_is_built(frames):
    with pytest.raises(
        UsageError, match=r"would have about 0 MB with 6 pictures; the limit is 0\.01 MB"
    ) as info:
        made(frames, player_limit_mb=0.01)
    for way in ("--every", "--quality draft", "--dpi", ".mp4", "--player-limit-mb"):
        assert way in str(info.value)
    assert not (frames / "movie.html").exists()


def test_a_page_that_grows_over_the_limit_is_refused_too(frames):
    """Frames that are larger than those that the forecast looked at."""
    for k in range(60):
        plain = k in {round(at * 59 / 7) for at in range(8)}
        (frames / file_name(k)).write_bytes(png.encode(frame(0) + k if plain else noise(k)))
    with pytest.raises(UsageError, match="the page grew over the limit"):
        made(frames, range(60), player_limit_mb=0.06)


def noise(k):
    return np.random.default_rng(k).integers(0, 256, (16, 24, 3), np.uint8)


def test_the_forecast_is_near_what_comes(frames):
    for k in range(40):
        (frames / file_name(k)).write_bytes(png.encode(frame(k)))
    names = [file_name(k) for k in range(40)]
    still = player.base_image_of([frames_rgba(k) for k in range(9)])
    told = player.forecast(names, player.Encode(frames, still, True), still)
    page, _ = made(frames, range(40))
    assert told == pytest.approx(page.stat().st_size, rel=0.1)


def frames_rgba(k):
    return np.dstack([frame(k), np.full((16, 24), 255, np.uint8)])


def test_a_stop_is_heeded(frames):
    spec = FORMATS["html"].recipe(MovieSpec(Timeline.of(range(6)), SHAPE)).spec
    control = Control()
    control.stop.request("SIGTERM")
    with pytest.raises(Interrupted, match="by SIGTERM while building the page"):
        player.build(spec, frames, frames / "movie.html", lambda done: None, control)


def test_labels_are_words_lists_or_files(tmp_path):
    file = tmp_path / "labels.txt"
    file.write_text("one\n<two>\n", encoding="utf-8")
    assert EncodeOptions(labels="value").labels == "value"
    assert EncodeOptions(labels=str(file)).labels == EncodeOptions(labels=file).labels == ("one", "<two>")
    assert EncodeOptions(labels=[1, 0.1 + 0.2, np.float32(0.1), np.int64(7), "x"]).labels == (
        "1",
        "0.3",
        "0.1",
        "7",
        "x",
    )
    for wrong in ("no such file", 7, [[1, 2]], [np.zeros(3)], ["x" * 1001], [b"x"], "a\0b"):
        with pytest.raises(UsageError, match="labels"):
            EncodeOptions(labels=wrong)


def test_labels_follow_their_frames():
    options = EncodeOptions(labels=list("abcdef"))
    settled = resolve_labels(options, range(10, 16), [15, 13, 13, 10], "run1", values_are_numbers=False)
    assert settled.labels == ("f", "d", "d", "a")
    assert settled.metadata == {"title": "run1"}
    with pytest.raises(UsageError, match="6 texts for 5 frames"):
        resolve_labels(options, range(5), [0], "", values_are_numbers=True)
    with pytest.raises(UsageError, match="the store keeps no values"):
        resolve_labels(EncodeOptions(labels="value"), range(5), [0], "", values_are_numbers=False)
    assert (
        resolve_labels(EncodeOptions(labels="value"), range(5), [0], "", values_are_numbers=True).labels
        == "number"
    )


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_limit_is_a_size(limit):
    with pytest.raises(UsageError, match="player_limit_mb"):
        EncodeOptions(player_limit_mb=limit)


def test_what_webp_or_imagemagick_cannot_do_is_refused():
    with pytest.raises(UsageError, match="16383 px a side"):
        FORMATS["html"].recipe(MovieSpec(Timeline.of([0]), Shape(16384, 10, "RGB")))
    with pytest.raises(UsageError, match="ImageMagick builds no html"):
        FORMATS["html"].recipe(MovieSpec(Timeline.of([0]), SHAPE, EncodeOptions(encoder="imagemagick")))


def changed(page, old, new, count=1):
    text = page.read_text()
    assert old in text
    page.write_text(text.replace(old, new, count))


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("</html>\n", "", "structure"),
        ('id="movie"', 'id="film"', "structure"),
        ("<main>", '<main><img alt="" width="1">', "network"),
        ("<main>", '<main><p onclick="1">', "network"),
        ("<main>", "<script>1</script><main>", "network"),
        ("default-src 'none'", "default-src *", "network"),
        ("movie.plays || 1;", "movie.plays || 2;", "network"),
        ('"plays":0', '"plays":2', "plays"),
        ('"width":24', '"width":25', "size"),
        ('"pictures":[0,1,', '"pictures":[1,0,', "pixels"),
        ('"pictures":[0,1,', '"pictures":[1,', "frames"),
        ('"pictures":[0,1,', '"pictures":[77,1,', "decodes"),
        ('"boxes":[[0,0,', '"boxes":[[1,0,', "pixels"),
        ('"ends_s":[0.04,', '"ends_s":[0.041,', "times"),
        ('"labels":["0",', '"labels":["00",', "labels"),
        ('"numbers":[0,', '"numbers":[9,', "labels"),
        ('id="picture-2">UklG', 'id="picture-2">AAAA', "decodes"),
        ('id="picture-2"', 'id="picture-8"', "decodes"),
        ('id="picture-2"', 'id="picture-1"', "structure"),
        ('"numbers":', '"nombers":', "structure"),
        ('"pictures":[0,', '"pictures":[-1,', "structure"),
        ('"boxes":[[', '"boxes":[[[],', "structure"),
        ("<main>", "<![abc[<main>", "structure"),
        ("<canvas ", "<canvbs ", "page"),
        ('id="first"', 'id="furst"', "page"),
    ],
)
def test_a_page_that_was_changed_is_found(frames, old, new, check):
    page, expected = made(frames, labels=list("012345"))
    changed(page, old, new)
    assert check in failed(page, expected)


def test_one_pixel_that_is_off_by_one_is_found(frames):
    page, expected = made(frames)
    pixels = frame(4)
    pixels[0, 0, 1] ^= 1
    (frames / file_name(4)).write_bytes(png.encode(pixels))
    assert failed(page, expected) == {"pixels"}


def test_a_draft_is_close_and_its_frames_are_told_apart(frames):
    for k in range(6):
        (frames / file_name(k)).write_bytes(png.encode(noise(k)))
    page, expected = made(frames, quality="draft")
    report = measure(page, expected)
    assert report.passed, report.table()
    changed(page, '"pictures":[0,1,2,3', '"pictures":[0,3,2,1')
    assert failed(page, expected)


@pytest.mark.parametrize("kind", [b"", b"<!DOCTYPE html>", b"\xff\xfe", b"<!DOCTYPE html></html>\n"])
def test_what_is_no_page_is_a_failed_check_and_no_error(frames, kind):
    page, expected = made(frames)
    page.write_bytes(kind)
    assert failed(page, expected) == {"structure"}


def beside(frames, **options):
    """A page with its pictures beside it, what it should be, and the folder."""
    page, expected = made(frames, html_assets=True, **options)
    return page, expected, assets.folder_of(page)


def test_pictures_beside_a_page_pass_its_verification(frames):
    page, expected, folder = beside(frames)
    report = measure(page, expected)
    assert report.passed, report.table()
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*.webp")}
    assert names == {"still.webp", *(f"000/00000{k}.webp" for k in range(6))}
    assert folder.name.startswith("movie_files-")
    assert "image/webp" not in page.read_text().partition("<script>")[0]
    rule = re.search(r'Content-Security-Policy" content="(.*?)"', page.read_text())[1]
    assert rule.startswith(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src 'self'; style-src 'sha2"
    )


def test_no_limit_holds_for_pictures_beside_a_page(frames):
    page, expected, _ = beside(frames, player_limit_mb=1e-6)
    assert measure(page, expected).passed


def test_equal_pictures_have_equal_folders_and_others_have_others(frames):
    first = beside(frames)[2]
    assert first.name == folder_again(frames, "again").name
    (frames / file_name(3)).write_bytes(png.encode(noise(3)))
    assert first.name != folder_again(frames, "other").name


def folder_again(frames, name):
    (frames / name).mkdir()
    for path in frames.glob("*.png"):
        (frames / name / path.name).write_bytes(path.read_bytes())
    return beside(frames / name)[2]


def cut(folder):
    path = folder / "000/000002.webp"
    path.write_bytes(path.read_bytes()[:-9])


def swap(folder):
    one, other = folder / "000/000002.webp", folder / "000/000003.webp"
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)


def link_one(folder):
    path = (folder / "000/000002.webp").rename(folder.parent / "elsewhere.webp")
    (folder / "000/000002.webp").symlink_to(path)


def link_all(folder):
    folder.symlink_to(folder.rename(folder.parent / "elsewhere"))


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "000/000002.webp").unlink(), "1 missing, first 000/000002.webp"),
        (lambda folder: (folder / "still.webp").unlink(), "1 missing, first still.webp"),
        (lambda folder: folder.rename(folder.with_name("gone")), "7 missing"),
        (lambda folder: (folder / "000/000077.webp").write_bytes(b""), "1 more, first 000/000077.webp"),
        (lambda folder: (folder / "000/000002.webp").write_bytes(b"\0" * 50), "other bytes"),
        (cut, "other bytes"),
        (swap, "other bytes"),
        (link_one, "1 missing, first 000/000002.webp"),
        (link_all, "7 missing"),
    ],
)
@pytest.mark.parametrize("quality", ["good", "draft"])
def test_harm_to_the_pictures_beside_a_page_is_found(frames, quality, harm, said):
    page, expected, folder = beside(frames, quality=quality)
    assert assets.is_whole(page)
    harm(folder)
    report = measure(page, expected)
    assert not report.passed
    assert said in next(check.seen for check in report.checks if check.name == "files")
    assert not assets.is_whole(page)


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ('data-files="', 'data-files="../', "structure"),
        ('data-files="', 'data-files="..%2F', "structure"),
        ('data-files="', 'data-files="/', "structure"),
        ('data-files="', 'data-files="https://example.org/', "structure"),
        ('data-files="movie', 'data-files="%6Dovie', "structure"),
        ('data-files="movie', 'data-files="film', "files"),
        ("img-src 'self'", "img-src *", "network"),
        ("img-src 'self'; ", "", "network"),
        ('files + "/still.webp"', '"../still.webp"', "network"),
        ("<noscript>", '<script type="image/webp;base64" id="still">UklG</script>\n<noscript>', "files"),
        ('"boxes":[[', '"boxes":[[0,0,0,0],[', "files"),
    ],
)
def test_a_page_with_pictures_beside_it_that_was_changed_is_found(frames, old, new, check):
    page, expected, _ = beside(frames)
    changed(page, old, new)
    assert check in failed(page, expected)


def test_a_page_that_carries_its_pictures_though_they_were_asked_beside_it_is_found(frames):
    _, expected, _ = beside(frames)
    page, _ = made(frames)
    assert failed(page, expected) == {"files"}


def test_what_a_file_manager_puts_into_the_folder_is_no_harm(frames):
    page, expected, folder = beside(frames)
    (folder / ".DS_Store").write_bytes(b"x")
    assert measure(page, expected).passed


def test_pictures_are_made_by_no_more_processors_than_the_job_has(monkeypatch):
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    at_once, most = set(), []

    def encode(name):
        at_once.add(name)
        most.append(len(at_once))
        time.sleep(0.01)
        at_once.discard(name)
        return name

    assert list(player._in_order(encode, "abcdefgh", NO_CONTROL)) == list("abcdefgh")
    assert max(most) == 1
