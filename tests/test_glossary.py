"""One word for one thing: what was once called otherwise is called so nowhere but where old names are read."""

import ast
import io
import re
import tokenize
from collections.abc import Collection, Iterator
from pathlib import Path

from conftest import Gantool

ROOT = Path(__file__).parents[1]
# Where old names must stand: what changed, how to migrate, and the tests of both.
EXEMPT = ("CHANGELOG.md", "docs/migrating.md", "tests/test_glossary.py", "tests/config/test_former.py")
TABLES = ("former", "renamed", "FORMER")  # alias tables: what is assigned to these names is not read

# Identifiers, and the names of options, settings, scores and logged numbers, of earlier versions.
NAMES = {
    "Average", "Gate", "Gates", "Pictures", "Spared", "Told", "UNTOLD", "agreed", "average_images", "averaged", "coded",
    "eager", "eyes", "gates_after", "in_turn", "keep_pages", "misnamed", "must_fail", "nulls", "of_first", "opinion",
    "picture", "pictures", "rehearse", "shifted", "sparing", "suited", "sure_of_both", "swift_products", "worst_class",
}  # fmt: skip
PACKAGED = {"asked", "average", "told", "lot", "loud", "watched"}  # in packages; tests may ask and tell
KEYS = {
    "as asked", "averages", "eyes", "gates", "misnamed", "must_fail", "naming", "nulls", "shift", "sure", "worst_class",
}  # fmt: skip
FLAGS = ("--average-images", "--codes", "--eyes", "--loud", "--naming", "--shift")
PHRASES = (
    "step sizes?", "rounds of the players", "pictures?", "opinions?", "by heart", "by lot", "lest", "in vain", "tamer",
    "a number that is none", "who compares", "null models?", "models? that must fail", "as asked", "the worst class",
    r"to (?:its|the) gates", "told what to draw", "averaged (?:network|generator)s?", r"distributed\.apart",
    r"self\.(?:drawn|watched|asked)(?=\()",
)  # fmt: skip
_phrases = re.compile(rf"\b({'|'.join(PHRASES)})\b", re.IGNORECASE)
_flags = re.compile(rf"(?<![\w-])({'|'.join(FLAGS)})(?![\w-])")


def files(*endings: str) -> Iterator[tuple[str, str]]:
    """Each of the project's own, by its path, and what it says."""
    left_out = {".venv", ".git", "fixtures", "runs", "build", "site", "node_modules"}
    for path in sorted(ROOT.rglob("*")):
        name = str(path.relative_to(ROOT))
        if path.suffix not in endings or name in EXEMPT or left_out & set(path.parts) or ".egg-info" in name:
            continue
        yield name, path.read_text(encoding="utf-8")


def tables(source: str) -> set[int]:
    """The lines of a module on which alias tables stand."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id in TABLES for target in targets):
                lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def old_names(source: str, names: Collection[str] = NAMES) -> Iterator[str]:
    """Identifiers and whole strings of a module."""
    aliased = tables(source)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        old = (token.type == tokenize.NAME and token.string in names) or (
            token.type == tokenize.STRING and token.string.strip("'\"") in KEYS
        )
        if old and token.start[0] not in aliased:
            yield f"{token.start[0]}: {token.string}"


def old_words(text: str, aliased: Collection[int] = ()) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if number not in aliased:
            yield from (f"{number}: {match[1]}" for match in (*_phrases.finditer(line), *_flags.finditer(line)))


def test_code_calls_things_what_they_are_called() -> None:
    found = []
    for name, source in files(".py"):
        names = NAMES if re.search(r"\b(tests|benchmarks)/", name) else NAMES | PACKAGED
        found += [f"{name}:{old}" for old in (*old_names(source, names), *old_words(source, tables(source)))]
    assert found == []


def test_pages_and_settings_call_things_what_they_are_called() -> None:
    found = []
    for name, text in files(".md", ".yaml", ".txt", ".toml", ".ipynb", ".cff"):
        found += [f"{name}:{old}" for old in old_words(text)]
        if name.endswith(".yaml"):
            keys = (line.strip("- ").partition(":")[0] for line in text.splitlines())
            found += [f"{name}: {key}" for key in keys if key in KEYS | NAMES]
    assert found == []


def test_help_calls_things_what_they_are_called(gantool: Gantool) -> None:
    for line in (["--help"], *([verb, "gan", "--help"] for verb in ("train", "sample", "eval", "accept"))):
        assert list(old_words(gantool(*line).out)) == []


def test_the_lists_find_what_they_are_for() -> None:
    assert list(old_names("nulls = ['as asked']\nformer = {'sure': 'confident'}\n")) == ["1: nulls", "1: 'as asked'"]
    assert list(old_words("the step size\n--shift 1 and --shifts")) == ["1: step size", "2: --shift"]
