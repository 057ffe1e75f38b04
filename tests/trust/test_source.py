"""S1: nothing in gantool can be made to run what a file holds: no pickle, no eval, no shell, anywhere."""

import ast
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from spawned import VARIANTS

ROOT = Path(__file__).parents[2]
# Every Python file, templates of `gantool new` among them.
SOURCES = sorted(
    file
    for folder in ("gantool", "plugins", "tools")
    for file in (ROOT / folder).rglob("*")
    if file.is_file() and file.name.endswith((".py", ".py.txt"))
    if file.relative_to(ROOT).parts[2:3] not in (("tests",), ("build",))  # of a package
)

MODULES = {
    "pickle",
    "_pickle",
    "cPickle",
    "pickletools",
    "marshal",
    "shelve",
    "dill",
    "cloudpickle",
    "joblib",
    "copyreg",
}
SVG = "http://www.w3.org/2000/svg"  # what every SVG says of itself: a name, and nothing is asked there
NAMES = {  # as they are called when all imports are resolved; what begins with one of them and a dot is meant too
    "torch.load", "torch.save", "torch.hub", "torch.jit.load", "torch.package", "torch.serialization",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all",
    "yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "yaml.CLoader", "yaml.CFullLoader", "yaml.CUnsafeLoader",
    "yaml.dump", "yaml.Dumper", "yaml.YAMLObject",
    "eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "builtins.compile",
    "builtins.__import__", "code.interact", "runpy",
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput", "pty.spawn",
    *(f"os.{kind}{how}" for kind in ("exec", "spawn") for how in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")),
    "tempfile.mktemp", "shutil.unpack_archive",
    "ssl._create_unverified_context", "ssl.CERT_NONE", "urllib.request.urlretrieve",
}  # fmt: skip
METHODS = {"extractall", "extract"}
UNPICKLERS = {"numpy.load", "numpy.save", "numpy.savez", "numpy.savez_compressed"}  # unless told allow_pickle=False


def told(call: ast.Call, name: str) -> Any:
    """What a call says for a keyword; an expression is no plain answer."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return getattr(keyword.value, "value", "an expression")
    return None


class Reader(ast.NodeVisitor):
    """Collects what is unsafe in one file, by line."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}  # a name in this file, and what it was imported as
        self.found: list[str] = []

    def wrong(self, node: ast.AST, what: str) -> None:
        self.found.append(f"line {getattr(node, 'lineno', 0)}: {what}")

    def called(self, node: ast.AST) -> str:
        """`np.lib.format` as numpy.lib.format; nothing for what is no plain name."""
        if isinstance(node, ast.Attribute):
            before = self.called(node.value)
            return f"{before}.{node.attr}" if before else ""
        return self.names.get(node.id, node.id) if isinstance(node, ast.Name) else ""

    def check(self, node: ast.AST, name: str) -> None:
        parts = name.split(".")
        if parts[0] in MODULES or any(".".join(parts[: i + 1]) in NAMES for i in range(len(parts))):
            self.wrong(node, name)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.names[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )
            self.check(node, alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            name = f"{node.module}.{alias.name}" if node.level == 0 else alias.name
            self.names[alias.asname or alias.name] = name
            self.check(node, name)
            if alias.name == "*" and not (node.module or "").startswith("gantool"):
                self.wrong(node, "import of *, which hides what is used")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.check(node, self.called(node))
        if node.attr in METHODS:
            self.wrong(node, f".{node.attr}")
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load) and (node.id in self.names or node.id in NAMES):
            self.check(node, self.called(node))

    def visit_Call(self, node: ast.Call) -> None:
        name = self.called(node.func)
        if name in UNPICKLERS and told(node, "allow_pickle") is not False:
            self.wrong(node, f"{name} without allow_pickle=False")
        if told(node, "allow_pickle") not in (None, False) or told(node, "weights_only") not in (None, True):
            self.wrong(node, f"{name} that may unpickle")
        if told(node, "shell") not in (None, False):
            self.wrong(node, f"{name} with a shell")
        if name == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            self.check(node, f"{self.called(node.args[0])}.{node.args[1].value}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and "http://" in node.value.replace(SVG, ""):
            self.wrong(node, "an address without https")


def unsafe(source: str) -> list[str]:
    """What is unsafe in a file, each with its line."""
    reader = Reader()
    reader.visit(ast.parse(source))
    return reader.found


@pytest.mark.promise("S1")
def test_no_file_of_ours_can_run_what_it_reads(tried: Any) -> None:
    assert len(SOURCES) > 45
    texts = {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in SOURCES}
    found = {name: unsafe(text if name.endswith(".py") else text.replace("$", "_")) for name, text in texts.items()}
    # Inception's weights and VGG's are known by their digest before they are read, and read with weights_only.
    for others in ("gantool/metrics/inception.py", "plugins/gantool-superres/gantool_superres/perceptual.py"):
        assert [line.partition(": ")[2] for line in found.pop(others)] == ["torch.load"]
        assert texts[others].count("weights_only=True") == 1
    assert {name: lines for name, lines in found.items() if lines} == {}
    tried("source files", len(SOURCES))


BAD = [
    "import pickle", "import pickle as p", "from pickle import loads", "import marshal", "import shelve", "import dill",
    "def f():\n    import _pickle", "from cloudpickle import load", "import joblib", "import xml, pickle",
    "import torch\ntorch.load('x')", "import torch\ntorch.load('x', weights_only=True)",
    "import torch as t\nt.load('x')",
    "from torch import load", "from torch import load as read\nread('x')", "import torch\nf = torch.load",
    "import torch\ntorch.save({}, 'x')", "import torch.hub\ntorch.hub.load('a', 'b')", "from torch import hub",
    "import torch\ntorch.jit.load('x')", "import torch\ngetattr(torch, 'load')('x')", "read('x', weights_only=False)",
    "import numpy as np\nnp.load('x')", "import numpy as np\nnp.load('x', allow_pickle=True)",
    "import numpy as np\nnp.load('x', allow_pickle=yes)", "from numpy import load\nload('x')",
    "import numpy\nnumpy.save('x', a)", "import numpy as np\nnp.savez('x', a)", "any.thing(allow_pickle=True)",
    "import yaml\nyaml.load(t, yaml.SafeLoader)", "import yaml\nyaml.unsafe_load(t)", "import yaml\nyaml.full_load(t)",
    "from yaml import FullLoader", "import yaml\nclass L(yaml.Loader): ...", "from yaml import load as l",
    "import yaml\nyaml.dump(x)", "eval('1')", "exec('1')", "compile('1', '', 'eval')", "__import__('os')", "f = eval",
    "import builtins\nbuiltins.exec('1')", "from builtins import eval as e", "import runpy\nrunpy.run_path('x')",
    "import os\nos.system('ls')", "import os as o\no.popen('ls')", "from os import system",
    "import os\nos.execv('a', [])",
    "import subprocess\nsubprocess.run('ls', shell=True)", "from subprocess import Popen\nPopen('ls', shell=1)",
    "import subprocess as s\ns.run('ls', shell=yes)", "import subprocess\nsubprocess.getoutput('ls')",
    "import tempfile\ntempfile.mktemp()", "from tempfile import mktemp", "archive.extractall('x')",
    "import zipfile\nzipfile.ZipFile('x').extractall()", "tar.extract(member)",
    "import shutil\nshutil.unpack_archive('x')",
    "import ssl\nssl._create_unverified_context()", "from ssl import CERT_NONE", "url = 'http://example.org/x'",
    "url = f'http://{host}'", "from os import *",
]  # fmt: skip
GOOD = [
    "import re\nre.compile('x')", "model.eval()", "run.eval", "import json\njson.load(f)", "sealed.load(path)",
    "from gantool import sealed\nsealed.load(path)", "from safetensors.torch import load\nload(b'')",
    "import numpy as np\nnp.load('x', allow_pickle=False)", "import numpy as np\nnp.save(f, a, allow_pickle=False)",
    "import yaml\nclass L(yaml.SafeLoader): ...", "import yaml\nyaml.safe_dump(x)", "zip.open('member')",
    "import subprocess\nsubprocess.run(['ls'])", "import subprocess\nsubprocess.run(['ls'], shell=False)",
    "import tempfile\ntempfile.mkdtemp()", "url = 'https://example.org/x'", "def load(x): ...\nload(1)",
    "head = '<svg xmlns=\"http://www.w3.org/2000/svg\">'",
]  # fmt: skip


@pytest.mark.promise("S1")
@pytest.mark.parametrize("snippet", BAD)
def test_the_search_finds_what_it_is_for(snippet: str, tried: Any) -> None:
    assert unsafe(snippet)
    tried("bad snippets caught")


@pytest.mark.promise("S1")
@pytest.mark.parametrize("snippet", GOOD)
def test_the_search_leaves_good_code_alone(snippet: str) -> None:
    assert unsafe(snippet) == []


@pytest.mark.promise("S1")
def test_nothing_that_ships_is_pickled(tried: Any) -> None:
    shipped = [file for file in (ROOT / "gantool").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert not [f for f in shipped if f.suffix in (".pkl", ".pickle", ".pt", ".pth", ".npy", ".joblib", ".mat")]
    # Protocol 2 and later begin so; torch's own files are zip archives that hold a pickle.
    assert not [f for f in shipped if f.read_bytes()[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK")]
    tried("shipped files", len(shipped))


def watched(report: str) -> None:
    """A hook: Python itself writes down each unpickled name, each shell and each new process."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event in ("pickle.find_class", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "subprocess.Popen"):
            with open(report, "a") as file:
                file.write(f"{event} {args!r}\n")

    sys.addaudithook(hook)


def watched_unpickling(report: str) -> None:
    """The same hook, and then what it is to see."""
    watched(report)
    __import__("pickle").loads(b"cos\ngetcwd\n.")


@pytest.mark.promise("S1")
def test_a_run_from_training_to_measuring_unpickles_nothing(start: Any, tmp_path: Path, tried: Any) -> None:
    report = tmp_path / "seen"
    lines = [
        ("train", *VARIANTS["cgan"], "--steps", 6), ("resume", "cgan-001", "--steps", 8),
        ("sample", "cgan", "--out", "a.npz"), ("eval", "cgan", "-n", 200),
    ]  # fmt: skip
    for line in lines:
        command = start(*line, hook=(watched, str(report)))
        assert command.wait() == 0, command.err
        assert not report.exists() or report.read_text() == ""
        tried("commands watched by Python's audit hook")
    start("list", hook=(watched_unpickling, str(report))).wait()
    assert "pickle.find_class" in report.read_text() and os.path.getsize(report) < 1000, "the watch sees what it is for"
