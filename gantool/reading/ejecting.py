"""A training as one plain PyTorch file without gantool, with the step written out.

A variant's package has a template, `eject/NAME.py.txt` beside its module: its networks' classes, and its algorithm as a
bare loop. It is Python in which settings are names in capitals and `network("generator")` stands for a network's
layers. Here these are written out, what the settings decide is decided, and parts that every such file needs are added.
"""

import ast
import re
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import Any

from torch.nn.modules.batchnorm import _BatchNorm

from gantool import __version__
from gantool.config.options import Recipe
from gantool.config.packages import Offer
from gantool.config.schema import Schema
from gantool.data.archives import write_npz
from gantool.data.images import Data, ImageData, as_images
from gantool.errors import USAGE, UserError
from gantool.reading.layers import written
from gantool.reading.pruning import needed, offsets, settled, span, used
from gantool.registry import Registry
from gantool.runtime import progress
from gantool.training.session import DEFAULT_STEPS, schema_of
from gantool.variant import Variant

PARTS = Path(__file__).parents[1] / "assets" / "eject.py.txt"
WIDTH = 120
ORDER = ("translate", "color", "cutout")  # of DiffAugment's policies, in the parts
SPIN = """import os

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # before torch: its threads spin briefly, then sleep
"""


def template_of(offer: Offer) -> Path | None:
    """eject/NAME.py.txt, beside the variant's module."""
    path = offer.source.parent / "eject" / f"{offer.name}.py.txt" if offer.source else None
    return path if path and path.is_file() else None


def check(offer: Offer, offers: dict[str, list[Offer]]) -> Path:
    """Raise for a variant that has no template, naming those that have."""
    if path := template_of(offer):
        return path
    names = [name for name, several in offers.items() if len(several) == 1 and template_of(several[0])]
    raise UserError(
        f"{offer.package} has no plain form of {offer.name}.",
        f"These have one: {', '.join(names)}. To read {offer.name}: gantool explain {offer.name}", USAGE,
    )  # fmt: skip


def eject(
    registry: Registry, name: str, template: Path, recipe: Recipe, options: Any, file: str, made_of: str
) -> tuple[str, Data]:  # fmt: skip
    """The program that trains this variant with these settings, to be called `file`; and the data it was made for."""
    cls = registry.load(name)
    data = cls.dataset(recipe, options)
    if not isinstance(data, ImageData):
        raise UserError(f"{recipe.data} holds no plain images, which a plain file reads.", "Try --data digits.", USAGE)
    variant = cls(cls.resolve(options, data), data.spec)
    if recipe.precision == "bf16":
        progress.current().note("with these settings gantool computes in bfloat16; the file computes in float32.")
    recipe = replace(recipe, steps=steps_of(recipe, data))
    return program(template, schema_of(name, cls), recipe, variant, file, made_of), data


def steps_of(recipe: Recipe, data: Data) -> int:
    if recipe.minutes:
        raise UserError("A plain file's length is in steps.", "Give --steps or --epochs in place of --minutes.", USAGE)
    if recipe.epochs:
        return max(1, round(recipe.epochs * len(data) / recipe.batch_size))
    return recipe.steps or DEFAULT_STEPS


def program(template: Path, schema: Schema, recipe: Recipe, variant: Variant, file: str, made_of: str) -> str:
    values = known(schema, recipe, variant)
    text = settled(template.read_text(encoding="ascii") + "\n\n" + body_of(PARTS), values)
    text = with_networks(text, variant)
    tree, starts = ast.parse(text), offsets(text)
    kept, names = needed(tree, values)
    defs = [text[starts[first_line(node) - 1] : span(starts, node)[1]] for node in kept]
    words = {
        "title": (ast.get_docstring(tree) or "").strip(), "file": quotable(file), "version": __version__,
        "data": quotable(f"{Path(file).stem}.npz"), "made": quotable(made_of), "shape": variant.data.shown,
    }  # fmt: skip
    return "\n\n\n".join([
        Template(HEAD).substitute(words) + SPIN + "\n" + imports(tree, kept) + "\n" + constants(schema, values, names),
        *(Template(part).safe_substitute(words) for part in defs),
    ]) + "\n"  # fmt: skip


HEAD = '''"""$title

    python $file $data

trains it, and leaves samples and a model beside this file. It needs PyTorch and no more. Made by gantool $version of
$made, for images of $shape; the same seed gives gantool's losses, on one thread to the bit.
"""

'''


