"""One HTML file that draws with a generator, offline: page, runtime, program and weights."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor

from gantool.data.images import as_bytes
from gantool.export import directions, folding, packing
from gantool.export.checking import COUNT, Wanted
from gantool.export.lowering import lowered
from gantool.export.program import Program, Refused
from gantool.export.subject import Subject
from gantool.runtime import device

SLIDERS = 4
RUNTIME = ("products", "maps", "operations", "runtime")
SCRIPTS = (*RUNTIME, "random", "noise", "gif", "view", "input", "page")
LARGEST = 64 * 2**20  # bytes of a page that a browser opens gladly
LATENTS = 256  # noises that show which of their numbers are free


def part(name: str) -> str:
    """A part of the page, as it lies in the package."""
    return files("gantool.export").joinpath("page", name).read_text(encoding="utf-8")


def page(
    subject: Subject, options: Any, found: Wanted, program: Program, facts: Mapping[str, str], title: str,
    precision: packing.Precision, levels: int,
) -> str:  # fmt: skip
    """The whole file."""
    shape = found.images.shape[1:]
    if len(shape) != 3 or shape[0] not in (1, 3, 4):
        raise Refused("draws no images of 1, 3 or 4 channels: --format torch has it as it is")
    packed = packing.packed(program, precision)
    model = {
        "title": title,
        "name": subject.variant.__class__.__name__.lower(),
        "shape": list(shape),
        "count": COUNT,
        "inputs": [{**each._asdict(), "names": list(each.names)} for each in subject.inputs],
        "program": packed.program,
        "check": checks(subject, found),
        "tolerance": levels + 1,  # what another browser's exp or tanh may add
        "facts": [list(fact) for fact in facts.items()],
        **noise(subject, options),
    }
    text = assembled(title, model, packed.blob)
    if len(text) > LARGEST:
        raise Refused(f"makes a page of {len(text) / 2**20:,.0f} MB; {LARGEST / 2**20:.0f} are the most")
    return text


def checks(subject: Subject, found: Wanted) -> dict[str, Any]:
    """The images a page compares itself with; and their inputs, unless its own seed 0 gives them."""
    inputs = None
    if not found.seeded:
        inputs = [based(x.float().numpy().astype("<f4").tobytes()) for x in found.inputs]
    return {"images": based(as_bytes(found.images).numpy().tobytes()), "n": len(found.images), "inputs": inputs}


def noise(subject: Subject, options: Any) -> dict[str, Any]:
    """How a page draws noise, what becomes of it, and which ways to move it."""
    at = next((i for i, each in enumerate(subject.inputs) if each.kind == "noise"), None)
    if at is None:
        return {"noise": None, "latent": None, "free": [], "directions": []}
    if subject.noise and subject.samples:
        device.seed_all(1)
        with torch.inference_mode():
            z = subject.variant.latents(LATENTS, options)
    else:
        z = subject.example(LATENTS)[at]
    others = list(subject.example(len(z[: directions.SEEN])))

    def draw(moved: Tensor) -> Tensor:
        x: Tensor = subject(*others[:at], moved, *others[at + 1 :])
        return x.float()

    free, vectors = directions.principal(draw, z, SLIDERS)
    plain = {"how": "randn", "scale": 1.0, "offset": 0.0, "size": subject.inputs[at].shape[0], "truncation": 1e9}
    return {
        "noise": subject.noise._asdict() if subject.noise else plain,
        "seeded": subject.noise is not None,
        "latent": latent(subject),
        "free": free,
        "directions": [[float(f"{v:.5g}") for v in vector] for vector in vectors.tolist()],
    }


class Latent(torch.nn.Module):
    """What becomes of noise before the generator has it."""

    def __init__(self, subject: Subject) -> None:
        super().__init__()
        self.variant = subject.variant

    def forward(self, z: Tensor) -> Tensor:
        x: Tensor = self.variant.latent(z)
        return x


def latent(subject: Subject) -> dict[str, Any] | None:
    """Its program, with its weights; None where noise stays as it is."""
    if not subject.noise:
        return None
    z = torch.randn(1, subject.noise.size)
    if subject.variant.latent(z) is z:
        return None
    packed = packing.packed(folding.folded(lowered(Latent(subject), (z,))), "fp32")
    return {"program": packed.program, "weights": based(packed.blob)}


def assembled(title: str, model: Mapping[str, Any], blob: bytes) -> str:
    """All parts in one; whatever a model says of itself can end no element."""
    script, style = brief("\n".join(part(f"{name}.js") for name in SCRIPTS)), brief(part("page.css"))
    fills = {
        "title": html.escape(title),
        "policy": policy(script, style),
        "style": style,
        "model": json.dumps(model, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c"),
        "weights": based(blob),
        "script": script,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: fills[match[1]], part("page.html"))


def brief(text: str) -> str:
    """Without lines of comments and what indents the others: no string of ours goes over a line."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


def policy(script: str, style: str) -> str:
    """Nothing may run or be fetched but what stands in this file."""
    return (
        f"default-src 'none'; script-src '{digest(script)}'; style-src '{digest(style)}'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    return f"sha256-{based(hashlib.sha256(text.encode()).digest())}"


def based(data: bytes) -> str:
    return base64.b64encode(data).decode()
