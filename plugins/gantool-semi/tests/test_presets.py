"""Presets are what papers and their best-known scripts say."""

from typing import Any

import pytest
import torch
from gantool.testing import with_preset

ADAM = {"lr": 2e-4, "betas": (0.5, 0.999)}


@pytest.mark.parametrize(
    ("name", "preset", "shape", "said", "adam"),
    [
        ("sgan", "paper", (1, 28, 28), {"z": 100, "labels": 100, "batch_size": 100, "epochs": 300}, {"lr": 3e-3}),
        ("sgan", "pytorch-gan", (1, 28, 28), {"z": 100, "batch_size": 64, "epochs": 200}, {}),
        ("pixelda", "paper", (3, 32, 32), {"z": 10, "blocks": 6, "batch_size": 32}, {"lr": 1e-3}),
        ("pixelda", "pytorch-gan", (3, 32, 32), {"z": 10, "blocks": 6, "task": 0.1, "batch_size": 64, "size": 32}, {}),
        ("cogan", "paper", (1, 28, 28), {"z": 100, "batch_size": 128, "steps": 25_000}, {}),
        ("cogan", "pytorch-gan", (1, 32, 32), {"z": 100, "batch_size": 32, "epochs": 200, "size": 32}, {}),
    ],
)
def test_presets_are_published_settings(
    name: str, preset: str, shape: tuple[int, ...], said: dict[str, Any], adam: dict[str, float]
) -> None:
    variant, recipe = with_preset(name, preset, shape, classes=10)
    found = vars(recipe) | vars(variant.options)
    assert {key: found[key] for key in said} == said and found.get("r1", 0) == 0 and found["decay"] == 0
    for player in variant.players().values():
        group = player.param_groups[0]
        assert {key: group[key] for key in ADAM} == ADAM | adam
    assert all(torch.is_tensor(weight) and weight.is_meta for weight in variant.parameters())  # it can be built
