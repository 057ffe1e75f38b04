"""A program of plain torch, and a script beside it that draws with torch alone."""

import tempfile
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from gantool.export.checking import SAME, Wanted, apart
from gantool.export.program import Refused
from gantool.export.subject import Subject
from gantool.export.trace import quiet, traced
from gantool.export.written import Written
from gantool.runtime import files

SIZES = (1, 2, 7)  # of batches that are compared
SHOWN = 8  # images that the script draws
TRACES = (
    "stack_trace",
    "nn_module_stack",
    "source_fn_stack",
    "custom",
    "from_node",
)  # of a node: whose files it is from
SCRIPT = '''"""Draws with {program} and torch alone: python {script} [SEED]."""
import sys
from pathlib import Path
import torch
torch.manual_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
draw = torch.export.load(Path(__file__).with_name("{program}")).module()
{inputs}
images = {call}
print(tuple(images.shape), float(images.min()), float(images.max()))
{show}
'''
SHOW = """grey = torch.cat(list(images.mean(1)), 1).clamp(-1, 1).add(1).mul(127.5).round().byte()
Path("{name}.pgm").write_bytes(b"P5 %d %d 255 " % tuple(grey.shape[::-1]) + bytes(grey.flatten().tolist()))"""
COLOUR = """rgb = torch.cat(list(images[:, :3]), 2).clamp(-1, 1).add(1).mul(127.5).round().byte().permute(1, 2, 0)
Path("{name}.ppm").write_bytes(b"P6 %d %d 255 " % (rgb.shape[1], rgb.shape[0]) + bytes(rgb.flatten().tolist()))"""


def write(subject: Subject, found: Wanted, out: Path) -> Written:
    """FILE.pt2 and FILE.py."""
    made, dynamic = of_any_batch(subject)
    largest = 0.0
    with torch.inference_mode():
        for n in SIZES if dynamic else SIZES[:1]:
            given = tuple(x[:n].clone() for x in found.inputs)
            largest = max(largest, apart(made.module()(*given).float(), found.images[:n]))
    if largest > SAME:
        raise Refused(f"comes out otherwise as a program, by {largest:.2g}")
    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "program.pt2"
        torch.export.save(nameless(made), path)
        data = path.read_bytes()
    script = out.with_suffix(".py")
    files.write(out, data)
    files.write(script, scripted(subject, found, out, dynamic))
    notes = [] if dynamic else ["It draws one image at a time: its batch is fixed."]
    return Written(out, "torch", len(data), [script], largest, notes=notes)


def of_any_batch(subject: Subject) -> tuple[ExportedProgram, bool]:
    """A program for any number of images; for one, where torch cannot follow it otherwise."""
    n = Dim("n", min=1, max=4096)
    shapes = (tuple({0: n} for _ in subject.inputs),)
    try:
        with quiet(), torch.no_grad():
            return torch.export.export(subject.eval(), subject.example(3), dynamic_shapes=shapes, strict=False), True
    except Exception:  # torch has dozens of kinds; what is wrong at batch 1 too is said there
        return traced(subject, subject.example(1)), False


def nameless(made: ExportedProgram) -> ExportedProgram:
    """Without the paths of this machine, which are nobody's business."""
    for node in made.graph.nodes:
        for key in TRACES:
            node.meta.pop(key, None)
    made.example_inputs = None  # which would be pickled
    return made


def noise(subject: Subject, sizes: str) -> str:
    """Of this variant, as Python says it."""
    if subject.noise and subject.noise.how == "rand":
        return f"torch.rand({sizes}) * {subject.noise.scale:g} + {subject.noise.offset:g}"
    limit = subject.noise.truncation if subject.noise else 9.0
    return f"torch.randn({sizes})" + (f".clamp({-limit:g}, {limit:g})" if limit < 9 else "")


def scripted(subject: Subject, found: Wanted, out: Path, dynamic: bool) -> str:
    n, lines, name = SHOWN if dynamic else 1, [], out.stem
    for each in subject.inputs:
        shape = "".join(f", {side}" for side in each.shape)
        made = {
            "noise": noise(subject, f"{n}{shape}"),
            "image": f"torch.rand({n}{shape}) * 2 - 1  # your images, from -1 to 1",
            "number": f"torch.linspace({each.low}, {each.high}, {n})",
        }.get(each.kind, f"torch.arange({n}) % {max(1, len(each.names))}")
        lines.append(f"{each.name} = {made}")
    shape_of = found.images.shape[1:]
    show = "" if len(shape_of) != 3 else (SHOW if shape_of[0] == 1 else COLOUR).format(name=name)
    call = f"draw({', '.join(each.name for each in subject.inputs)})"
    text = SCRIPT.format(program=out.name, script=f"{name}.py", inputs="\n".join(lines), call=call, show=show)
    return text.rstrip() + "\n"
