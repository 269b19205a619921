"""What is loaded while the command line is read."""

import subprocess
import sys

LOADS = """
import sys
from framepipe.rendering.engines.preload import load_while
answers = iter({answers!r})
load_while(lambda: next(answers, True))
print(*[name for name in {names!r} if name in sys.modules])
"""


def loaded(folder, answers, *names):
    script = folder / "loads.py"
    script.write_text(LOADS.format(answers=answers, names=names))
    ran = subprocess.run([sys.executable, script], cwd=folder, capture_output=True, text=True, check=True)
    assert ran.stderr == ""
    return ran.stdout.split()


def test_packages_are_loaded_but_not_matplotlib_which_reads_what_users_configure(tmp_path):
    (tmp_path / "matplotlibrc").write_text("no such parameter: 1")
    names = "numpy", "PIL.Image", "pyparsing", "dateutil.parser", "matplotlib"
    assert loaded(tmp_path, [], *names) == [*names[:-1]]


def test_loading_ends_when_there_is_something_to_do(tmp_path):
    assert loaded(tmp_path, [True, False], "numpy", "PIL.Image") == ["numpy"]


def test_modules_of_the_user_are_not_run(tmp_path):
    (tmp_path / "pyparsing.py").write_text("print('run', file=__import__('sys').stderr)")
    assert loaded(tmp_path, [], "pyparsing", "kiwisolver") == ["kiwisolver"]
