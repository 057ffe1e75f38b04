"""Small models for the tests of exports, untrained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from gantool import library
from gantool.data.images import DataSpec
from gantool.registry import Registry
from gantool.runs.model import Opened
from gantool.variant import Variant

DIGITS = DataSpec((1, 16, 16), tuple("0123456789"))


def model(name: str, spec: DataSpec = DIGITS, cls: type[Variant] | None = None, **options: Any) -> library.Model:
    """A variant's networks with random weights, as if opened from a file."""
    cls = cls or Registry().load(name)
    torch.manual_seed(0)
    variant = cls(cls.Options(**options), spec).eval().requires_grad_(False)
    for layer in variant.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            assert layer.running_mean is not None and layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    return library.Model(Opened(Path("model.safetensors"), variant, facts(name, spec)))


def facts(name: str, spec: DataSpec) -> Mapping[str, Any]:
    return {"variant": name, "package": "gantool", "version": "0.2.0", "step": 3, "data": "digits", "seed": 0,
            "settings": {}, "spec": spec._asdict()}  # fmt: skip
