"""Reads and writes flat YAML files of settings: configs and presets."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from gantool.errors import USAGE, UserError

LARGEST = 100_000  # bytes; a settings file is a page
LONGEST = 4_096  # characters; a value may be a path


class Flat(yaml.SafeLoader):
    """Plain values only: an alias, a merge or a key said twice is refused."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not used in settings")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value).replace("-", "_") for key, _ in node.value]
        if len(keys) > len(set(keys)):
            raise yaml.YAMLError(f"{Counter(keys).most_common(1)[0][0]} is said twice")
        if any(key.tag.endswith(":merge") for key, _ in node.value):
            raise yaml.YAMLError("merges (<<) are not used in settings")
        return super().construct_mapping(node, deep)


def read(path: Path) -> dict[str, Any]:
    """`key: value` lines, keys as in Python (`batch_size`) or as flags (`batch-size`)."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise yaml.YAMLError("it is too long for settings")
        loader = Flat(text)
        try:
            values = loader.get_single_data()
        finally:
            loader.dispose()
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path} cannot be read: {error}", code=USAGE) from None
    except Exception as error:  # beside its own errors, YAML raises whatever Python makes of odd numbers and dates
        why = "".join(filter(str.isprintable, " ".join(str(error).split())))[:200] or type(error).__name__
        raise UserError(f"{path} is not a settings file: {why}", "It holds lines like 'lr: 2e-4'.", USAGE) from None
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(map(is_name, values)):
        raise UserError(f"{path} is not a settings file.", "It holds lines like 'lr: 2e-4'.", USAGE)
    for key, value in values.items():
        if not isinstance(value, str | int | float | bool | None):
            raise UserError(f"{path}: {key} must be a single value.", f"Write '{key}: VALUE'.", USAGE)
        if (isinstance(value, int) and value.bit_length() > 63) or len(str(value)) > LONGEST:
            raise UserError(f"{path}: {key} is far too much.", code=USAGE)
    return {key.replace("-", "_"): value for key, value in values.items()}


def is_name(key: object) -> bool:
    return isinstance(key, str) and key.isprintable() and len(key) <= 100


VARIANT = "variant"  # the key that says whose settings these are
ITS_OWN = f"gantool_{VARIANT}"  # the same, of a variant that has an option of that name


def whose(values: dict[str, Any]) -> str:
    """The variant whose settings these are, taken out; nothing where they do not say."""
    return str(values.pop(ITS_OWN if ITS_OWN in values else VARIANT, ""))


def owned(variant: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings, and first whose they are."""
    return {ITS_OWN if VARIANT in values else VARIANT: variant, **values}


def write(values: Mapping[str, Any], comments: list[str]) -> str:
    """The text of a settings file; settings that are None are left out."""
    kept = {key: value for key, value in values.items() if value is not None}
    body: str = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
    return "".join(f"# {line}\n" for line in comments) + body
