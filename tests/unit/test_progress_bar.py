"""Who is shown progress, and how."""

from __future__ import annotations

import io
import subprocess
import sys
from types import SimpleNamespace

import pytest

from framepipe import UsageError
from framepipe.core.control import Progress, ignore_progress
from framepipe.core.progress_bar import ProgressBar, controlled, is_interactive, is_notebook

STEPS = [Progress("draw", done, 3, label="run1") for done in range(4)]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def script(monkeypatch):
    """As in a script: nobody is at a prompt."""
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)


def jupyter(monkeypatch, **config):
    shell = SimpleNamespace(config=config)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


def shown(progress, steps=STEPS):
    with controlled(progress) as control:
        for step in steps:
            control.progress(step)


def test_a_script_is_silent_unless_it_asks(script, capsys):
    for silent in (None, False):
        shown(silent)
        assert capsys.readouterr() == ("", "")
    shown(True)
    assert "] drawing run1: 3/3 frames" in capsys.readouterr().err


def test_a_prompt_shows_progress_unless_it_is_told_not_to(script, monkeypatch, capsys):
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    assert is_interactive() and not is_notebook()
    shown(None)
    assert "] drawing run1: 3/3 frames" in capsys.readouterr().err
    shown(False)
    assert capsys.readouterr().err == ""


def test_python_i_is_a_prompt():
    code = "import framepipe.core.progress_bar as p; print('prompt', p.is_interactive())"
    for option, expected in ([], False), (["-i"], True):
        done = subprocess.run(
            [sys.executable, *option, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert f"prompt {expected}" in done.stdout, done.stderr


def test_ipython_is_a_prompt_and_its_kernel_a_notebook(script, monkeypatch):
    assert not is_interactive()
    jupyter(monkeypatch)
    assert is_interactive() and not is_notebook()
    jupyter(monkeypatch, IPKernelApp={})
    assert is_interactive() and is_notebook()


def test_a_function_is_called_with_each_step_and_its_errors_come_through():
    steps = []
    shown(steps.append)
    assert steps == STEPS

    def fail(_):
        raise ZeroDivisionError("of the function")

    with pytest.raises(ZeroDivisionError, match="of the function"):
        shown(fail)


def test_nested_calls_pass_the_same_function_on():
    with controlled(None) as outer, controlled(outer.progress, outer.stop) as inner:
        assert inner == outer
        assert inner.progress is ignore_progress


@pytest.mark.parametrize("wrong", ["yes", 1, 0, []])
def test_anything_else_is_refused(wrong):
    with pytest.raises(UsageError, match="give True, False or a function of one Progress"):
        shown(wrong)


def test_the_bar_ends_its_line_when_the_work_fails(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(RuntimeError, match="the work failed"), controlled(True) as control:
        control.progress(STEPS[1])
        raise RuntimeError("the work failed")
    assert "1/3" in terminal.getvalue()
    assert terminal.getvalue().endswith("\n")


def test_a_notebook_gets_tqdms_bar_and_no_warning_where_widgets_are_missing(script, monkeypatch, capsys):
    jupyter(monkeypatch, IPKernelApp={})
    bar = ProgressBar()
    for step in STEPS:
        bar(step)
    bar.close()
    text = "".join(capsys.readouterr())
    assert "drawing run1" in text and "IProgress" not in text
