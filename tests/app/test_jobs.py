"""Jobs: one at a time, in order; they tell how far they are, and stop when they are told to."""

import threading
import time

import pytest

from spgnet.app.jobs import Job, Turns
from spgnet.capture import Cancelled
from spgnet.errors import InputError


def until(condition, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def endless(report) -> None:
    done = 0
    while True:
        done += 1
        report("counting", done, None)
        time.sleep(0.005)


def test_the_result_and_what_goes_wrong_come_out_where_they_are_asked_for():
    assert Job(lambda report: 7, Turns()).result() == 7

    def fail(report):
        raise InputError("no good")

    with pytest.raises(InputError, match="no good"):
        Job(fail, Turns()).result()


def test_a_job_that_is_cancelled_stops_where_it_reports():
    job = Job(endless, Turns())
    until(lambda: job.progress.done > 3)
    assert (job.progress.stage, job.progress.total, job.progress.seconds_left) == ("counting", None, None)
    job.cancel()
    assert job.progress.stage == "stopping"
    with pytest.raises(Cancelled):
        job.result()


def test_jobs_work_one_at_a_time_in_the_order_in_which_they_came():
    turns, gate, order = Turns(), threading.Event(), []

    def work(name):
        def run(report):
            gate.wait(10)
            order.append(name)

        return run

    jobs = []
    for name in "abc":
        jobs.append(Job(work(name), turns))
        until(lambda: len(turns._waiting) == len(jobs))
    until(lambda: jobs[2].progress.waiting == 2)
    gate.set()
    for job in jobs:
        job.result()
    assert order == ["a", "b", "c"]


def test_a_job_that_waits_can_be_cancelled_and_lets_the_next_one_pass():
    turns = Turns()
    first, second = Job(endless, turns), Job(endless, turns)
    third = Job(lambda report: "done", turns)
    second.cancel()
    with pytest.raises(Cancelled):
        second.result()
    first.cancel()
    assert third.result() == "done"


def test_the_time_left_is_that_of_what_is_left_at_the_speed_so_far(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("spgnet.app.jobs.time.monotonic", lambda: clock[0])
    seen = []

    def work(report):
        for done, now in ((0, 100.0), (10, 101.0), (25, 105.0)):
            clock[0] = now
            report("detecting", done, 100)
            seen.append(job_of[0].progress.seconds_left)
        report("lifting", 50, 100)  # another stage begins anew
        seen.append(job_of[0].progress.seconds_left)

    job_of: list[Job] = []
    ready = threading.Event()
    job = Job(lambda report: (ready.wait(10), work(report)), Turns())
    job_of.append(job)
    ready.set()
    job.result()
    assert seen == [None, None, 15.0, None]
