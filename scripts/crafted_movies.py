#!/usr/bin/env python3
"""How many crafted wrong movies verification finds, by format and kind; and that right ones pass.

Run from the project's folder: ``python scripts/crafted_movies.py [FORMAT ...] [--seen]``;
``--write docs/proof.md`` for the page.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.faults.crafted import FORMATS, ORDERS, RIGHT, SCENES, Stores, built, verified, wrong_order

RIGHT_KIND = "right"
PAGE = """\
# What verification finds

<!-- written by scripts/crafted_movies.py --write docs/proof.md -->

Wrong movies that verification called wrong, by format and by what is wrong with them; of {scenes} films each,
in which two frames differ by a number in a title, a digit in light grey, a dot of 2 px, a thin line, a tick
label or a moved curve. "stale": a frame of another run. In the last column, the right movies that passed.
"""


def main() -> int:
    """Print a table: found of crafted, a row a format and a column a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("formats", nargs="*", default=[*FORMATS], metavar="FORMAT")
    parser.add_argument("--seen", action="store_true", help="print what was seen of each movie that passed")
    parser.add_argument("--write", type=Path, metavar="FILE.md", help="as docs/proof.md")
    asked = parser.parse_args()
    alarms, rows, not_so = 0, [], []
    kinds = [*ORDERS, RIGHT_KIND]
    print(f"{'':14}" + "".join(f"{kind:>18}" for kind in kinds))
    with tempfile.TemporaryDirectory(prefix="crafted-") as folder:
        stores = Stores(Path(folder))
        for variant in asked.formats:
            passed: Counter[str] = Counter()
            missed = []
            for scene in SCENES:
                for kind in kinds:
                    order = [*RIGHT] if kind == RIGHT_KIND else wrong_order(stores, scene, kind)
                    with tempfile.TemporaryDirectory(dir=folder) as place:
                        movie = built(stores, Path(place), scene, variant, order)
                        report = verified(movie, stores, scene, variant)
                    passed[kind] += report.passed
                    if report.passed != (kind == RIGHT_KIND):
                        missed.append(f"{kind}: {scene}")
                        if asked.seen:
                            print(report.table())
            alarms += len(SCENES) - passed[RIGHT_KIND]
            cells = [f"{len(SCENES) - passed[kind]} of {len(SCENES)}" for kind in ORDERS]
            cells.append(f"{passed[RIGHT_KIND]} pass")
            print(f"{variant:14}" + "".join(f"{cell:>18}" for cell in cells))
            rows.append(f"| {variant} | {' | '.join(cells)} |")
            if missed:
                print(f"{'':14}  not so: {'; '.join(missed)}", flush=True)
                not_so.append(f"- {variant}: {'; '.join(missed)}")
    if asked.write:
        heads = [f"| format | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
        asked.write.write_text("\n".join([PAGE.format(scenes=len(SCENES)), *heads, *rows, "", *_and(not_so)]))
    return 1 if alarms else 0


def _and(not_so: list[str]) -> list[str]:
    return ["Not so:", "", *not_so, ""] if not_so else []


if __name__ == "__main__":
    sys.exit(main())
