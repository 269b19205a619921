"""Signals while a call runs: each request is heard, however close it follows the one before."""

from __future__ import annotations

import io
import signal
import sys

import pytest

from framepipe.cli.session import stop_on_signals


class _Terminal(io.StringIO):
    """A terminal whose reader presses Ctrl-C again as soon as the first word of a message is there."""

    def write(self, text: str) -> int:
        written = super().write(text)
        if text.strip():
            signal.raise_signal(signal.SIGINT)
        return written


def test_ctrl_c_that_comes_while_the_first_is_being_answered_stops_at_once(monkeypatch):
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(KeyboardInterrupt), stop_on_signals():
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second Ctrl-C was taken for a first one")
    assert terminal.getvalue().count("Ctrl-C again stops at once") == 1


def test_one_ctrl_c_is_a_request_and_no_interrupt(capsys):
    with stop_on_signals() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.requested and stop.signal_name == "SIGINT"
    assert "Ctrl-C again stops at once" in capsys.readouterr().err
