"""Every installed variant that draws by a function of its inputs, exported and drawn in node: the parity table.

`python -m pytest tests/export/test_every_variant.py -m long -s` prints it.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import browsers
import made
import pytest
import torch
from page_in_node import all_drawn, milliseconds, needs_node

import gantool
from gantool.data.images import as_bytes
from gantool.export import checking, folding, packing, subject
from gantool.export.lowering import lowered
from gantool.registry import Registry
from gantool.variant import Variant

NAMES = sorted(Registry().names())  # before a test says that there are no packages
REFUSED = {
    "style": "draws one image, whatever its inputs",  # it trains its pixels
    "stylegan2": "draws noise of its own",
}
FIXED = {"stylegan2": ""}  # those of which ONNX has no dynamic batch, in words
PRECISIONS: tuple[packing.Precision, ...] = ("fp32", "fp16", "int8")
pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def every_package(monkeypatch: pytest.MonkeyPatch, clean_environment: None) -> None:
    monkeypatch.delenv("GANTOOL_PLUGINS")


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    rows = [
        "| variant | fp32: max | fp16: max, mean | int8: max, mean | levels | ms in node, Chromium |",
        "|---|---|---|---|---|---|",
    ]
    yield rows
    print("\n" + "\n".join(rows))


def opened(name: str) -> gantool.Model:
    """As it is by default, on its own data; random weights, and batch norm's statistics as if trained."""
    cls: type[Variant] = Registry().load(name)
    options, recipe = cls.Options(), dataclasses.replace(cls.recipe, batch_size=4)
    data = cls.dataset(recipe, options)
    return made.model(name, data.spec, cls, **dataclasses.asdict(cls.resolve(options, data)))


def inputs_of(model: gantool.Model) -> dict[str, Path]:
    return {"input": Path()} if "input" in {f.name for f in dataclasses.fields(model.variant.SampleOptions)} else {}


@needs_node
@pytest.mark.parametrize("name", NAMES)
def test_a_variant_is_drawn_in_node_as_in_torch(name: str, table: list[str], tmp_path: Path) -> None:
    model = opened(name)
    if name == "stylegan2":
        for weight in (w for key, w in model.variant.named_parameters() if "strength" in key or "noise" in key):
            weight.data.fill_(0.1)
    if name in REFUSED:
        with pytest.raises(gantool.UserError, match=REFUSED[name]):
            gantool.export(model, tmp_path / "page.html")
        return
    _, options = model._settled(inputs_of(model))
    drawn = subject.subject(model.variant, options)
    found = checking.wanted(drawn, options)
    program = folding.folded(lowered(drawn, drawn.example(1)))
    singles, errors = checking.singles(found.inputs), []
    for precision in PRECISIONS:
        (images,) = all_drawn([(program, singles)], precision)
        seen = torch.stack(images).view(found.images.shape)
        levels = int((as_bytes(seen).int() - as_bytes(found.images).int()).abs().max())
        errors.append((float((seen - found.images).abs().max()), float((seen - found.images).abs().mean()), levels))
    (exact, _, _), (half, half_mean, half_levels), (whole, whole_mean, whole_levels) = errors
    times = [milliseconds(program, singles)]
    if browsers.CHROMIUM:
        times.append(browsers.milliseconds(program, singles, tmp_path))
    table.append(
        f"| {name} | {exact:.0e} | {half:.0e}, {half_mean:.0e} | {whole:.0e}, {whole_mean:.0e} "
        f"| {half_levels}, {whole_levels} | {', '.join(f'{time:.1f}' for time in times)} |"
    )
    assert exact < 1e-4 and half_levels <= 1
    assert whole_mean * 127.5 <= 1.5, "untrained networks, with no saturated pixels, are the hardest"


@pytest.mark.parametrize("name", [name for name in NAMES if name not in REFUSED])
def test_a_variant_is_had_in_onnx_or_refused_in_words(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    if name in FIXED:
        with pytest.raises(gantool.UserError, match=FIXED[name]):
            gantool.export(opened(name), tmp_path / "model.onnx")
    else:
        assert gantool.export(opened(name), tmp_path / "model.onnx").largest < 1e-4
