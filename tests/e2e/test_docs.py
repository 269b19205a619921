"""What README and the pages of the site show, runs: each page in a folder of its own, its blocks in order."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.browser import Tab, chromium
from tests.support.command_line import run_here
from tests.support.pages import Block, blocks, commands, run_block

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
#: What is for who works on framepipe, and what is written by a program.
OF_THE_HOUSE = {
    "architecture",
    "changelog",
    "contributing",
    "glossary",
    "options",
    "proof",
    "security",
    "speed",
}
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
    if path.stem not in OF_THE_HOUSE and path.parent.name != "decisions"
}


def runs(block: Block) -> bool:
    return not block.marker


@pytest.mark.parametrize("page", [page for page in PAGES if any(map(runs, blocks(PAGES[page])))])
def test_a_page_runs_to_the_letter(page: str, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(PAGES[page])):
        if block.marker.startswith("file: "):
            (tmp_path / block.marker.removeprefix("file: ")).write_text(block.text)
        elif runs(block):
            printed = run_block(block, tmp_path, number)
            assert "NO" not in printed.split(), printed
            for name in re.findall(r"(?:-o |output=\"|\.save\(\")([\w.]+)", block.text):
                assert (tmp_path / name).stat().st_size > 1000, name
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_shows_and_does_not_run_says_why_and_is_right(page: str, tmp_path: Path) -> None:
    for block in blocks(PAGES[page]):
        assert re.match(r"$|file: \S+$|not run: \S|run on slurm$", block.marker), block.marker
        if block.kind == "python":
            ast.parse(block.text)
        elif block.marker:
            for words in commands(re.sub(r"[()\[\]]|'?#.*", "", block.text)):
                names_what_exists([word for word in words if word != "srun"], tmp_path)


def names_what_exists(words: list[str], folder: Path) -> None:
    if "framepipe" not in words[:1]:
        return
    help_ = run_here([words[1], "--help"], folder, {"COLUMNS": "200"})
    assert help_.returncode == 0, words
    for option in [word.partition("=")[0] for word in words if word.startswith("--")]:
        if option == "--":  # the script's own follow
            break
        assert option in help_.stdout, f"{words[1]} {option}"


def test_readme_is_one_screen_and_a_table() -> None:
    assert PAGES["README.md"].count("\n") <= 150


@pytest.mark.parametrize(
    "page",
    [ROOT / "README.md", *DOCS.rglob("*.md"), *(ROOT / ".github").glob("*.md")],
    ids=lambda page: page.stem,
)
def test_a_link_leads_to_a_file(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert link.startswith("https://") or target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}, (
                link
            )


def test_pictures_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (DOCS / "pictures").iterdir()}
    assert max(sizes.values()) < 300_000, sizes
    assert sum(sizes.values()) < 2_000_000, sizes


def test_an_index_and_a_fold_of_the_site_fit_a_phone(tmp_path: Path) -> None:
    """With the site's own settings and style, and names as long as there are."""
    source = tmp_path / "source"
    source.mkdir()
    names = ["SubmitSweepReport.details", "SubmitReport.details", "StoreStatus.duration_s", "DrawOptions"]
    entries = "\n".join(f".. py:method:: framepipe.{name}()" for name in names)
    fold = ":::{dropdown} scripts/gallery/a_name_as_long_as_label_propagation_or_longer.py\nText.\n:::\n"
    (source / "index.md").write_text(f"# Site\n\n{fold}\n```{{eval-rst}}\n{entries}\n```\n")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-q",
        "-b",
        "html",
        "-c",
        str(DOCS),
        str(source),
        str(tmp_path / "out"),
    ]
    subprocess.run(command, check=True)
    with chromium(tmp_path / "profile") as port:
        tab = Tab(port, 390, 844)
        for name in ("index.html", "genindex.html"):
            tab.open(tmp_path / "out" / name, until=f"location.pathname.endsWith('/{name}')")
            for is_open in ("false", "true"):
                tab.js(f"document.querySelectorAll('details').forEach((each) => each.open = {is_open})")
                assert tab.js(TOO_WIDE) == [], (name, is_open)
        tab.close()


#: What of the text ends beyond the page, or does not fit into its box.
TOO_WIDE = """[...document.querySelectorAll('article summary, article table, article a')]
  .filter((each) => each.checkVisibility() && (each.getBoundingClientRect().right > innerWidth || each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== 'inline'))
  .map((each) => `${each.tagName} ${each.className} ${each.textContent.trim().slice(0, 40)}`)"""


def test_the_readme_of_a_package_leads_into_the_repository(monkeypatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    from readme import as_on_index

    text = as_on_index(PAGES["README.md"], "https://github.com/someone/framepipe", "1.2.3")
    assert (
        "![Waves of two sources](https://raw.githubusercontent.com/someone/framepipe/v1.2.3/docs/pictures/demo.gif)"
        in text
    )
    assert "(https://github.com/someone/framepipe/blob/v1.2.3/docs/guides/install.md)" in text
    assert "(https://github.com/someone/framepipe/tree/v1.2.3/docs/decisions)" in text
    assert not re.findall(r"\]\((?!https://|#)[^)]*\)", text)
