"""HTML that shows movies in notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

#: Notebooks with larger cells are too large for editors and reviewers.
INLINE_LIMIT_BYTES = 20_000_000
_CONTROLS_PX = 130  # height of the player's controls, at most


def joined(bundles: Sequence[Mapping[str, str]], text: str) -> dict[str, str]:
    """Join several movies, one below the other, into one value for Jupyter's display.

    Parameters
    ----------
    bundles : sequence of mapping
        From `Movie` and its like.
    text : str
        For terminals.
    """
    return {"text/plain": text, "text/html": "\n".join(bundle["text/html"] for bundle in bundles)}


def framed(page: bytes, title: str, width: int, height: int) -> str:
    """Embed a page of framepipe's player in another page, isolated from it.

    Parameters
    ----------
    page : bytes
        ASCII.
    title : str
    width, height : int
        Size of the movie, in pixels.
    """
    inside, title = html.escape(page.decode("ascii", "replace")), html.escape(title)
    box = f"width:100%;max-width:{max(width, 640)}px;height:{height + _CONTROLS_PX}px;border:0"
    return f'<iframe title="{title}" sandbox="allow-scripts" style="{box}" srcdoc="{inside}"></iframe>'


def link(path: Path, note: str) -> str:
    """Return a link, relative if the file is below the working folder, which notebooks serve."""
    try:
        address = path.relative_to(Path.cwd())
    except ValueError:
        address = path
    target = html.escape(quote(address.as_posix()))
    return f'<p><a href="{target}">{html.escape(path.name)}</a> ({note})</p>'
