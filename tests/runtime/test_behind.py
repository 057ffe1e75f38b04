"""Tests of gantool.runtime.behind: one errand at a time, and what goes wrong in it is not lost."""

import threading

import pytest

from gantool.runtime.behind import Behind


def test_an_errand_runs_beside_whoever_sent_it_and_the_next_waits_for_it() -> None:
    behind, go, done = Behind(), threading.Event(), list[str]()

    def first() -> None:
        assert go.wait(60) and threading.current_thread() is not threading.main_thread()
        done.append("first")

    behind.send(first)
    assert done == []  # sent, and not waited for
    threading.Timer(0.05, go.set).start()
    behind.send(lambda: done.append("second"))
    assert done[:1] == ["first"]
    behind.wait()
    assert done == ["first", "second"] and behind.longest >= 0.05
    behind.wait()  # for nothing


def test_what_an_errand_fails_of_is_raised_once_where_its_sender_asks_or_waits() -> None:
    behind = Behind()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    behind.send(fail)
    with pytest.raises(OSError, match="No space left"):
        behind.wait()
    behind.ask()
    behind.wait()
    behind.send(fail)
    with pytest.raises(OSError, match="No space left"):
        behind.send(lambda: pytest.fail("a save went on after one that failed"))


def test_where_no_thread_can_be_had_it_is_done_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    behind, done = Behind(), list[str]()
    behind.send(lambda: done.append("first"))
    assert done == ["first"]
    behind.wait()


def test_who_must_go_leaves_a_disk_that_hangs_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantool.runtime.behind.SOON", 0.01)
    behind, go = Behind(), threading.Event()
    behind.send(lambda: go.wait(60))
    behind.leave()
    assert behind.thread and behind.thread.is_alive()
    go.set()
    behind.wait()
    behind.leave()


def test_who_must_go_before_it_has_started_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", start)
    behind = Behind()
    with pytest.raises(KeyboardInterrupt):
        behind.send(lambda: None)
    behind.leave()
