"""The README as an index of packages shows it: links and pictures lead into the repository, at this version.

hatchling runs this when it builds a package (``[tool.hatch.metadata.hooks.custom]`` in pyproject.toml).
README.md itself keeps relative links, which work in a checkout and on any branch. Without a ``Repository`` in
``[project.urls]`` a package's do too.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

try:
    from hatchling.metadata.plugin.interface import MetadataHookInterface
except ImportError:  # not in a build: tests and scripts/release read the function
    MetadataHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parents[1]
#: A picture or a link of Markdown with a relative target.
_TARGET = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z][a-z+.-]*:|#|/)([^)#\s]+)(#[^)\s]*)?\)")


def as_on_index(text: str, repository: str, version: str) -> str:
    """Return Markdown whose relative links and pictures lead into a repository on GitHub.

    >>> as_on_index("![a](docs/a.gif)", "https://github.com/o/r", "1.2")
    '![a](https://raw.githubusercontent.com/o/r/v1.2/docs/a.gif)'
    >>> as_on_index("[b](docs/b.md#c) [d](https://e.org)", "https://github.com/o/r", "1.2")
    '[b](https://github.com/o/r/blob/v1.2/docs/b.md#c) [d](https://e.org)'
    """
    base = repository.rstrip("/").removesuffix(".git")

    def absolute(match: re.Match[str]) -> str:
        is_picture, words, path, anchor = match.groups()
        kind = "raw" if is_picture else "tree" if (ROOT / path).is_dir() else "blob"
        place = f"{base}/{kind}/v{version}"
        if is_picture and base.startswith("https://github.com/"):
            place = f"{base.replace('https://github.com/', 'https://raw.githubusercontent.com/')}/v{version}"
        return f"{is_picture}[{words}]({place}/{path}{anchor or ''})"

    return _TARGET.sub(absolute, text)


class Readme(MetadataHookInterface):
    """Writes the README into a package's metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """See hatchling."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        if repository := metadata.get("urls", {}).get("Repository"):
            text = as_on_index(text, repository, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
