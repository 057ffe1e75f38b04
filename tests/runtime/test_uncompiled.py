"""Tests of gantool.runtime.uncompiled: a training does without torch's compiler, and nobody else has to.

Each in a process of its own, since a module that is imported stays so.
"""

import subprocess
import sys

import pytest

TRAINED = """
import sys
import gantool
gantool.train("gan", steps=2, g_layers="4", d_layers="4", size=8, batch_size=4)
assert "torch._dynamo" not in sys.modules and "sympy" not in sys.modules
"""
AFTERWARDS = """
import torch
assert "_dynamo" not in vars(torch)
asked = torch.optim.Optimizer.add_param_group.__wrapped__
assert not hasattr(asked, "__dynamo_disable")
weight = torch.nn.Parameter(torch.ones(2))
adam = torch.optim.Adam([weight])
weight.grad = torch.ones(2)
adam.step()
assert weight[0] < 1 and hasattr(torch._dynamo, "optimize")
assert asked.__dynamo_disable is not asked  # the compiler's own answer
"""
WANTED = """
import sys
import torch
from gantool.runtime.uncompiled import uncompiled
with uncompiled():
    adam = torch.optim.Adam([torch.nn.Parameter(torch.ones(2))])
    assert "torch._dynamo.config" not in sys.modules
    WANT
    assert hasattr(torch._dynamo, "optimize") and torch.optim.SGD([torch.nn.Parameter(torch.ones(2))])
real = torch._dynamo
with uncompiled():
    assert torch._dynamo is real
assert sys.modules["torch._dynamo"] is real
"""
WAYS = {
    "a submodule": "import torch._dynamo.config",
    "a function that may be compiled later": "assert torch.compiler.disable(lambda: 1)() == 1",
    "compiling": "assert torch.compile(lambda x: x + 1, backend='eager')(torch.ones(1)).item() == 2",
}


def run(code: str, folder: object) -> None:
    done = subprocess.run([sys.executable, "-c", code], cwd=str(folder), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_training_does_without_and_leaves_no_trace(tmp_path: object) -> None:
    run(TRAINED + AFTERWARDS, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_whoever_wants_the_compiler_has_it(way: str, tmp_path: object) -> None:
    run(WANTED.replace("WANT\n", f"{WAYS[way]}\n"), tmp_path)
