"""Which model is meant by a name, and which there are: those of runs, and those that packages carry. Needs no torch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gantool.config.packages import Offer
from gantool.errors import USAGE, UserError, counted, did_you_mean
from gantool.registry import Registry
from gantool.runs.header import facts
from gantool.runs.packaged import PACKAGED, card_of, carrier, model_of, name_of, named, path_of, report_in
from gantool.runs.run import RUNS, RunFolder, all_runs, find, model_in, runs_of
from gantool.runtime.progress import current


class ModelFile(NamedTuple):
    """A model that can draw: its name, which `gantool sample` and `gantool.load` take, and what is known of it."""

    name: str
    variant: str
    data: str
    step: int
    bytes: int
    scores: dict[str, float]
    package: str  # that carries it; empty for a run's


def model_path(registry: Registry, variant: str, given: Path | None) -> Path:
    """The model file meant by --run: a file, a run, what a package carries, or the variant's newest run."""
    if given is None:
        return newest_of(registry, variant)
    if given.as_posix() == PACKAGED:
        if not variant:
            raise UserError("--run packaged: which?", "For example: --run packaged/cgan. See `gantool models`.", USAGE)
        return model_of(registry.offer(variant))
    return there(registry, given) or model_in(find(given))


def newest_of(registry: Registry, variant: str) -> Path:
    """The variant's newest model: of a run of one's own, and where there is none, its package's."""
    if found := [run for run in all_runs() if run.variant == variant]:
        return model_in(*found)
    if not any(path_of(offer).is_file() for offer in registry.offers.get(variant, [])):
        return model_in(*runs_of(variant))
    offer = registry.offer(variant)
    current().note(whose(offer))
    return path_of(offer)


def whose(offer: Offer) -> str:
    """Who draws where nobody has trained, and how to train."""
    data, step = trained(facts(path_of(offer)))
    steps = counted(step, "step")
    return (
        f"no run of {offer.name} yet: this is the model of {offer.maker}, {steps} on {data}. "
        f"Train your own: gantool train {offer.name}"
    )


def file_of(registry: Registry, word: str | Path) -> Path:
    """The model file meant where a variant, a run or a file could be."""
    if isinstance(word, str) and word in registry.offers:
        return newest_of(registry, word)
    if found := there(registry, Path(word)):
        return found
    known = [*registry.names(), *(run.name for run in all_runs())]
    raise UserError(
        f"No variant, run or model file named {str(word)!r}.{did_you_mean(str(word), known)}",
        f"Variants: {', '.join(registry.names())}. See `gantool models`.", USAGE,
    )  # fmt: skip


def there(registry: Registry, path: Path) -> Path | None:
    """The model file that a path is, or that is meant by packaged/NAME or by a run's folder or name."""
    if offer := named(registry, path.as_posix()):
        return model_of(offer)
    if path.is_file():
        return path
    if path.suffix == ".safetensors":
        raise UserError(f"There is no file {path}.", "Give a run or a model file; see `gantool models`.", USAGE)
    folders = (path, RUNS / path)
    return next((model_in(RunFolder(f)) for f in folders if (f / "config.yaml").is_file()), None)


def is_named(registry: Registry, word: str) -> bool:
    """Whether this is a model's name: packaged/NAME, a run's or a file's, and no variant's."""
    if word in registry.offers:
        return False
    folders = (Path(word), RUNS / word)
    return bool(named(registry, word)) or folders[0].is_file() or any((f / "config.yaml").is_file() for f in folders)


def known_of(registry: Registry, path: Path) -> ModelFile:
    """What is known of a model file, wherever it lies."""
    if offer := carrier(registry, path):
        return of_package(offer)
    return of_file(path, str(path), report_in(path.with_name("eval.json")))


def listed(registry: Registry, folder: Path = RUNS) -> list[ModelFile]:
    """All there are: those of packages, then those of the runs in a folder, newest first."""
    carried = [of_package(o) for several in registry.offers.values() for o in several if path_of(o).is_file()]
    return [*carried, *of_runs(folder)]


def of_package(offer: Offer) -> ModelFile:
    path = path_of(offer)
    return of_file(path, name_of(offer), card_of(path))._replace(package=offer.maker)


def of_runs(folder: Path) -> Iterator[ModelFile]:
    for run in all_runs(folder):
        if run.model.is_file():
            yield of_file(run.model, str(run.folder), report_in(run.eval))


def of_file(path: Path, name: str, report: dict[str, Any]) -> ModelFile:
    said = facts(path)
    data, step = trained(said)
    scores = scores_in(report, step)
    return ModelFile(name, str(said.get("variant", "?")), data, step, path.stat().st_size, scores, "")


def trained(said: dict[str, Any]) -> tuple[str, int]:
    """On what and how long, by the facts of a file, which may be anyone's."""
    step = said.get("step")
    return str(said.get("data", "")), step if isinstance(step, int) else 0


def scores_in(found: dict[str, Any], step: int) -> dict[str, float]:
    """Of a report or a card, if it is of the model of this step."""
    scores = found.get("scores") if found.get("step") == step else None
    held = scores.items() if isinstance(scores, dict) else ()
    return {str(name): float(value) for name, value in held if isinstance(value, int | float)}
