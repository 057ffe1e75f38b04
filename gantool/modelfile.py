"""The model file: one .safetensors with everything sampling needs, and no data set."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from gantool import __version__, device, flags, sealed
from gantool.data.pictures import DataSpec
from gantool.errors import USAGE, UserError
from gantool.registry import Offer, Registry
from gantool.run import model_path
from gantool.variant import Variant

if TYPE_CHECKING:
    from gantool.trainer import Trainer

KIND = "model"


def describe(offer: Offer, values: dict[str, Any], spec: DataSpec, trainer: "Trainer") -> dict[str, Any]:
    """The facts of a model, and of a checkpoint. No times: the same training makes the same bytes."""
    return {
        "variant": offer.name,
        "package": offer.package,
        "version": offer.version,
        "gantool": __version__,
        "torch": torch.__version__,
        "settings": values,
        "spec": spec._asdict(),
        "image_range": [-1, 1],
        "data": Path(trainer.recipe.data).name,
        "fingerprint": trainer.data.fingerprint(),
        "seed": trainer.recipe.seed,
        "step": trainer.step,
    }


def export(path: Path, facts: dict[str, Any], trainer: "Trainer") -> None:
    """Write the averaged networks, or the live ones of a run that keeps no average."""
    variant = trainer.variant
    networks = {n: trainer.average.copies.get_submodule(n) for n in trainer.average.copies._modules}
    networks = networks or {name: variant.get_submodule(name) for name in variant.averaged}
    own = dict(variant.named_buffers(recurse=False))
    state = {"networks": {name: module.state_dict() for name, module in networks.items()}, "buffers": own}
    # A model file travels: where this machine keeps its data is nobody's business.
    settings = facts["settings"] | {"data": facts["data"], "data_dir": None}
    sealed.save(path, facts | {"kind": KIND, "settings": settings}, state)


def open_model(
    registry: Registry, name: str, given: Path | None, device_name: str, verb: str = "sample"
) -> tuple[Path, Variant, dict[str, Any]]:
    """The file meant by --run, and the variant with that model's weights in place, ready to sample."""
    path = model_path(name, given)
    facts, state = sealed.load(path)
    if facts.get("kind") != KIND:
        raise UserError(f"{path} is a checkpoint, not a model.", "Give its run: --run RUN")
    if (whose := facts["variant"]) not in registry.offers:
        raise not_installed(path, facts)
    if whose != name:
        raise UserError(f"{path} is a {whose}.", f"gantool {verb} {whose} --run {path}", USAGE)
    variant = build(facts, registry)
    try:
        for name, weights in state["networks"].items():
            variant.get_submodule(name).load_state_dict(weights)
        for name, value in state["buffers"].items():
            variant.get_buffer(name).copy_(value)
    except (RuntimeError, AttributeError, KeyError) as error:
        made_by = f"{facts['package']} {facts['version']}"
        why = str(error).strip().splitlines()[-1].strip()
        raise UserError(f"{path} does not fit this {facts['variant']}: {why}", f"It was made by {made_by}.") from None
    where = device.choose(device_name)
    return path, variant.to(where).eval().requires_grad_(False), facts


def not_installed(path: Path, facts: dict[str, Any]) -> UserError:
    package = facts.get("package", "of another name")
    made_by = f"{facts.get('variant')!r} of the package {package} {facts.get('version', '')}"
    return UserError(f"{path} was made by {made_by}, which is not installed.", f"pip install {package}")


def build(facts: dict[str, Any], registry: Registry) -> Variant:
    """The variant, as a file's facts describe it."""
    cls = registry.load(facts["variant"])
    wanted = {f: v for f, v in facts["settings"].items() if f in cls.Options.__dataclass_fields__}
    spec = DataSpec(facts["spec"]["channels"], facts["spec"]["size"], tuple(facts["spec"]["classes"]))
    (options,) = flags.filled(facts["variant"], {"Options": cls.Options}, wanted)
    variant: Variant = cls(options, spec)
    return variant
