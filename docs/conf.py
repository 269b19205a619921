"""How the site is built of these pages: see `scripts/docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

import messages  # noqa: E402

import framepipe  # noqa: E402
from framepipe.cli import manual  # noqa: E402

project = "framepipe"
author = copyright = "The framepipe developers"
version = release = framepipe.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["pictures/**"]
html_theme = "furo"
html_title = "framepipe"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = html_show_sourcelink = False
html_theme_options = {"footer_icons": [], "navigation_with_keys": True}

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
#: `name` in a docstring is code, and a link if it is one of the names of this site.
default_role = "py:obj"
smartquotes = False  # which would make a dash of the two of an option
autodoc_typehints = "none"  # docstrings say them, with units
autodoc_default_options = {"members": True, "member-order": "bysource"}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
pygments_style, pygments_dark_style = "friendly", "monokai"
#: A block of a terminal may be cut with "…".
suppress_warnings = ["misc.highlighting_failure"]

#: Links as GitHub follows them, and as the site has them.
OUTSIDE = {
    ".github/CONTRIBUTING.md": "contributing.md",
    ".github/SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
    "docs/decisions": "decisions/index.md",
}


def _verbs() -> str:
    """Return the verbs' chapters; each heading of options leads to where these are explained."""
    text = manual.as_markdown()
    options = (ROOT / "docs" / "options.md").read_text(encoding="utf-8")
    for title, heading in re.findall(r"^## ((.*?):.*)$", options, re.M):
        anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        text = text.replace(f"*{heading}*:", f"[{heading}](../options.md#{anchor}):")
    return text


#: What stands in a page for what a program writes.
WRITTEN = {"<!-- verbs -->": _verbs, "<!-- messages -->": messages.as_markdown}


def _page(_: object, name: str, source: list[str]) -> None:
    """Complete a page, and take off what its tests read."""
    text, folder = source[0], (ROOT / "docs" / name).parent
    if found := re.fullmatch(r"<!-- page: (\S+) -->\n", text):
        file = ROOT / found[1]
        text, folder = file.read_text(encoding="utf-8"), file.parent
    for marker, written in WRITTEN.items():
        if marker in text:
            text = text.replace(marker, written())
    if "(others)\n" in text:
        text = text.replace("(others)\n", "".join(f"{each}\n" for each in _others(text)))
    text = re.sub(r"\]\(([^)#:\s]+)", lambda link: f"]({_of_the_site(link[1], folder)}", text)
    text = re.sub(r"<!-- file: (\S+) -->\n```python\n", r"```{code-block} python\n:caption: \1\n\n", text)
    source[0] = re.sub(r"<!-- (?:not run|run)\b.*?-->\n", "", text)


def _of_the_site(link: str, folder: Path) -> str:
    """Return where the site has what GitHub has under this link."""
    target = (folder / link).resolve()
    there = target.relative_to(ROOT).as_posix() if target.is_relative_to(ROOT) else ""
    if there in OUTSIDE:
        return f"/{OUTSIDE[there]}"
    if folder.name == ".github" and there.startswith("docs/"):
        return there.removeprefix("docs")
    return link


def _others(index: str) -> list[str]:
    """Return pages that the index does not name: they stand in the middle of the navigation."""
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    return sorted(page for page in pages if not re.search(rf"^{page}$", index, re.M))


def setup(app: object) -> None:
    """Have pages pass through `_page`."""
    app.connect("source-read", _page)  # type: ignore[attr-defined]
