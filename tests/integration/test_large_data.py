"""Large data goes to the workers once, and not once a frame."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.conftest import Cli

SCRIPT = """
    import numpy as np
    from matplotlib import pyplot as plt

    DATA = np.ones((25, 1_000_000))  # 200 MB

    def private_mb():
        for line in open("/proc/self/smaps_rollup"):
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) / 1000

    def draw(k):
        total = DATA[k].sum()
        mb = private_mb()
        assert mb < 150, f"this worker has {mb} MB of its own"
        fig, ax = plt.subplots(figsize=(2, 1.5), dpi=50)
        ax.set_title(f"{total:.0f}")
        return fig
"""


def test_workers_share_one_copy_of_a_large_array(cli_process: Cli, folder: Path) -> None:
    (folder / "large.py").write_text(textwrap.dedent(SCRIPT))
    cli_process("render", "large.py:draw", "--frames", 12, "-j", 2, ok=True)


def test_the_workers_of_a_serial_control_would_be_caught(cli_process: Cli, folder: Path) -> None:
    """Where the data is loaded in the same process the same scene fails: the measure bites."""
    (folder / "large.py").write_text(textwrap.dedent(SCRIPT))
    done = cli_process("render", "large.py:draw", "--frames", 2, "--engine", "serial")
    assert done.returncode == 3
    assert "MB of its own" in done.stderr
