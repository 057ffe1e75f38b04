"""Latents of images: in parts, in their order, and from an encoder that is in the model file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Install
from torch import Tensor, nn

from gantool import UserError
from gantool.api import DataSpec, Variant, downwards, upwards
from gantool.results import Latents
from gantool.sampling.encoding import AT_ONCE, check_encodes, encoded
from gantool.testing import check_variant

CODES = '''"""Knower: knows one number of an image."""
from gantool.api import Variant

class Knower(Variant):
    def encode(self, x):
        return x.mean((1, 2, 3)).unsqueeze(1)
'''


class Means(Variant):
    """An encoder that tells an image's mean and its first pixel."""

    def __init__(self, options: Any, data: DataSpec) -> None:
        super().__init__(options, data)
        self.generator, self.discriminator = (
            upwards(2, 2, data),
            nn.Sequential(downwards(4, 2, 0.2, data), nn.Linear(4, 1)),
        )

    def noise(self, n: int) -> Tensor:
        return self.random(torch.randn, n, 2)

    def encode(self, x: Tensor) -> Tensor:
        return torch.stack([x.mean((1, 2, 3)), x[:, 0, 0, 0]], 1)

    def d_loss(self, batch: Any) -> Tensor:
        return (self.discriminator(batch[-1]) - self.discriminator(batch[0])).mean()

    def g_loss(self, batch: Any) -> Tensor:
        return -self.discriminator(batch[-1]).mean()


def test_more_images_than_are_encoded_at_once_come_in_their_order() -> None:
    variant, n = Means(Means.Options(), DataSpec((1, 8, 8))), AT_ONCE + 3
    images = [torch.full((1, 1, 8, 8), i % 256, dtype=torch.uint8) for i in range(n)]
    parts = list(encoded(variant, ((str(i), image) for i, image in enumerate(images))))
    assert [len(names) for names, _ in parts] == [AT_ONCE, 3]
    assert [name for names, _ in parts for name in names] == list(map(str, range(n)))
    z = torch.cat([part for _, part in parts])
    torch.testing.assert_close(z[:, 0], torch.arange(n) % 256 / 127.5 - 1)


def test_a_variant_without_an_encoder_is_refused_and_others_are_named(install: Install) -> None:
    check_encodes("means", Means(Means.Options(), DataSpec((1, 8, 8))))
    plain = Variant(Variant.Options(), DataSpec((1, 8, 8)))
    with pytest.raises(UserError, match="plain has no encoder") as refused:
        check_encodes("plain", plain)
    assert refused.value.hint == "None that is installed has one."
    install("plug-codes", CODES, knower="Knower")
    install("plug-gone", "class Gone", gone="Gone")  # which cannot be imported, and hides no other
    with pytest.raises(UserError) as refused:
        check_encodes("plain", plain)
    assert refused.value.hint == "Of the installed, these have one: knower."


def test_latents_are_saved_without_pickle_and_the_same_give_the_same_bytes(tmp_path: Path) -> None:
    found = Latents(np.arange(6, dtype=np.float32).reshape(2, 3), ["a", "b"])
    assert repr(found) == "<2 latents of 3 numbers>"
    paths = [found.save(tmp_path / name) for name in ("one.npz", "two.npz")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with np.load(paths[0], allow_pickle=False) as file:
        assert (file["latents"] == found.array).all() and file["names"].tolist() == ["a", "b"]
    with pytest.raises(UserError, match=r"should end in \.npz"):
        found.save(tmp_path / "one.npy")


class Wrong(Means):
    """Its encoder forgets which image is which."""

    def encode(self, x: Tensor) -> Tensor:
        return x.mean().view(1, 1)


def test_check_variant_holds_an_encoder_to_a_row_for_each_image() -> None:
    check_variant(Means, size=8)
    with pytest.raises(AssertionError, match="encode gave the shape"):
        check_variant(Wrong, size=8)
