"""One ONNX file, for any number of images, compared with torch at several batch sizes before it is kept."""

import importlib.util
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim

from gantool.errors import USAGE, UserError
from gantool.export.checking import Wanted, apart
from gantool.export.program import Refused
from gantool.export.subject import Subject
from gantool.export.trace import line_of, quiet, reason
from gantool.export.written import Written
from gantool.runtime import files

NEEDED = ("onnx", "onnxscript")
SIZES = (1, 2, 7)  # of batches that are compared
SAME = 1e-4


def write(subject: Subject, found: Wanted, out: Path, static: bool, facts: Mapping[str, str]) -> Written:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise UserError(f"ONNX needs {' and '.join(missing)}.", "pip install 'gantool[onnx]'", USAGE)
    made = converted(subject, static)
    sizes = SIZES[:1] if static else SIZES
    largest, by = compared(made, subject, found, sizes)
    if largest > SAME:
        raise Refused(f"comes out otherwise as ONNX, by {largest:.2g}")
    describe(made, subject, found, facts)
    data = made.SerializeToString()
    files.write(out, data)
    notes = [f"Compared by {by}, at batches of {', '.join(map(str, sizes))}."]
    return Written(out, "onnx", len(data), [], largest, notes=notes)


def converted(subject: Subject, static: bool) -> Any:
    """The model in ONNX's own words."""
    names = [each.name for each in subject.inputs]
    n = Dim("n", min=1, max=4096)
    how: dict[str, Any] = {} if static else {"dynamic_shapes": (tuple({0: n} for _ in names),)}
    try:
        with quiet(), torch.no_grad(), tempfile.TemporaryDirectory():
            program = torch.onnx.export(
                subject.eval(), subject.example(1 if static else 3), dynamo=True, verbose=False, input_names=names,
                output_names=["images"], optimize=True, **how,
            )  # fmt: skip
    except Exception as error:
        raise Refused(f"{reason(error)}, in ONNX", line_of(error)) from error
    assert program is not None
    return program.model_proto


def compared(made: Any, subject: Subject, found: Wanted, sizes: tuple[int, ...]) -> tuple[float, str]:
    """The largest difference from torch, and who ran it: onnxruntime where it is there, else onnx itself."""
    run, by = runner(made)
    largest = 0.0
    for n in sizes:
        given = {each.name: x[:n].numpy() for each, x in zip(subject.inputs, found.inputs, strict=True)}
        try:
            images = torch.tensor(run(given))
        except Exception as error:
            raise fixed() from error
        if images.shape != found.images[:n].shape:
            raise fixed()
        largest = max(largest, apart(images.float(), found.images[:n]))
    return largest, by


def fixed() -> UserError:
    return UserError(
        "This network cannot be had in ONNX for any number of images: torch writes its batch down as a constant.",
        "--static writes it for one image at a time.",
    )


def runner(made: Any) -> tuple[Any, str]:
    if importlib.util.find_spec("onnxruntime") is not None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
        used = {value.name for value in session.get_inputs()}
        return lambda given: session.run(None, {k: v for k, v in given.items() if k in used})[0], "onnxruntime"
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(made)
    return lambda given: evaluator.run(None, given)[0], "onnx's reference"


def describe(made: Any, subject: Subject, found: Wanted, facts: Mapping[str, str]) -> None:
    """What goes in and comes out, and what the model is; nothing of this machine."""
    for node in made.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for function in made.functions:
        for node in function.node:
            del node.metadata_props[:]
    del made.metadata_props[:]
    entries = {each.name: meaning(each) for each in subject.inputs}
    entries |= {"images": f"{'x'.join(map(str, found.images.shape[1:]))}, from -1 to 1", **facts}
    for key, text in entries.items():
        entry = made.metadata_props.add()
        entry.key, entry.value = key, text


def meaning(each: Any) -> str:
    shape = "x".join(map(str, each.shape))
    if each.kind == "noise":
        return f"{shape} numbers of normal noise"
    if each.kind == "image":
        return f"an image, {shape}, from -1 to 1"
    if each.kind == "number":
        return f"a number, usually from {each.low:g} to {each.high:g}"
    return "which of: " + ", ".join(each.names)
