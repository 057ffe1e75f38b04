"""Runs a page's own scripts in node, where there is one: what a browser would compute."""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from gantool.export import packing
from gantool.export.page import RUNTIME, part
from gantool.export.program import Program

Inputs = Sequence[Sequence[Tensor]]
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="needs node")
IN_NODE = 'const read = () => JSON.parse(require("fs").readFileSync(0, "utf8")), print = console.log;'
RUN = """
print(JSON.stringify(read().map(({ program, blob, inputs }) => {
  const network = loadProgram(program, bytesOf(blob));
  return inputs.map((one) => Array.from(network.run(...one), String));
})));
"""
TIMED = """
const [{ program, blob, inputs }] = read();
const network = loadProgram(program, bytesOf(blob)), times = [];
for (let i = 0; i < 40; i++) {
  const start = performance.now();
  network.run(...inputs[i % inputs.length]);
  times.push(performance.now() - start);
}
print(times.sort((a, b) => a - b)[10]);
"""


def scripted(*names: str, then: str, given: Any = None) -> Any:
    """What these parts of the page print when `then` runs after them."""
    assert NODE
    script = "\n".join([*(part(f"{name}.js") for name in names), IN_NODE, then])
    done = subprocess.run([NODE, "-e", script], input=json.dumps(given), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def drawn(program: Program, inputs: Inputs, precision: packing.Precision = "fp32") -> list[Tensor]:
    """The images of so many inputs."""
    return all_drawn([(program, inputs)], precision)[0]


def all_drawn(programs: Sequence[tuple[Program, Inputs]], precision: packing.Precision = "fp32") -> list[list[Tensor]]:
    """Those of several programs, in one process."""
    every = scripted(*RUNTIME, then=RUN, given=[written(*each, precision) for each in programs])
    return [[torch.tensor([float(x) for x in image]) for image in images] for images in every]


def milliseconds(program: Program, inputs: Inputs, precision: packing.Precision = "fp16") -> float:
    """What an image takes once the scripts are warm."""
    return float(scripted(*RUNTIME, then=TIMED, given=[written(program, inputs, precision)]))


def written(program: Program, inputs: Inputs, precision: packing.Precision) -> dict[str, Any]:
    packed = packing.packed(program, precision)
    numbers = [[x.flatten().tolist() for x in one] for one in inputs]
    return {"program": packed.program, "blob": b64encode(packed.blob).decode(), "inputs": numbers}
