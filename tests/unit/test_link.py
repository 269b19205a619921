"""Messages over a socket pair: whole ones, in order, with descriptors, until the other side is gone."""

from __future__ import annotations

import os
import select
import socket
import threading
import time

import numpy as np
import pytest

from framepipe.rendering.engines.link import Link


@pytest.fixture
def ends():
    pair = [Link(end) for end in socket.socketpair()]
    yield pair
    for each in pair:
        each.close()


def test_a_message_arrives_as_it_was(ends):
    one, other = ends
    for message in (None, ("task", 1, {"a": [1.5, "é"]}), b"\0" * 9, ()):
        one.send(message)
        assert other.receive() == message
    other.send("back")
    assert one.receive() == "back"


def test_functions_of_a_script_are_sent_by_value(ends):
    add = 3
    ends[0].send(lambda x: x + add)
    assert ends[1].receive()(4) == 7


@pytest.mark.timeout(30)
def test_what_somebody_has_read_already_is_not_waited_for(ends):
    """As when a worker's death and the stage's answer are seen together, and one asks for the other."""
    one, other = ends
    one.send("an answer")
    select.select([other], [], [])
    assert other.arrived() == ["an answer"]
    assert other.arrived() == []
    one.send("another")
    assert other.arrived() == ["another"]


def test_several_messages_arrive_at_once_and_in_order(ends):
    one, other = ends
    for number in range(100):
        one.send(number)
    arrived = []
    while len(arrived) < 100:
        arrived += other.arrived()
    assert arrived == list(range(100))


def test_a_message_larger_than_any_buffer_arrives_whole(ends):
    large = np.arange(3_000_000)
    sender = threading.Thread(target=ends[0].send, args=(large,))
    sender.start()
    assert (ends[1].receive() == large).all()
    sender.join()


def test_a_message_that_comes_in_pieces_is_no_message_before_it_is_whole():
    theirs, ours = socket.socketpair()
    link = Link(ours)
    recorded, end = socket.socketpair()
    Link(recorded).send(["whole"])
    data = end.recv(1 << 16)
    for byte in data[:-1]:
        theirs.send(bytes([byte]))
        assert link.arrived() == []
    theirs.send(data[-1:] + data)
    assert link.arrived() == [["whole"], ["whole"]]
    for each in (theirs, ours, recorded, end):
        each.close()


def test_a_descriptor_comes_along_and_leads_to_the_same_file(ends, tmp_path):
    one, other = ends
    with open(tmp_path / "a.txt", "w+") as file:
        file.write("here")
        file.flush()
        one.send(("forked", 1), file.fileno())
    assert other.receive() == ("forked", 1)
    number = other.descriptor()
    assert os.pread(number, 9, 0) == b"here"
    os.close(number)


def test_descriptors_come_in_the_order_of_their_messages(ends):
    one, other = ends
    pipes = [os.pipe() for _ in range(6)]
    for count, (_, write) in enumerate(pipes):
        one.send(count, write)
        one.send("between")
    received = []
    while len(received) < 12:
        received += other.arrived()
    assert received == [item for count in range(6) for item in (count, "between")]
    for count, (read, write) in enumerate(pipes):
        os.close(write)
        number = other.descriptor()
        os.write(number, bytes([count]))
        os.close(number)
        assert os.read(read, 9) == bytes([count])
        os.close(read)


def test_the_end_of_the_other_side_is_told_after_all_that_it_said(ends):
    one, other = ends
    one.send("last words")
    one.close()
    assert other.receive() == "last words"
    with pytest.raises(EOFError):
        other.receive()
    with pytest.raises(EOFError):
        other.arrived()


def test_what_was_sent_in_part_by_one_that_is_gone_is_no_message():
    theirs, ours = socket.socketpair()
    theirs.sendall(b"\0\0\0\0\0\0\0\x09abc")
    theirs.close()
    link = Link(ours)
    assert link.arrived() == []
    with pytest.raises(EOFError):
        link.receive()
    link.close()


def test_to_send_to_one_that_is_gone_is_an_oserror(ends):
    ends[1].close()
    with pytest.raises(OSError):
        ends[0].send("a")


def test_to_read_from_an_end_that_is_closed_is_its_end(ends):
    ends[0].close()
    ends[0].close()
    with pytest.raises(EOFError):
        ends[0].receive()


def test_waiting_for_the_end_takes_no_longer_than_said(ends):
    one, other = ends
    began = time.monotonic()
    one.send("one more")
    other.wait_for_end(0.05)
    assert time.monotonic() - began >= 0.05
    one.close()
    with pytest.raises(EOFError):
        other.wait_for_end(60)
    assert time.monotonic() - began < 30


def test_a_link_can_be_waited_for(ends):
    assert select.select([ends[1]], [], [], 0)[0] == []
    ends[0].send(1)
    assert select.select([ends[1]], [], [], 5)[0] == [ends[1]]
