"""S4: hostile YAML, as --config, as a preset or as a run's own config, is one clear error, and nothing is written."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from attempts import errors, outcomes

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)

HOSTILE: dict[str, str | bytes] = {
    "an alias bomb": BOMB + "steps: 3\n",
    "an alias for a value": "lr: &x 1\nbeta1: *x\n",
    "an anchor that holds itself": "&a lr: *a\n",
    "an object": "lr: !!python/object:pathlib.Path [owned]\n",
    "a function call": "lr: !!python/object/apply:os.system ['touch owned']\n",
    "a new object": "!!python/object/new:os.system ['touch owned']\n",
    "a module": "lr: !!python/module:os\n",
    "a name": "lr: !!python/name:os.system\n",
    "a tuple": "lr: !!python/tuple [1, 2]\n",
    "a tag of its own": "lr: !evil 3\n",
    "a tag for the whole": "!evil\nlr: 3\n",
    "1,000 lists deep": "lr: " + "[" * 1_000 + "]" * 1_000 + "\n",
    "40,000 lists deep": "lr: " + "[" * 40_000,
    "10,000 mappings deep": "lr: " + "{a: " * 10_000 + "1" + "}" * 10_000,
    "blocks 300 deep": "\n".join(" " * n + "a:" for n in range(300)),
    "a key that is a number": "1: 2\n",
    "a key that is nothing": "~: 2\n",
    "a key that is a switch": "true: 2\n",
    "a key that is a list": "? [a, b]\n: 2\n",
    "a key that is a mapping": "? {a: b}\n: 2\n",
    "a key that is a date": "2020-01-01: 2\n",
    "a key said twice": "lr: 1\nlr: 2\n",
    "a key said in two ways": "batch_size: 4\nbatch-size: 5\n",
    "8,000 keys": "".join(f"k{n}: 1\n" for n in range(8_000)),
    "a merge key": "<<: {lr: 1}\nbeta1: 0.5\n",
    "a merge of a list": "<<: [{lr: 1}, {lr: 2}]\n",
    "a value of 10 MB": "g_layers: " + "1" * 10_000_000 + "\n",
    "a value of 90 kB": "g_layers: " + "1" * 90_000 + "\n",
    "90 kB of layers": "g_layers: " + "-".join(["1"] * 45_000) + "x\n",
    "a number of 5,000 digits": "steps: " + "9" * 5_000 + "\n",
    "a number in base 60": "steps: " + ":".join(["59"] * 5_000) + "\n",
    "a float of base 60": "lr: " + ":".join(["59"] * 5_000) + ".5\n",
    "an infinite number": "steps: .inf\n",
    "no number": "lr: .nan\n",
    "bytes": "lr: !!binary aGVsbG8=\n",
    "bytes that are none": "lr: !!binary '*'\n",
    "bytes beyond ASCII": "lr: !!binary ü\n",
    "a timestamp": "lr: 2001-12-14t21:59:43.10-05:00\n",
    "a day that is none": "lr: 2001-99-99\n",
    "a set": "lr: !!set {a, b}\n",
    "a list of pairs": "lr: !!omap [a: 1]\n",
    "pairs": "lr: !!pairs [a: 1, b: 2]\n",
    "an int that is none": "lr: !!int x\n",
    "a float that is none": "lr: !!float x\n",
    "an int of nothing": "lr: !!int ''\n",
    "a bool that is none": "flip: !!bool maybe\n",
    "a null that is something": "lr: !!null 1\nsteps: [\n",
    "two documents": "lr: 1\n---\nlr: 2\n",
    "no mapping": "- lr\n- steps\n",
    "one word": "lr\n",
    "one number": "5\n",
    "a NUL": b"lr: 1\0\n",
    "UTF-16": "lr: [1]\n".encode("utf-16"),
    "UTF-16 cut short": "lr: 12\n".encode("utf-16")[:-1],
    "UTF-16 without its mark": "lr: 1\n".encode("utf-16-le"),
    "UTF-32": "lr: 1\n".encode("utf-32"),
    "Latin-1": "data: größe\n".encode("latin-1"),
    "half a surrogate": b"data: \xed\xa0\x80\n",
    "escapes": b"lr: '\x1b[2J\x1b[31mall is well'\n",
    "escaped escapes": 'data: "\\e[2J\\e[31mall is well\\r\\n"\n',
    "an escaped key": '"\\e[2J\\n\\n\\nlr": 1\n',
    "an escaped surrogate": 'data: "\\ud800"\n',
    "a directive": "%YAML 9.9\n---\nlr: 1\n",
    "a directive unknown": "%TAG !! tag:evil,2020:\n---\nlr: !!int 1\n",
    "tabs": "lr:\t1\n\tsteps: 2\n",
    "an open quote": "lr: '1\n",
    "an open quote of 90 kB": "lr: '" + "1\n" * 45_000,
    "random bytes": bytes(range(256)) * 40,
    "a zip": b"PK\x03\x04" + bytes(100),
    "a variant that is a list": "variant: [gan]\n",
    "another variant": "variant: dcgan\n",
    "a variant with escapes": 'variant: "gan\\e[2J"\n',
    "an unknown key": "import os: 1\n",
    "a switch that is a number": "flip: 7\n",
    "a path that is a switch": "data: true\n",
    "a key of the command's own": "resume: true\n",
    "where to write": "out: ../../elsewhere\n",
    "a config in a config": "config: other.yaml\n",
}  # fmt: skip
# What other programs write is fine as well; nothing happens to a person who uses it but what it says.
FINE = {
    "a byte-order mark": "\ufefflr: 2e-4\n".encode(),
    "UTF-16 with its mark": "lr: 2e-4\n".encode("utf-16"),
    "Windows' line ends": b"lr: 2e-4\r\nbeta1: 0.5\r\n",
    "a comment and no more": b"# nothing\n",
    "one document, marked": b"---\nlr: 2e-4\n...\n",
    "a tag that is what it says": b"lr: !!float 2\n",
}


def written(folder: Path, files: dict[str, str | bytes]) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{number}.yaml" for number in range(len(files))]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
    return paths


def presets_of(folder: Path) -> None:
    """A hook: gantool's variants have the presets in this folder."""
    from gantool.config.packages import Offer

    Offer.presets = lambda self: {path.stem: path for path in folder.iterdir()}  # type: ignore[method-assign]


