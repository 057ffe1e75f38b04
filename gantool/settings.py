"""Reads and writes flat YAML files of settings: configs and presets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gantool.errors import USAGE, UserError

LARGEST = 100_000  # bytes; a settings file is a page


class Flat(yaml.SafeLoader):
    """Plain values only: an alias or a key said twice is refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not used in settings")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value).replace("-", "_") for key, _ in node.value]
        if twice := next((k for k in keys if keys.count(k) > 1), None):
            raise yaml.YAMLError(f"{twice} is said twice")
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """`key: value` lines, keys as in Python (`batch_size`) or as flags (`batch-size`)."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise UserError(f"{path} is too long for settings.", "It holds lines like 'lr: 2e-4'.", USAGE)
        loader = Flat(text)
        try:
            values = loader.get_single_data()
        finally:
            loader.dispose()
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", code=USAGE) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path} is not a settings file: {why}", "It holds lines like 'lr: 2e-4'.", USAGE) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UserError(f"{path} is not a settings file.", "It holds lines like 'lr: 2e-4'.", USAGE)
    for key, value in values.items():
        if not isinstance(value, str | int | float | bool | None):
            raise UserError(f"{path}: {key} must be a single value.", f"Write '{key}: VALUE'.", USAGE)
    return {key.replace("-", "_"): value for key, value in values.items()}


def write(values: Mapping[str, Any], comments: list[str]) -> str:
    """The text of a settings file; settings that are None are left out."""
    kept = {key: value for key, value in values.items() if value is not None}
    body: str = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    return "".join(f"# {line}\n" for line in comments) + body
