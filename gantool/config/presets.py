"""Files of settings as layers: a run's config.yaml or one written by hand, and the presets of a package."""

from collections.abc import Mapping
from pathlib import Path

from gantool.config.validate import Layer
from gantool.errors import USAGE, UserError, did_you_mean


def layers(variant: str, presets: Mapping[str, Path], preset: str | None, config: str | Path | None) -> list[Layer]:
    """What --config and --preset hold, the stronger first."""
    found = [layer(variant, Path(config))] if config is not None else []
    return found + ([layer(variant, named(variant, presets, preset))] if preset is not None else [])


def named(variant: str, presets: Mapping[str, Path], preset: str) -> Path:
    short = preset.removeprefix(f"{variant}/")
    if short not in presets:
        meant, known = did_you_mean(short, presets), ", ".join(presets) or "none"
        message = f"--preset: {variant} has no preset {preset!r}.{meant} There are: {known}."
        raise UserError(message, see(variant), USAGE)
    return presets[short]


def layer(variant: str, path: Path) -> Layer:
    if not path.exists():
        raise UserError(f"--config: {str(path)!r} does not exist.", see(variant), USAGE)
    if path.is_dir():
        raise UserError(f"--config: {str(path)!r} is a folder.", see(variant), USAGE)
    from gantool.config import yaml  # which takes a tenth of --help's time

    values = yaml.read(path)
    whose = yaml.whose(values)
    if whose not in ("", variant):
        hint = f"gantool train {whose} --config {path}" if whose.isprintable() else ""
        raise UserError(f"{path} holds settings of {whose!r}, not {variant!r}.", hint, USAGE)
    return Layer(values, str(path))


def see(variant: str, verb: str = "train") -> str:
    return f"See: gantool {verb} {variant} --help"
