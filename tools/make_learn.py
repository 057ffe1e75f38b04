"""Run all chapters of `gantool learn` from three seeds, and write docs/learn: a page each, their images and films, and
the table of what was found. Takes a quarter of an hour on two cores.

With --check, only say whether the pages are as the chapters' docstrings and the kept table have them.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "learn"
KEPT = FOLDER / "found.json"
SEEDS = 3
sys.path.insert(0, str(ROOT))

from gantool import learn  # noqa: E402


def run(names: list[str]) -> None:
    """The chapters, or some of them; what was found of the others stays."""
    from gantool.commands.learn import facts, tally
    from gantool.learn import running
    from gantool.runtime import files
    from gantool.viz import drawing

    FOLDER.mkdir(exist_ok=True)
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else []
    for name in names:
        results = []
        for seed in range(SEEDS):
            found, seconds = running.run(name, seed)
            results.append(facts(name, seed, found, seconds))
            print(f"{name}, seed {seed}: {tally(found)}, {seconds:.0f} seconds", flush=True)
            if seed == 0:
                running.write(found, FOLDER / f"{name}.gif")
                files.write(FOLDER / f"{name}.png", drawing.encode_png(found.film[-1].drawn()))
        kept = [result for result in kept if result["chapter"] != name] + results
        kept.sort(key=lambda result: (learn.NAMES.index(result["chapter"]), result["seed"]))
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def found(name: str, kept: list[dict[str, Any]]) -> list[str]:
    """The table of a chapter."""
    from gantool.commands.learn import table

    rows = table([result for result in kept if result["chapter"] == name])
    lines = [row("check", f"found, seeds 0 to {SEEDS - 1}", "theory", ""), "|---|---|---|---|"]
    return [*lines, *(row(*cells[1:]) for cells in rows)]


def page(name: str, kept: list[dict[str, Any]]) -> str:
    about = learn.about(name)
    i = learn.NAMES.index(name)
    source = f"../../gantool/learn/{learn.module(name)}.py"
    lines = [
        f"# {about.title}", "", about.text, "", f"![The end of the film of {name}]({name}.png)", "",
        "```sh", f"gantool learn {name}", "```", "", *found(name, kept), "",
        f"The film: [{name}.gif]({name}.gif).", f"The code, all of it: [{learn.module(name)}.py]({source}).", "",
    ]  # fmt: skip
    if i + 1 < len(learn.NAMES):
        after = learn.NAMES[i + 1]
        lines += [f"Next: [{learn.about(after).title}]({after}.md)", ""]
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    return {FOLDER / f"{name}.md": page(name, kept) for name in learn.NAMES}


def main() -> int:
    if "--check" in sys.argv[1:]:
        stale = [p for p, text in pages().items() if not p.exists() or p.read_text(encoding="utf-8") != text]
        for path in stale:
            print(f"{path.relative_to(ROOT)} is stale: python tools/make_learn.py --pages", file=sys.stderr)
        return bool(stale)
    if "--pages" not in sys.argv[1:]:
        run(sys.argv[1:] or list(learn.NAMES))
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
