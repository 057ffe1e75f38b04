"""Flags read without torch: only where they must be what trains; and what trains is always the real class's."""

import ast
import json
from pathlib import Path

import pytest
import torch
from conftest import Gantool, Install

from gantool import testing
from gantool.config.outline import telling
from gantool.registry import Registry

HEAD = """\"\"\"ODD: a variant whose defaults depend on where it is.\"\"\"
from dataclasses import dataclass
from typing import Annotated, Literal
import torch
from torch import nn
from typer import Option
from gantool.variants.gan import GAN
"""
BODY = """
class Odd(GAN):
    @dataclass(kw_only=True)
    class Options(GAN.Options):
        odd: Annotated[{kind}, Option(help="Odd.")] = {default}
"""
# What stands at the top of the module, the type of the option and its default; what that really is.
CASES = {
    "is_available": ("", "bool", "torch.cuda.is_available()", torch.cuda.is_available()),
    "is_available, asked": ("", "str", "'gpu' if torch.cuda.is_available() else 'cpu'",
                            "gpu" if torch.cuda.is_available() else "cpu"),
    "not available": ("HAVE = not torch.cuda.is_available()", "bool", "HAVE", not torch.cuda.is_available()),
    "device_count": ("", "int", "torch.cuda.device_count()", torch.cuda.device_count()),
    "device_count, compared": ("MANY = torch.cuda.device_count() > 1", "bool", "MANY", torch.cuda.device_count() > 1),
    "get_num_threads": ("", "int", "1000 + 0 * torch.get_num_threads()", 1000),
    "pi": ("", "float", "torch.pi", torch.pi),
    "twice pi": ("", "float", "2 * torch.pi", 2 * torch.pi),
    "a version": ("NEW = torch.__version__ >= '1'", "bool", "NEW", True),
    "a version, cut": ("", "str", "torch.__version__[:1]", torch.__version__[:1]),
    "is None": ("WITHOUT = torch.version.cuda is None", "bool", "WITHOUT", torch.version.cuda is None),
    "hasattr": ("HAS = hasattr(torch, 'no_such_thing')", "bool", "HAS", False),
    "a function": ("def best():\n    return 3 if getattr(torch, 'nothing', None) is None else 4\nB = best()", "int",
                   "B", 3),
    "absent torchvision": ("try:\n    import torchvision_that_is_not_here\n    HAVE = True\n"
                           "except ImportError:\n    HAVE = False", "bool", "HAVE", False),
    "a name of a package": ("try:\n    from torch import no_such_name\n    HAVE = True\n"
                            "except ImportError:\n    HAVE = False", "bool", "HAVE", False),
}  # fmt: skip
SHOWN = """
import json, sys
from importlib.metadata import EntryPoint
from gantool.config.outline import outline
from gantool.registry import Registry
registry = Registry()
found = outline(registry.offer("odd"), lambda: registry.load("odd"))
print(json.dumps([found.Options().odd, "torch" in sys.modules]))
"""


@pytest.mark.parametrize("case", CASES)
def test_help_shows_what_trains_whatever_a_default_is_made_of(case: str, install: Install, process: Gantool) -> None:
    top, kind, default, real = CASES[case]
    install("plug-odd", f"{HEAD}{top}\n{BODY.format(kind=kind, default=default)}", odd="Odd")
    shown = process("-c", SHOWN)
    assert shown.code == 0, shown.err
    found, with_torch = json.loads(shown.out)
    assert found == real == Registry().load("odd").Options().odd
    assert with_torch  # nothing could be known without


@pytest.mark.parametrize("default", ["3", "int(2.5 + .5)", "max(3, 1)"])
def test_what_asks_torch_nothing_is_read_without_it(default: str, install: Install, process: Gantool) -> None:
    top = (
        "class Layer(nn.Module):\n    @torch.no_grad()\n    def forward(self, x: torch.Tensor | None): return x is None"
    )
    install("plug-odd", f"{HEAD}{top}\n{BODY.format(kind='int', default=default)}", odd="Odd")
    assert json.loads(process("-c", SHOWN).out) == [int(eval(default)), False]


def test_an_absent_package_is_absent_for_help_too(install: Install, process: Gantool, tmp_path: Path) -> None:
    """A module that needs a heavy package that is not installed says so, to --help as to train."""
    install("plug-odd", HEAD + "import torchvision\n" + BODY.format(kind="int", default="3"), odd="Odd")
    hide = (
        "import importlib.machinery as m\nf = m.PathFinder.find_spec\n"
        "m.PathFinder.find_spec = classmethod(lambda c, n, *a: None if n == 'torchvision' else f(n, *a))\n"
    )
    done = process("-c", hide + "import sys; from gantool.cli import run; sys.exit(run(['train', 'odd', '--help']))")
    assert done.code == 1 and "No module named 'torchvision'" in done.err


def test_every_variant_of_ours_is_read_without_torch_and_right(process: Gantool) -> None:
    for name in ("gan", "cgan", "dcgan"):
        testing.check_outline(Registry().load(name))
        code = f"import sys; from gantool.cli import run; run(['train', '{name}', '--help'])"
        assert process("-c", f"{code}; assert 'torch' not in sys.modules").code == 0


def test_the_check_sees_a_default_that_help_would_get_wrong(install: Install) -> None:
    """As `quick` was before it refused: told that there is nothing to refuse, it shows a stand-in's truth."""
    install("plug-odd", HEAD + BODY.format(kind="int", default="3"), odd="Odd")
    variant = Registry().load("odd")
    testing.check_outline(variant)
    variant.Options.__dataclass_fields__["odd"].default = 4
    with pytest.raises(AssertionError, match="--help shows"):
        testing.check_outline(variant)


@pytest.mark.parametrize(
    ("code", "tells"),
    [
        ("def f(x):\n    return x is None", False),
        ("def f(x):\n    return x is None\nY = f(1)", True),
        ("class A:\n    y = torch.x is None", True),
        ("import sys\nX = sys.modules", True),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import sys", False),
        ("X = [isinstance(t, int) for t in (1, 2)]", True),
        ("@decorated\ndef f(): ...", False),
    ],
)
def test_code_that_could_tell_without_asking_is_found(code: str, tells: bool) -> None:
    assert telling(ast.parse(code)) == tells
