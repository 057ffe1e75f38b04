"""Write docs/variants.md and README's table: every variant here, with a line, an image and a figure, from the cards.

And gantool/assets/shelf.json, by which gantool knows whose a variant is that is not installed.
With --check, only say whether they are stale. Packages need not be installed.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gantool.config.packages import Offer
    from gantool.evaluation.shelf import Line

ROOT = Path(__file__).parents[1]
PAGE, README = ROOT / "docs" / "variants.md", ROOT / "README.md"
SHELF = ROOT / "gantool" / "assets" / "shelf.json"
BEGIN, END = "<!-- shelf: python tools/make_variants.py -->\n", "<!-- shelf ends -->\n"
HEAD = """# Variants

Every variant of this repository, by task: what it is, what it draws, and one figure of each data set that it has a card
of, the median of the card's trainings beside the threshold it is held to (`gantool info NAME` shows the whole card).
Written from the cards by `python tools/make_variants.py`; do not edit.
"""


def packages() -> Iterator[tuple[Path, dict[str, str]]]:
    """Each package's folder, and the variants it offers."""
    for file in (ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        yield file.parent, project.get("entry-points", {}).get("gantool.variants", {})


def variants() -> Iterator[tuple[Path, "Line", "Offer"]]:
    from gantool.config.packages import Offer
    from gantool.evaluation import shelf

    for folder, offered in packages():
        sys.path.insert(0, str(folder))  # where its modules are looked for; none is imported
        for name, value in offered.items():
            offer = Offer(EntryPoint(name, value, "gantool.variants"))
            vars(offer)["package"] = folder.name if folder != ROOT else "gantool"
            yield folder, shelf.line(offer), offer


def page() -> str:
    from gantool.registry import task_of

    groups: dict[str, list[str]] = {}
    for folder, line, offer in variants():
        groups.setdefault(task_of(offer.field("Task")), []).append(entry(folder, line, offer))
    parts = [HEAD]
    for task, entries in sorted(groups.items(), key=lambda group: (-len(group[1]), group[0])):
        parts += [f"## {task[0].upper()}{task[1:]}\n", *entries]
    return "\n".join(parts)


def table() -> str:
    """A row for each, package by package."""
    rows = ["| variant | what | held to | reached |", "|---|---|---|---|"]
    package = ""
    for folder, line, offer in variants():
        if offer.package != package:
            package = offer.package
            where = folder.relative_to(ROOT).as_posix()
            rows.append(f"| **{package if folder == ROOT else f'[{package}]({where})'}** | | | |")
        file = Path(offer.source or folder).relative_to(ROOT).as_posix()
        reached = "not measured yet" if line.figure is None else f"{line.figure:.3g}"
        figures = f"`{line.threshold}`" if line.threshold else "", reached + ", not accepted" * (line.accepted is False)
        rows.append(f"| [{line.name}]({file}) | {words_of(line)} | {figures[0]} | {figures[1]} |")
    return "\n".join(rows) + "\n"


def shelf_file() -> str:
    """Each variant's package."""
    beside = {name: folder.name for folder, offered in packages() if folder != ROOT for name in offered}
    return json.dumps(beside, indent=1, sort_keys=True) + "\n"


def readme(text: str) -> str:
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


def words_of(line: "Line") -> str:
    return (line.summary.partition(": ")[2] or line.summary).removesuffix(".")


def entry(folder: Path, line: "Line", offer: "Offer") -> str:
    """Its line, its figure, and its image if there is one: of gantool's in docs/images, of a package's beside it."""
    from gantool.evaluation import shelf

    where = Path(offer.source or folder).relative_to(ROOT).as_posix()
    paper = offer.field("Paper")
    cited, _, link = paper.rpartition(", ")
    said = [
        f"**[{line.name}](../{where})**: {words_of(line)}.",
        *([f"[{cited}]({link})."] if link.startswith("http") else []),
    ]
    for each in (measured := list(shelf.of_data(offer))):
        took = f", {each.minutes:.2g} minutes" if each.minutes else ""
        short = "" if each.accepted else " It was not accepted."
        said.append(f"`{each.threshold}`: {each.figure:.3g}, after {each.trained} of {each.data}{took}.{short}")
    if not measured:
        said.append("Not measured yet.")
    image = (folder if folder != ROOT else ROOT / "docs" / "images") / f"{line.name}.png"
    shown = f"\n![{line.name}](../{image.relative_to(ROOT).as_posix()})\n" if image.is_file() else ""
    return fill(" ".join(said), 120, break_long_words=False, break_on_hyphens=False) + "\n" + shown


def main() -> None:
    wanted = {PAGE: page(), README: readme(README.read_text(encoding="utf-8")), SHELF: shelf_file()}
    stale = [file for file, text in wanted.items() if not file.is_file() or file.read_text(encoding="utf-8") != text]
    if "--check" in sys.argv[1:] and stale:
        names = ", ".join(file.relative_to(ROOT).as_posix() for file in stale)
        raise SystemExit(f"Stale: {names}. Run: python tools/make_variants.py")
    for file in stale:
        file.write_text(wanted[file], encoding="utf-8")


if __name__ == "__main__":
    main()
