"""What a notebook keeps of a movie: the movie itself."""

from __future__ import annotations

import base64
import io
import re

import pytest
from PIL import Image

import framepipe as fp

DRAW = """
import framepipe as fp
from matplotlib import pyplot as plt

def draw(k):
    fig, ax = plt.subplots(figsize=(1, 1), dpi=50)
    ax.plot([0, k])
    return fig
"""


def executed(folder, *cells):
    """A notebook after it has run, with its working folder thrown away."""
    import nbformat  # here, since every process of pytest would load it with all else
    from nbclient import NotebookClient

    sheet = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (DRAW, *cells)])
    client = NotebookClient(
        sheet, timeout=240, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    return sheet


def picture(page, kind):
    """The bytes of the first picture or video of a kind that stands in a page itself."""
    found = re.search(rf'src="data:{kind};base64,([A-Za-z0-9+/=]+)"', page)
    assert found, page[:500]
    return base64.b64decode(found[1])


def test_make_as_the_value_of_a_cell_shows_its_movies_and_so_does_the_converted_page(folder):
    sheet = executed(
        folder,
        "report = fp.make(draw, 3, ['a.gif', 'b.mp4'], workers=2)",
        "report",
        "print(report)",
        "report.movies[0]",
    )
    value, printed, movie = (cell.outputs for cell in sheet.cells[2:])
    gif = (folder / "a.gif").read_bytes()
    page = value[0]["data"]["text/html"]
    assert picture(page, "image/gif") == gif
    assert picture(page, "video/mp4") == (folder / "b.mp4").read_bytes()
    assert value[0]["data"]["text/plain"] == printed[0]["text"].rstrip("\n")
    assert len(printed[0]["text"].splitlines()) < 12
    assert picture(movie[0]["data"]["text/html"], "image/gif") == gif
    from nbconvert import HTMLExporter

    html, _ = HTMLExporter().from_notebook_node(sheet)
    assert picture(html, "image/gif") == gif
    assert str(folder) not in "".join(output["data"]["text/html"] for output in (*value, *movie))


def test_a_notebook_shows_progress_by_itself_and_is_silent_on_request(folder):
    sheet = executed(
        folder,
        "import pathlib; store = fp.render(draw, 2, store='s', workers=1, progress=False)",
        "movie = fp.assemble('s', 'a.gif')",
        "movie = fp.assemble('s', 'b.gif', progress=False)",
        "steps = []; movie = fp.assemble('s', 'c.gif', progress=steps.append); print(steps[-1].stage)",
    )
    silent, shown, quiet, called = (cell.outputs for cell in sheet.cells[1:])
    assert (silent, quiet) == ([], [])
    assert "encoding a.gif" in repr(shown)
    assert [output.get("text") for output in called] == ["verify\n"]


@pytest.mark.parametrize("name", ["a.gif", "a.html"])
def test_the_movies_of_make_are_data_and_not_paths(folder, name):
    report = fp.make("scene.py:draw", 2, [name, "b.webp"], engine="serial")
    bundle = report._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/plain"] == str(report)
    for path in (folder / name, folder / "b.webp"):
        path.unlink()
    with Image.open(io.BytesIO(picture(bundle["text/html"], "image/webp"))) as movie:
        assert movie.n_frames == 2
    assert 'src="b' not in bundle["text/html"] and "href" not in bundle["text/html"].split("<iframe")[0]
