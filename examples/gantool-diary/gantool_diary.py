"""Diary: what a training was like, in words. One file that adds a command, a metric, a writer and an observer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from gantool import UserError
from pluggy import HookimplMarker
from typer import Argument, Option

hookimpl = HookimplMarker("gantool")  # as gantool.api has it, which brings torch: a diary is read without
SHADES = " .:-=+*#%@"  # from dark to bright


@dataclass(kw_only=True)
class HowToTell:
    run: Annotated[str, Argument(help="A run's folder or name.")]
    entries: Annotated[int, Option("--entries", "-n", min=2, help="How many of the log's.")] = 5


def diary(how: HowToTell) -> None:
    """A run in a few lines, from its log."""
    logs = [folder / "metrics.jsonl" for folder in (Path(how.run), Path("runs", how.run))]
    log = next((log for log in logs if log.is_file()), None)
    if log is None:
        raise UserError(f"No run {how.run!r} has a log.", "See: gantool runs", 2)
    for line in picked(log.read_text(encoding="utf-8").splitlines(), how.entries):
        print(line)


def picked(lines: list[str], entries: int) -> Iterator[str]:
    """So many of the log's entries, evenly, the first and the last among them; and every sign of trouble."""
    every = [json.loads(line) for line in lines if line.endswith("}")]
    logged = [entry for entry in every if "probe" not in entry and "sign" not in entry]
    last = len(logged) - 1
    shown = [logged[i] for i in sorted({round(last * k / (entries - 1)) for k in range(entries)})] if logged else []
    for entry in sorted([*shown, *(entry for entry in every if "sign" in entry)], key=lambda entry: entry["step"]):
        losses = ", ".join(f"{name} {value:.3g}" for name, value in entry.items() if "/" in name)
        yield f"step {entry['step']}: {entry.get('words', losses)}"


def ink(drawn: Any, real: Any) -> float:
    """Grey levels by which drawn images are, on the whole, brighter or darker than real ones; 0 is right."""
    return abs(float(drawn.float().mean() - real.float().mean()))


def txt(images: Any, out: Path) -> str:
    """Images in letters, one below the other, each under its name."""
    pages = []
    for part in images.parts:
        for name, image in zip(part.names, part.images, strict=True):
            rows = image.mean(2)[::2].astype(int) * len(SHADES) // 256  # a letter is twice as high as it is wide
            pages.append("\n".join([name, *("".join(SHADES[level] for level in row).rstrip() for row in rows)]))
    return "\n\n".join(pages) + "\n"


@hookimpl
def gantool_metrics() -> dict[str, Any]:
    return {"ink": ink}


@hookimpl
def gantool_writers() -> dict[str, Any]:
    return {"txt": txt}


@hookimpl
def gantool_train_start(trainer: Any) -> None:
    note(trainer, f"{trainer.run_name} starts at step {trainer.step} of {trainer.steps}")


@hookimpl
def gantool_train_step(trainer: Any) -> None:
    if trainer.logged:
        losses = [f"{name} {value:.3g}" for name, value in trainer.metrics.items() if "/" in name]
        note(trainer, f"step {trainer.step}: {', '.join(losses)}")


@hookimpl
def gantool_train_end(trainer: Any) -> None:
    note(trainer, f"ends: {trainer.ending}")


def note(trainer: Any, text: str) -> None:
    with (trainer.folder / "diary.txt").open("a", encoding="utf-8") as file:
        file.write(text + "\n")
