"""ClusterGAN keeps gantool's contract and the paper's equations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import USAGE, DataSpec, UserError, agreement
from gantool.cli import run
from gantool.testing import check_variant, with_preset
from torch.nn.functional import one_hot

from gantool_encoders.clustergan import ClusterGAN

torch.set_num_threads(1)
SMALL: dict[str, Any] = {"z": 3, "width": 2, "clusters": 4}
FLAGS = ["--size", "8", "--z", "4", "--width", "2", "--batch-size", "4", "--device", "cpu", "--quiet"]


def made(**options: Any) -> ClusterGAN:
    torch.manual_seed(0)
    return ClusterGAN(ClusterGAN.Options(**SMALL | options), DataSpec((1, 8, 8))).eval()


@pytest.mark.parametrize("recipe", [{"size": 9, "channels": 3}, {"data": "ring8"}])
def test_contract(recipe: dict[str, Any]) -> None:
    check_variant(ClusterGAN, options=SMALL, **recipe)


def test_the_prior_is_a_one_hot_cluster_beside_a_little_noise() -> None:
    c = torch.arange(4).repeat(500)
    z = made(sigma=0.1).prior(torch.randn(2_000, 3), c)
    assert torch.equal(z[:, 3:], one_hot(c, 4).float())
    assert float(z[:, :3].std()) == pytest.approx(0.1, rel=0.05)


def test_g_and_e_lower_the_paper_s_three_terms() -> None:
    variant = made(beta_n=2.0, beta_c=3.0, steady=0)
    c = torch.tensor([0, 3, 1, 2, 0])
    z = variant.prior(torch.randn(5, 3), c)
    fake = variant.generator(z)
    said = variant.encoder(fake)
    loss = variant.ge_loss((z, c, fake, torch.rand(5, 1, 8, 8)))
    assert isinstance(loss, dict)
    torch.testing.assert_close(loss["fool"], -variant.discriminator(fake).sigmoid().log().mean())
    torch.testing.assert_close(loss["noise"], 2 * (said[:, :3] - z[:, :3]).square().mean())
    torch.testing.assert_close(loss["cluster"], -3 * said[:, 3:].softmax(1)[torch.arange(5), c].log().mean())


def test_what_is_read_off_a_real_image_must_stay_when_it_is_tilted(monkeypatch: pytest.MonkeyPatch) -> None:
    variant, x = made(steady=3.0, beta_c=2.0), torch.rand(6, 1, 8, 8)
    chances = []
    monkeypatch.setattr("gantool.api.jittered", lambda x, chance: chances.append(chance) or x.flip(3))
    c = torch.arange(6) % 4
    z = variant.prior(torch.randn(6, 3), c)
    loss = variant.ge_loss((z, c, variant.generator(z), x))
    assert isinstance(loss, dict)
    for name, of in (("steady", slice(3, 7)), ("finer", slice(7, 27))):
        p, q = (variant.encoder(part)[:, of].softmax(1) for part in (x, x.flip(3)))
        torch.testing.assert_close(loss[name], -6 * agreement(p, q))
    assert len(chances[0].unique(dim=0)) == 4 * len(x)  # four copies of each, each tilted its own way


def test_where_no_cluster_is_read_off_images_none_must_stay() -> None:
    x = torch.rand(6, 1, 8, 8)
    assert made(beta_c=0.0).unsteady(x) == {}
    paper = made(steady=0.0)
    assert paper.unsteady(x) == {}
    assert paper.encoder(x).shape == (6, 7)  # nothing finer is read


@torch.no_grad()
def test_an_image_s_code_is_its_noise_and_how_likely_each_cluster_is() -> None:
    code = made().encode(torch.rand(6, 1, 8, 8))
    assert code.shape == (6, 7)
    torch.testing.assert_close(code[:, 3:].sum(1), torch.ones(6))


@torch.no_grad()
def test_clusters_are_drawn_in_turn_or_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = made()
    monkeypatch.setattr(variant, "generator", torch.nn.Identity())
    options = variant.SampleOptions()
    assert variant.sample(6, options)[:, 3:].argmax(1).tolist() == [0, 1, 2, 3, 0, 1]
    assert variant.sample(3, variant.SampleOptions(cluster=2))[:, 3:].argmax(1).tolist() == [2, 2, 2]
    with pytest.raises(UserError, match="no cluster 4") as error:
        variant.sample(3, variant.SampleOptions(cluster=4))
    assert error.value.code == USAGE


def test_a_resumed_run_is_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "clustergan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "clustergan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts


def test_presets_are_published_settings() -> None:
    for preset in ("paper", "pytorch-gan"):
        variant, recipe = with_preset("clustergan", preset, (1, 28, 28))
        o = variant.options
        assert (o.z, o.clusters, o.sigma, o.beta_n, o.beta_c, recipe.batch_size) == (30, 10, 0.1, 10, 10, 64)
        for player in variant.players().values():
            assert (player.param_groups[0]["lr"], player.param_groups[0]["betas"]) == (1e-4, (0.5, 0.9))