def quotable(text: str) -> str:
    """Names of files and runs may be anyone's, and are not to end a docstring, or to be code."""
    return re.sub(r"[^\w .-]", "_", text, flags=re.ASCII)


def first_line(node: Any) -> int:
    """With its decorators."""
    return int(min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))]))


def body_of(path: Path) -> str:
    """A program without its docstring."""
    text = path.read_text(encoding="ascii")
    return text[offsets(text)[ast.parse(text).body[0].end_lineno or 0] :].lstrip("\n")


def known(schema: Schema, recipe: Recipe, variant: Variant) -> dict[str, Any]:
    """Every setting by its name in capitals, and the shape of the data."""
    spec = variant.data
    values: dict[str, Any] = {"SHAPE": (spec.height, spec.width, spec.channels), "CLASSES": len(spec.classes)}
    for section in (recipe, variant.options):
        values |= {s.name.upper(): getattr(section, s.name) for s in schema.all if hasattr(section, s.name)}
    values["THREADS"] = recipe.threads if recipe.threads == "auto" else int(recipe.threads)
    values["NORMED"] = any(isinstance(m, _BatchNorm) for m in variant.generator.modules())
    if isinstance(policy := values.get("AUGMENT"), str) and policy != "none":
        names = [word.partition(":")[0].strip() for word in policy.split(",")]
        if names != sorted(names, key=ORDER.index):
            raise UserError(
                f"A plain file changes images in the order {', '.join(ORDER)}.", "Give --augment so.", USAGE
            )
        pixels = re.search(r"translate:(\d+)", policy)
        values["PIXELS"] = int(pixels[1]) if pixels else None
    return values


def with_networks(program: str, variant: Variant) -> str:
    """Each `network("path")` written out, layer by layer."""
    while True:
        calls = [n for n in ast.walk(ast.parse(program)) if isinstance(n, ast.Call)
                 and isinstance(n.func, ast.Name) and n.func.id == "network"]  # fmt: skip
        if not calls:
            return program
        call, starts = calls[0], offsets(program)
        path = ast.literal_eval(call.args[0])
        start, end = span(starts, call)
        line = program.splitlines()[call.lineno - 1]
        indent = len(line) - len(line.lstrip())
        program = program[:start] + written(variant.get_submodule(path), indent) + program[end:]


def imports(tree: ast.Module, kept: list[ast.stmt]) -> str:
    """Those that are used, as a person would sort them."""
    names, whole, parts = used(list(kept)), set[str](), dict[str, set[str]]()
    for node in tree.body:
        if isinstance(node, ast.Import):
            whole |= {alias.name for alias in node.names if alias.name in names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts.setdefault(node.module, set()).update(a.name for a in node.names if a.name in names)
    said = [(not name.startswith("torch"), 0, name, f"import {name}") for name in whole]
    said += [(not name.startswith("torch"), 1, name, f"from {name} import {', '.join(sorted(of))}")
             for name, of in parts.items() if of]  # fmt: skip
    ours, theirs = ([line for plain, *_, line in sorted(said) if plain is wanted] for wanted in (True, False))
    return "\n".join([*ours, "", *theirs, ""])


def constants(schema: Schema, values: dict[str, Any], names: list[str]) -> str:
    """The settings that are left to be read, each with what it is."""
    about = {s.name.upper(): s.help for s in schema.all} | {
        "SHAPE": "Of an image: height, width, channels.", "CLASSES": "In the data.",
        "PIXELS": "That images are moved by, at most.", "LOG_EVERY": "Steps between lines of its log.",
    }  # fmt: skip
    said = []
    for name in sorted(names, key=list(values).index):
        line = f"{name} = {values[name]!r}"
        whole = f"{line}  # {about[name]}"
        said.append(whole if len(whole) <= WIDTH else line)
    return "\n".join(said)


def write_data(out: Path, data: Data) -> None:
    """Its images and classes, as an .npz that the file reads."""
    if not isinstance(data, ImageData) or data.streamed:
        raise UserError("These data are not held in memory.", "Without --with-data: the file reads IDX, too.", USAGE)
    arrays = {"images": as_images(data.pixels.cpu()), "labels": data.labels.cpu().numpy()}
    write_npz(out, arrays)