def tree(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*")}


@pytest.mark.promise("S4")
@pytest.mark.parametrize("way", ["config", "preset"])
def test_hostile_yaml_is_one_clear_error(way: str, start: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    paths = written(tmp_path / "yaml", HOSTILE | FINE)
    before = tree(tmp_path)
    lines = [("train", "gan", "--dry-run", f"--{way}", p if way == "config" else p.stem) for p in paths]
    found = outcomes(start, tmp_path, lines[: len(HOSTILE)], partial(presets_of, tmp_path / "yaml"))
    faults = [f"{name}: {fault}" for name, o in zip(HOSTILE, found, strict=True) if (fault := o.wrong(2))]
    faults += [f"{name}: {o.err}" for name, o in zip(HOSTILE, found, strict=True) if len(errors(o.err)) > 2]
    assert not faults, "\n".join(faults)
    assert tree(tmp_path) == before
    tried(f"hostile files as --{way}", len(found))


@pytest.mark.promise("S4")
def test_yaml_that_other_programs_write_is_read(start: Callable, tried: Callable, tmp_path: Path) -> None:  # type: ignore[type-arg]
    lines = [("train", "gan", "--data", "no-such", "--config", path) for path in written(tmp_path / "yaml", FINE)]
    for outcome in outcomes(start, tmp_path, lines):
        assert not outcome.wrong(2)
        assert "No data set and no folder named 'no-such'" in outcome.err  # which is looked for after the file is read
    tried("odd but good files", len(lines))


@pytest.mark.promise("S4")
def test_a_runs_own_hostile_config_hides_no_other_run(
    start: Callable, trained: Path, tried: Callable, tmp_path: Path
) -> None:  # type: ignore[type-arg]
    hostile = {name: content for name, content in HOSTILE.items() if name != "another variant"}  # that is a good run
    for number, path in enumerate(written(tmp_path / "yaml", hostile)):
        (run := tmp_path / "runs" / f"hostile-{number}").mkdir(parents=True)
        path.rename(run / "config.yaml")
    (tmp_path / "runs" / "good").symlink_to(trained)
    before = tree(tmp_path)
    lines = [("resume", f"hostile-{number}", "-q") for number in range(len(hostile))]
    listed, drawn, *found = outcomes(start, tmp_path, [("runs",), ("sample", "gan", "-q", "-o", "yaml/a.png"), *lines])
    assert not listed.wrong(0)
    assert len(listed.out.splitlines()) == 1 + len(hostile) + 1
    assert not drawn.wrong(0)
    faults = [f"{name}: {fault}" for name, o in zip(hostile, found, strict=True) if (fault := o.wrong(1, 2))]
    assert not faults, "\n".join(faults)
    assert {path for path in tree(tmp_path) - before if not path.endswith("a.png")} == set()
    tried("hostile configs of runs", len(found))
