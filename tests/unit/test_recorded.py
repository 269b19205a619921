"""Which numbers were recorded, as text that each frame carries."""

from __future__ import annotations

import random

import pytest

from framepipe.store.recorded import Recorded, Recording


def text_of(numbers):
    recording = Recording()
    for number in numbers:
        recording.add(number)
    return str(recording)


def read(*texts):
    recorded = Recorded()
    for text in texts:
        recorded.add(text)
    return sorted(recorded.numbers(10))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([7], "7"),
        (range(58), "0-57"),
        (range(0, 581, 10), "0-580x10"),
        ([0, 1, 2, 10, 12, 14], "0-2,10-14x2"),
        ([7, 3, 5], "7,3-5x2"),
        ([0, 1, 0, 1, 2], "0-2"),
    ],
    ids=str,
)
def test_a_program_that_counts_is_one_run(numbers, text):
    assert text_of(numbers) == text
    assert read(text) == sorted(set(numbers))


def test_a_restarted_program_goes_on_with_the_numbers_that_are_there():
    recording = Recording([3, 0, 2, 1])
    recording.add(4)
    assert str(recording) == "0-4"


def test_numbers_without_order_are_known_by_the_newest_and_the_frames_together_know_all():
    numbers = random.Random(1).sample(range(100_000), 1000)
    recording, texts = Recording(), []
    for number in numbers:
        texts.append(str(recording))
        recording.add(number)
    assert max(map(len, texts)) <= 1500
    assert set(numbers[900:999]) <= set(read(texts[-1])) <= set(numbers)
    assert read(*texts) == sorted(numbers[:-1])


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "-3",
        "1-",
        "5-1",
        "1-2x",
        "0-9x0",
        "1,,2",
        "0-999999999999999999",
        "0-9999999",
        "9" * 5000,
        "\x00",
        "1 - 2",
        "٣",
    ],
)
def test_nonsense_is_no_error_and_never_much(text):
    assert len(read(text)) <= 10
