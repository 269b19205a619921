"""Which of the figures that a script shows and saves are frames of one film."""

from __future__ import annotations

import pytest

from framepipe.scenes.scripts.moments import DrawAtOnce, EnoughFrames, Moments, is_numbered, skeleton


class Paper:
    """Stands for a figure: a number, which is what is drawn."""

    def __init__(self, number):
        self.number = number

    def savefig(self, file, **_):
        file.write(b"picture %d" % self.number)


@pytest.fixture
def moments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Moments(DrawAtOnce(lambda moment: (moment.index, moment.figure.number)))


def save(moments, *names, first=0):
    for number, name in enumerate(names, first):
        moments.numbered(Paper(number), name, {}, "savefig")


def frames(moments):
    return {name: [number for _, number in drawn] for name, drawn in moments.sink.frames.items()}


def test_names_that_differ_in_a_number_are_frames_and_are_not_written(moments, tmp_path):
    save(moments, "f0.png", "f1.png", "f2.png")
    moments.end()
    assert frames(moments) == {"f#.png": [0, 1, 2]}
    assert moments.films()[0].frames == 3
    assert list(tmp_path.iterdir()) == []


def test_frames_know_their_place_in_the_series_even_the_first_that_was_held(moments):
    save(moments, "f7.png", "f9.png", "f8.png")
    assert moments.sink.frames["f#.png"] == [(0, 0), (1, 1), (2, 2)]
    assert moments.films()[0].out_of_order() == "f9.png, then f8.png"


@pytest.mark.parametrize(
    "names",
    [
        ("a/step1_t0.10.png", "a/step1_t0.20.png", "a/step2_t0.30.png"),
        ("d-10.0.png", "d0.0.png", "d10.0.png"),
        ("e1e-05.png", "e0.001.png", "e0.1.png"),
        ("E001S00001.png", "E001S00002.png", "E002S00001.png"),
        ("0.png", "1.png", "2.png"),
    ],
)
def test_names_with_several_or_odd_numbers_are_one_series_that_rises(moments, names):
    save(moments, *names)
    moments.end()
    assert list(frames(moments).values()) == [[0, 1, 2]]
    assert moments.films()[0].out_of_order() == ""


def test_a_hyphen_before_a_number_is_no_minus_in_the_order(moments):
    save(moments, "f-1.png", "f-2.png", "f-3.png")
    assert moments.films()[0].out_of_order() == ""


def test_a_name_made_of_the_number_of_files_stays_the_same_and_is_a_frame_each_time(moments):
    save(moments, "0.png", "0.png", "0.png")
    assert frames(moments) == {"#.png": [0, 1, 2]}
    assert moments.films()[0].out_of_order() == "0.png, then 0.png"


def test_a_single_numbered_picture_is_written_as_it_was_when_it_was_saved(moments, tmp_path):
    paper = Paper(5)
    moments.numbered(paper, "figure1.png", {}, "savefig")
    paper.number = 6
    moments.end()
    assert frames(moments) == {}
    assert moments.films() == []
    assert (tmp_path / "figure1.png").read_bytes() == b"picture 5"


def test_a_picture_that_is_held_is_written_where_it_was_to_be_though_the_folder_changes(
    moments, tmp_path, monkeypatch
):
    save(moments, "figure1.png")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    moments.end()
    assert (tmp_path / "figure1.png").read_bytes() == b"picture 0"


def test_a_picture_that_is_held_is_written_before_it_is_read(moments, tmp_path):
    save(moments, "figure1.png")
    path = str(tmp_path / "figure1.png")
    assert moments.is_pending(path)
    moments.write_now(path)
    assert not moments.is_pending(path)
    assert (tmp_path / "figure1.png").read_bytes() == b"picture 0"


def test_series_are_told_apart_and_the_plainest_kind_comes_first(moments):
    screen = moments.get_series("plt.pause", "screen")
    for number in range(4):
        moments.frame(screen, Paper(number), {}, "plt.pause")
        save(moments, f"a{number}.png", f"b{number}.png", first=10 * number)
    assert [(film.name, film.frames) for film in moments.films()] == [
        ("a#.png", 4),
        ("b#.png", 4),
        ("plt.pause", 4),
    ]


def test_a_sink_ends_a_script_that_goes_on_for_ever(moments):
    moments.sink.limit = 2
    with pytest.raises(EnoughFrames):
        save(moments, *(f"f{k}.png" for k in range(9)))
    assert frames(moments) == {"f#.png": [0, 1]}
    assert moments.films()[0].frames == 2


def test_nothing_counts_while_the_sink_draws(moments):
    busy = []
    moments.sink.draw = lambda moment: busy.append(moments.busy)
    save(moments, "f0.png", "f1.png")
    assert busy == [True, True]
    assert not moments.busy


@pytest.mark.parametrize(
    ("path", "kind", "numbered"),
    [
        ("run2/plot.png", "png", False),
        ("frame3.png", "png", True),
        ("frame3.jp2", "jp2", False),
        ("page3.pdf", "pdf", False),
        ("plot.png", "png", False),
        ("frame3", "PNG", True),
    ],
)
def test_pictures_with_a_number_before_the_suffix_are_numbered(path, kind, numbered):
    assert is_numbered(path, kind) is numbered


def test_a_dot_before_the_suffix_is_no_decimal_point():
    assert skeleton("out/vel.12.png") == "out/vel.#.png"
