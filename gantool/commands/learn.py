"""`gantool learn`: the chapters there are, or one of them, or all."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from gantool import learn
from gantool.commands import terminal
from gantool.commands.groups import LEARN
from gantool.commands.shared import Json, at_work, free
from gantool.commands.typer_flags import Given, built, settled
from gantool.config.schema import Schema
from gantool.errors import USAGE, UserError

if TYPE_CHECKING:
    from gantool.learn.chapter import Found

HEADER = ("check", "found", "theory", "")
FILMS = Path("learn")  # where those of all go


@dataclass(kw_only=True)
class LearnCommand:
    chapter: Annotated[str | None, Argument(help="The one to run; without, they are listed.")] = None
    everything: Annotated[bool, Option("--all", help="Run all of them, each from several seeds.")] = False
    seed: Annotated[int, Option(min=0, max=2**32 - 1, help="Seed of a chapter.")] = 0
    seeds: Annotated[int, Option(min=1, max=100, help="With --all: how many seeds.")] = 3
    out: Annotated[
        Path | None,
        Option("--out", "-o", metavar="FILE.gif", help="The film; with --all, a folder.", show_default="CHAPTER.gif"),
    ] = None
    json: Json = False


def learn_command() -> Any:
    schema, see = Schema({"Options": LearnCommand}), "See: gantool learn --help"

    def run(given: Given) -> None:
        (this,) = settled(schema, given, see).values()
        typed = given.values
        if this.chapter and this.everything:
            raise UserError("One chapter, or all?", f"gantool learn {this.chapter}, or: gantool learn --all", USAGE)
        if "seeds" in typed and not this.everything:
            raise UserError("--seeds goes with --all.", f"gantool learn {this.chapter or 'dirac'} --seed 1", USAGE)
        if typed.keys() & {"seed", "out"} and not (this.chapter or (this.everything and "seed" not in typed)):
            raise UserError("--seed and --out go with a chapter.", "gantool learn dirac --seed 1", USAGE)
        if not this.chapter and not this.everything:
            return listed(this.json)
        passed = (
            every(this.seeds, this.out, this.json) if this.everything else
            one(this.chapter, this.seed, this.out, this.json)
        )  # fmt: skip
        if not passed:
            raise typer.Exit(1)

    return built("learn", LEARN, schema, run, example="gantool learn dirac")


def listed(json: bool) -> None:
    chapters = [learn.about(name) for name in learn.NAMES]
    if json:
        terminal.as_json([chapter._asdict() for chapter in chapters])
        return
    terminal.table(("chapter", "what it shows"), [(chapter.name, chapter.title) for chapter in chapters])
    print(f"\nRun one: gantool learn {learn.NAMES[0]}")


def one(name: str, seed: int, film: Path | None, json: bool) -> bool:
    """Run it, show its numbers, write its film; says whether all checks passed."""
    about = learn.about(name)
    if film and film.suffix != ".gif":
        raise UserError(f"A film's name ends in .gif, and {film} does not.", f"--out {name}.gif", USAGE)
    with at_work(answers=True):
        from gantool.learn import running

        found, seconds = running.run(name, seed)
        film = film or free(f"{name}.gif")
        running.write(found, film)
    if json:
        terminal.as_json(facts(name, seed, found, seconds) | {"film": str(film)})
        return found.passed
    print(f"{about.title}.\n\n{about.text}\n")
    terminal.table(HEADER, rows(found))
    if found.shown:
        print()
        terminal.table(("beside", "found"), [(what, f"{value:.4g}") for what, value in found.shown.items()])
    print(f"\n{tally(found)}, seed {seed}, {seconds:.0f} seconds. Film: {film}")
    return found.passed


def every(seeds: int, folder: Path | None, json: bool) -> bool:
    """Run each from so many seeds; films of the first."""
    folder, results = folder or free(str(FILMS)), list[dict[str, Any]]()
    with at_work(answers=True):
        from gantool.learn import running

        for name in learn.NAMES:
            for seed in range(seeds):
                found, seconds = running.run(name, seed)
                results.append(facts(name, seed, found, seconds))
                if seed == 0:
                    running.write(found, folder / f"{name}.gif")
                if not json:
                    print(f"{name}, seed {seed}: {tally(found)}, {seconds:.0f} seconds", flush=True)
    if json:
        terminal.as_json(results)
    else:
        print()
        terminal.table(("chapter", *HEADER), table(results))
        print(f"\nFilms: {folder}")
    return all(check["passed"] for result in results for check in result["checks"])


def tally(found: "Found") -> str:
    passed = sum(check.passed for check in found.checks)
    return f"{passed} of {len(found.checks)} checks passed"


def rows(found: "Found") -> list[tuple[str, str, str, str]]:
    return [(c.what, f"{c.value:.4g}", c.expected, verdict([c.passed])) for c in found.checks]


def facts(name: str, seed: int, found: "Found", seconds: float) -> dict[str, Any]:
    checks = [
        {"what": c.what, "value": c.value, "expected": c.expected, "passed": c.passed} for c in found.checks
    ]  # fmt: skip
    return {"chapter": name, "seed": seed, "seconds": round(seconds, 1), "checks": checks, "beside": found.shown}


def table(results: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A line for each check, with what each seed found."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for result in results:
        for check in result["checks"]:
            found.setdefault((result["chapter"], check["what"]), []).append(check)
    return [
        (chapter, what, ", ".join(f"{c['value']:.4g}" for c in of), of[0]["expected"], verdict(c["passed"] for c in of))
        for (chapter, what), of in found.items()
    ]


def verdict(passed: Any) -> str:
    return "ok" if all(passed) else "failed"
