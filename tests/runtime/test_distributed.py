"""Several processes that train one run: what they learn, who keeps it, and how they stop."""

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch.distributed as dist
from spawned import VARIANTS, Command, Hook, learned, until

Crew = Callable[..., list[Command]]
WHOLE = ("--batch-size", "8", "--optimizer", "sgd", "--lr", "0.05", "--log-every", "1", "--save-every", "5", "--quiet")


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew]:
    """`crew(2, "train", "gan")`: two processes, told of each other as torchrun would tell them."""
    started: list[Command] = []

    def crew(count: int, *args: object, last: Hook | None = None) -> list[Command]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(count)}
        new: list[Command] = []
        for rank in range(count):
            own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            hook = (last,) if last and rank == count - 1 else ()
            new.append(Command(args, tmp_path, hook, **(shared | own if count > 1 else {})))
            started.append(new[-1])
        return new

    yield crew
    for command in started:
        command.kill()


def log(run: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in lines if "epoch" in line]


def assert_alike(one: Path, other: Path) -> None:
    """The same losses at every step."""
    for mine, its in zip(log(one), log(other), strict=True):
        rates = mine.pop("images_per_s"), its.pop("images_per_s")
        assert min(rates) > 0
        assert mine == pytest.approx(its, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize(("name", "count"), [("gan", 4), ("cgan", 2), ("dcgan", 2)])
def test_together_they_learn_what_one_would_with_the_whole_batch(
    crew: Crew, tmp_path: Path, name: str, count: int
) -> None:
    args = ("train", *VARIANTS[name], *WHOLE, "--r1", "0.1", "--r1-every", "2", "--steps", "8")
    for processes in (1, count):
        assert [c.wait() for c in crew(processes, *args, "--out", f"of-{processes}")] == [0] * processes
    assert_alike(tmp_path / "of-1", tmp_path / f"of-{count}")


def test_a_run_of_two_goes_on_with_one_or_four(crew: Crew, tmp_path: Path) -> None:
    args = ("train", *VARIANTS["cgan"], *WHOLE)
    crew(1, *args, "--steps", "10", "--out", "whole")[0].wait()
    for count in (1, 4):
        run = f"then-{count}"
        assert [c.wait() for c in crew(2, *args, "--steps", "5", "--out", run)] == [0, 0]
        assert {c.wait() for c in crew(count, "resume", run, "--steps", "10", "-q")} == {0}
        assert_alike(tmp_path / "whole", tmp_path / run)


def test_two_learn_the_same_to_the_bit_when_they_are_stopped_and_resumed(crew: Crew, tmp_path: Path) -> None:
    args = ("train", *VARIANTS["dcgan"], *WHOLE)
    for command in crew(2, *args, "--steps", "10", "--out", "whole"):
        assert command.wait() == 0
    for words in ((*args, "--steps", "5", "--out", "parts"), ("resume", "parts", "--steps", "10")):
        for command in crew(2, *words):
            assert command.wait() == 0
    assert learned(tmp_path / "whole")["model"] == learned(tmp_path / "parts")["model"]


@pytest.mark.parametrize("told", [0, 1])
def test_a_signal_to_one_stops_all_after_the_same_step(crew: Crew, tmp_path: Path, told: int) -> None:
    both = crew(2, "train", *VARIANTS["gan"], "--steps", "100000", "--out", "run")
    until(lambda: (tmp_path / "run" / "metrics.jsonl").exists() and len(log(tmp_path / "run")) > 2)
    both[told].kill(signal.SIGTERM)
    codes = [command.wait() for command in both]
    assert codes[told] == 143
    assert codes[1 - told] == 0
    assert "interrupted: step" in both[0].out
    (newest, *_) = sorted((tmp_path / "run" / "checkpoints").iterdir(), reverse=True)
    last = log(tmp_path / "run")[-1]["step"]
    assert int(newest.stem.removeprefix("step-")) - last < 3  # the log has every third step


@pytest.mark.parametrize("lost", [0, 1])
def test_when_one_is_killed_the_other_ends_and_the_run_goes_on(crew: Crew, tmp_path: Path, lost: int) -> None:
    both = crew(2, "train", *VARIANTS["gan"], "--steps", "100000", "--out", "run")
    until(lambda: any((tmp_path / "run" / "checkpoints").glob("step-*")))
    both[lost].kill()
    assert both[1 - lost].wait(30) == 1
    who = "error: " if lost else "process 1: "
    assert both[1 - lost].err.startswith(f"{who}Another process of this training has ended.\n")
    assert "Traceback" not in both[1 - lost].err
    done = max(int(p.stem.removeprefix("step-")) for p in (tmp_path / "run" / "checkpoints").iterdir())
    assert {c.wait() for c in crew(2, "resume", "run", "--steps", done + 3)} == {0}


def test_the_first_keeps_the_run_and_speaks(crew: Crew, tmp_path: Path) -> None:
    both = crew(2, "train", *VARIANTS["gan"], "--steps", "6", "--out", "run")
    assert [command.wait() for command in both] == [0, 0]
    assert "cpu (1 thread), 2 processes" in both[0].out
    assert both[1].out + both[1].err == ""
    assert len(log(tmp_path / "run")) == 2


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--batch-size", "9"), "error: 2 processes cannot share a batch of 9 equally.\n  Try --batch-size 8.\n"),
        (("--steps", "many"), "--steps"),
        (("--data", "nowhere"), "nowhere"),
        (("--data", "empty"), "empty"),
    ],
)
def test_a_mistake_is_told_once(crew: Crew, tmp_path: Path, args: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    both = crew(2, "train", *VARIANTS["gan"], "--out", "run", "-q", *args)
    assert [command.wait() for command in both] == [2, 2]
    assert says in both[0].err
    assert both[1].err == ""


def held() -> None:
    """A hook: joins the others, and comes no further until it is let go."""
    join = dist.init_process_group

    def slow(*args: Any) -> None:
        join(*args)
        Path("joined").touch()
        until(Path("go").exists)

    dist.init_process_group = slow


def test_nobody_leaves_over_a_mistake_while_another_is_still_on_its_way(crew: Crew, tmp_path: Path) -> None:
    both = crew(2, "train", *VARIANTS["gan"], "--out", "run", "-q", "--batch-size", "9", last=held)
    until((tmp_path / "joined").exists)
    both[0].process.join(1)
    assert both[0].process.is_alive()
    (tmp_path / "go").touch()
    assert [command.wait() for command in both] == [2, 2]


def test_minutes_are_the_first_ones(crew: Crew, tmp_path: Path) -> None:
    both = crew(2, "train", *VARIANTS["gan"], "--minutes", "0.1", "--out", "run")
    assert [command.wait() for command in both] == [0, 0]
    assert "done: step" in both[0].out


@pytest.mark.long
def test_torchrun_starts_it(tmp_path: Path, process: Callable[..., Any]) -> None:
    done = process(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "gantool",
        "train", *VARIANTS["gan"], "--steps", "4", "--out", "run",
    )  # fmt: skip
    assert (done.code, done.err.count("rror")) == (0, 0), done.err
    assert "2 processes" in done.out
    assert (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.long
def test_nothing_holds_the_group_once_it_is_left(tmp_path: Path, process: Callable[..., Any]) -> None:
    """Else its threads live on, and one that is late as Python ends aborts a training that is through."""
    (tmp_path / "leave.py").write_text(
        "import weakref, torch\n"
        "from gantool.runtime import distributed\n"
        "with distributed.joined(torch.device('cpu')):\n"
        "    group = weakref.ref(torch.distributed.group.WORLD)\n"
        "    torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))])\n"
        "    distributed.wait()\n"
        "assert group() is None\n"
    )
    done = process(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "leave.py", OMP_NUM_THREADS="1"
    )
    assert (done.code, done.err.count("rror")) == (0, 0), done.err
