"""Delays and repeats, for any rate."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from framepipe.timeline import Timeline, parse_fps
from tests.support.sizes import examples

RATES = st.fractions(Fraction(1, 100), 50, max_denominator=2000) | st.sampled_from(
    [Fraction(n, 1001) for n in (12000, 24000, 30000)]
)
HOLDS = st.just(0) | st.decimals(0, 600, places=3)


@given(RATES, st.integers(1, 400), HOLDS, HOLDS)
@settings(max_examples=examples(300), deadline=None)
def test_the_running_time_of_a_gif_is_never_off_by_more_than_half_a_centisecond(fps, count, first_s, last_s):
    line = Timeline.of(range(count), fps=fps, hold_first_s=first_s, hold_last_s=last_s)
    shown_cs, due_cs = 0, Fraction(0)
    delays = line.gif_delays_cs()
    assert len(delays) == count
    for delay, duration in zip(delays, line.durations_s):
        shown_cs += delay
        due_cs += duration * 100
        assert delay >= 2
        assert abs(shown_cs - due_cs) <= Fraction(1, 2)
    assert sum(delays) == int(line.duration_s * 100 + Fraction(1, 2))


@given(RATES, st.integers(2, 300))
@settings(max_examples=examples(200), deadline=None)
def test_a_constant_rate_needs_at_most_two_delays_that_are_neighbours(fps, count):
    delays = set(Timeline.of(range(count), fps=fps).gif_delays_cs())
    assert max(delays) - min(delays) <= 1


@given(st.fractions(Fraction(1, 100), 1000, max_denominator=2000), st.integers(1, 50), HOLDS, HOLDS)
@settings(max_examples=examples(200), deadline=None)
def test_a_video_shows_each_frame_at_least_once_and_holds_to_half_a_tick(fps, count, first_s, last_s):
    line = Timeline.of(range(count), fps=fps, hold_first_s=first_s, hold_last_s=last_s)
    rate, shown_s, due_s = line.video_fps, Fraction(0), Fraction(0)
    assert rate >= 10 and (rate / fps).denominator == 1
    for repeat, duration in zip(line.video_repeats(), line.durations_s):
        assert repeat >= 1
        shown_s, due_s = shown_s + repeat / rate, due_s + duration
        assert abs(shown_s - due_s) <= 1 / (2 * rate)


@given(RATES)
def test_a_rate_is_the_same_as_a_fraction_and_as_text(fps):
    assert parse_fps(fps) == parse_fps(f"{fps.numerator}/{fps.denominator}") == fps


@given(st.floats(0.001, 1000))
def test_a_float_is_the_decimal_that_it_prints_as(fps):
    assert parse_fps(fps) == Fraction(repr(fps))
