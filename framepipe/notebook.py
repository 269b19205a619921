"""How a movie shows itself in a notebook."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from urllib.parse import quote

from framepipe.assets import folder_of

#: More than this in one cell makes a notebook that editors and reviewers choke on.
INLINE_LIMIT_BYTES = 20_000_000
_IMAGES = {
    "gif": "image/gif",
    "webp": "image/webp",
    "png": "image/png",
    "apng": "image/png",
    "avif": "image/avif",
}
_VIDEOS = {"mp4": "video/mp4", "webm": "video/webm"}
_CONTROLS_PX = 130  # height of the player's controls, at most


def mimebundle(path: Path, format_: str, width: int, height: int, text: str) -> dict[str, str]:
    """A movie for Jupyter's display, in the notebook itself as long as it is small.

    Parameters
    ----------
    path : Path
    format_ : str
    width, height : int
        In pixels.
    text : str
        For terminals.

    Returns
    -------
    dict of str to str
        By MIME type.
    """
    return {"text/plain": text, "text/html": _shown(path, format_, width, height)}


def _shown(path: Path, format_: str, width: int, height: int) -> str:
    name = html.escape(path.name)
    try:
        size = path.stat().st_size
        if size > INLINE_LIMIT_BYTES:
            return _link(path, f"{size / 1e6:.0f} MB, too large to be shown in the notebook")
        data = path.read_bytes()
    except OSError as error:
        return f"<p>{name} cannot be read: {html.escape(error.strerror or str(error))}</p>"
    inline = base64.b64encode(data).decode()
    if format_ in _IMAGES:
        return f'<img alt="{name}" width="{width}" src="data:{_IMAGES[format_]};base64,{inline}">'
    if format_ in _VIDEOS:
        source = f"data:{_VIDEOS[format_]};base64,{inline}"
        return f'<video controls loop muted width="{width}" aria-label="{name}" src="{source}"></video>'
    if format_ == "html":
        if folder := folder_of(path):  # what is in a cell has no folder beside it
            return _link(path, f"opens in a browser, with its pictures in {html.escape(folder.name)}")
        page = html.escape(data.decode("ascii", "replace"))
        box = f"width:100%;max-width:{max(width, 640)}px;height:{height + _CONTROLS_PX}px;border:0"
        return f'<iframe title="{name}" sandbox="allow-scripts" style="{box}" srcdoc="{page}"></iframe>'
    return _link(path, "browsers do not play this format")


def _link(path: Path, note: str) -> str:
    """A relative link where the file is below the working folder, which notebooks serve."""
    try:
        where = path.relative_to(Path.cwd())
    except ValueError:
        where = path
    target = html.escape(quote(where.as_posix()))
    return f'<p><a href="{target}">{html.escape(path.name)}</a> ({note})</p>'
