"""The trust suite: promises held against real processes, rubbish and attacks, and the table of what was tried.

`pytest tests/trust -m trust` is the quick form. `--long` tries more and prints the table of docs/reliability.md.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from spawned import Command

Start = Callable[..., Command]
TRIED: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))  # promise -> what was tried -> how often
BROKEN: dict[str, int] = defaultdict(int)
SECONDS: dict[str, float] = defaultdict(float)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="trust: try each promise many more times")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.trust)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """`times(25, 200)`: 25, or 200 in the long form."""
    return lambda quick, long: long if request.config.getoption("--long") else quick


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Callable[..., None]:
    """`tried("kills while saving", 8)`: what was held against this test's promise, for the table."""
    promise = request.node.get_closest_marker("promise").args[0]

    def tried(what: str, count: int = 1) -> None:
        TRIED[promise][what] += count

    return tried


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start("train", "gan")`: that command at work; hook=(function, argument...) is called in its process first."""
    begun: list[Command] = []

    def start(*args: object, folder: Path = tmp_path, hook: tuple[Any, ...] = (), **environment: str) -> Command:
        begun.append(Command(args, folder, hook, **environment))
        return begun[-1]

    yield start
    for command in begun:
        command.kill()
        command.process.join()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome: Any = yield
    mark, report = item.get_closest_marker("promise"), outcome.get_result()
    if mark and report.when == "call":
        SECONDS[mark.args[0]] += report.duration
        BROKEN[mark.args[0]] += report.failed


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not terminalreporter.config.getoption("--long", False):
        return
    terminalreporter.write_line("| # | tried | broken | seconds |\n|---|---|---|---|")
    for promise in sorted(SECONDS, key=lambda p: (p[0], int(p[1:]))):
        what = ", ".join(f"{count:,} {name}" for name, count in TRIED[promise].items()) or "see the test"
        terminalreporter.write_line(f"| {promise} | {what} | {BROKEN[promise]} | {SECONDS[promise]:.0f} |")
