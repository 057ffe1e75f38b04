"""SNGAN, SAGAN and BigGAN keep gantool's contract, and D's weights their norm."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from gantool.api import Attention, DataSpec, ImageData, Recipe, UserError
from gantool.cli import run
from gantool.testing import check_processes, check_variant, with_preset
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from gantool_norms import biggan, ends, networks, sngan
from gantool_norms.biggan import BigGAN
from gantool_norms.networks import largest
from gantool_norms.sagan import SAGAN
from gantool_norms.sngan import SNGAN

torch.set_num_threads(1)
ALL = [SNGAN, SAGAN, BigGAN]
SMALL: dict[str, Any] = {"z": 4, "width": 2, "d_width": 2}
FLAGS = [
    "--size",
    "16",
    "--z",
    "4",
    "--width",
    "2",
    "--d-width",
    "2",
    "--batch-size",
    "4",
    "--device",
    "cpu",
    "--quiet",
]


def made(cls: type[SNGAN], **options: Any) -> SNGAN:
    torch.manual_seed(0)
    return cls(cls.Options(**SMALL | options), DataSpec((1, 16, 16), ("a", "b", "c")))


@pytest.mark.parametrize("cls", ALL)
def test_contract(cls: type[SNGAN]) -> None:
    check_variant(cls, options=SMALL, size=16)


def test_contract_of_residual_networks_in_colour() -> None:
    check_variant(SNGAN, options=SMALL | {"networks": "resnet"}, size=18, channels=3)


@pytest.mark.parametrize("cls", [SAGAN, BigGAN])
def test_residual_networks_draw_and_judge_any_height_and_width(cls: type[SNGAN]) -> None:
    variant = cls(cls.Options(**SMALL | {"networks": "resnet"}), DataSpec((3, 17, 24), ("a", "b")))
    x, y = variant.sample(3, cls.SampleOptions())
    assert x.shape == (3, 3, 17, 24) and y.tolist() == [0, 1, 0] and variant.d_logits(x, y).shape == (3,)


@pytest.mark.parametrize("cls", [SNGAN, SAGAN])
def test_data_without_classes_will_do(cls: type[SNGAN]) -> None:
    variant = cls(cls.Options(**SMALL), DataSpec((1, 16, 16)))
    x, y = variant.sample(3, cls.SampleOptions())
    assert x.shape == (3, 1, 16, 16) and y.tolist() == [0, 0, 0]
    assert variant.d_logits(x, y).shape == (3,)


def test_biggan_asks_for_classes() -> None:
    with pytest.raises(UserError, match="biggan needs classes"):
        BigGAN(BigGAN.Options(**SMALL), DataSpec((1, 16, 16)))


def trained(cls: type[SNGAN], steps: int, **options: Any) -> SNGAN:
    """After so many steps of both players on noise."""
    variant = made(cls, width=4, d_width=4, **options)
    players, x = variant.players(), torch.rand(8, 1, 16, 16) * 2 - 1
    for variant.step in range(steps):
        for turn in variant.turns(iter([(x, torch.arange(8) % 3)])):
            loss = turn.loss(turn.batch)
            total = sum(loss.values(), torch.zeros(())) if isinstance(loss, dict) else loss
            players[turn.player].zero_grad()
            total.backward()  # type: ignore[union-attr]
            players[turn.player].step()
    return variant


@pytest.mark.parametrize("networks", ["conv", "resnet"])
@pytest.mark.parametrize("cls", ALL)
def test_every_weight_of_d_has_a_spectral_norm_of_1(cls: type[SNGAN], networks: str) -> None:
    """By singular values in full, of weights reshaped as the norm reshapes them, after so many passes of D."""
    variant = made(cls, width=4, networks=networks)
    x, y = torch.rand(2, 1, 16, 16), torch.tensor([0, 1])
    with torch.no_grad():
        for _ in range(300):
            variant.d_logits(x, y)
    found = largest(variant.discriminator)
    layers = [m for m in variant.discriminator.modules() if isinstance(m, nn.Conv2d | nn.Linear | nn.Embedding)]
    assert len(found) == len(layers) >= 5
    assert all(float(norm) == pytest.approx(1, abs=0.03) for norm in found)


def test_looking_at_singular_values_changes_nothing() -> None:
    """In training a spectral norm iterates whenever its weight is read."""
    variant = made(SNGAN)
    before = {name: value.clone() for name, value in variant.discriminator.state_dict().items()}
    largest(variant.discriminator)
    assert variant.discriminator.training
    assert all(torch.equal(value, before[name]) for name, value in variant.discriminator.state_dict().items())


def test_the_norms_seen_in_training_are_kept_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sngan, "EVERY", 4)
    variant, held = trained(SNGAN, 8), trained(SNGAN, 3)
    found = torch.stack(largest(variant.discriminator))
    assert variant.norms.tolist() == pytest.approx([float(found.min()), float(found.max())])
    assert variant.measure(Any) == {  # type: ignore[arg-type]
        "least_norm": pytest.approx(float(found.min())), "greatest_norm": pytest.approx(float(found.max()))
    }  # fmt: skip
    assert held.norms.tolist() == [0, 0]


def test_without_its_norm_a_weight_may_be_as_large_as_it_likes() -> None:
    variant = made(SNGAN, spectral=False)
    with torch.no_grad():
        for weight in variant.discriminator.parameters():
            weight.mul_(10)
    assert max(map(float, largest(variant.discriminator))) > 1.5


def test_g_s_weights_are_held_too_where_it_attends() -> None:
    for cls, held in ((SNGAN, False), (SAGAN, True), (BigGAN, True)):
        names = made(cls).generator.state_dict()
        assert any("_u" in name for name in names) == held == any("gamma" in name for name in names)
    names = made(SAGAN, attention=False).generator.state_dict()
    assert any("_u" in name for name in names) and not any("gamma" in name for name in names)


def test_attention_of_equal_keys_is_the_mean() -> None:
    """Where all places answer alike, each takes the mean of all."""
    attention, x = Attention(8, pool=2), torch.randn(2, 8, 6, 6)
    with torch.no_grad():
        attention.gamma.fill_(1.0)
        attention.f.weight.zero_()  # all keys are 0
        mean = attention.v(attention.h(x).mean((2, 3), keepdim=True)).expand_as(x)
        torch.testing.assert_close(attention(x) - x, mean, atol=1e-5, rtol=1e-4)


def test_gamma_is_measured_and_is_0_without_attention() -> None:
    variant = made(SAGAN)
    assert variant.measure(Any)["gamma"] == 0  # type: ignore[arg-type]
    with torch.no_grad():
        variant.generator.get_submodule("attention").gamma.fill_(-0.25)  # type: ignore[operator, union-attr]
    assert variant.measure(Any)["gamma"] == 0.25  # type: ignore[arg-type]
    assert made(SAGAN, attention=False).measure(Any)["gamma"] == 0  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(4, 4), (3, 7), (7, 3), (4, 2, 3, 3)])
def test_the_penalty_of_an_orthogonal_matrix_is_0(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    weight = nn.init.orthogonal_(torch.empty(shape), gain=3.0)
    assert float(biggan.slanted(weight)) == pytest.approx(0, abs=1e-3)
    assert float(biggan.slanted(torch.ones(shape))) > 1


def test_the_penalty_is_the_sum_of_squared_products_off_the_diagonal() -> None:
    assert float(biggan.slanted(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))) == 2 * 11**2


def test_the_penalty_is_paid_by_every_weight_but_the_embedding() -> None:
    variant = made(BigGAN, orthogonal=0.5)
    x, y = torch.rand(2, 1, 16, 16), torch.tensor([0, 1])
    loss = variant.g_loss((x, y, x))
    assert isinstance(loss, dict)
    named = dict(variant.generator.named_parameters())
    paying = [w for name, w in named.items() if w.ndim > 1 and name != "embedding.weight"]
    grads = torch.autograd.grad(loss["orthogonal"], [*paying, named["embedding.weight"]], allow_unused=True)
    assert grads[-1] is None and all(grad is not None for grad in grads[:-1])
    expected = 0.5 * sum(float(biggan.slanted(w).detach()) for w in paying)
    assert float(loss["orthogonal"].detach()) == pytest.approx(expected)


def test_each_block_is_told_the_class_and_noise_of_its_own() -> None:
    variant = made(BigGAN, z=7, embedded=5)
    generator, z = variant.generator, torch.arange(14.0).view(2, 7)
    first, others = generator.conditions(z, torch.tensor([2, 0]))  # type: ignore[operator]
    assert first.shape == (2, 3) and len(others) == 2  # 16 pixels in two blocks
    together = torch.cat([first, *(other[:, 5:] for other in others)], 1)
    assert torch.equal(together, z)
    e = variant.generator.get_submodule("embedding").weight  # type: ignore[union-attr]
    assert all(torch.equal(other[:, :5], torch.stack([e[2], e[0]])) for other in others)  # type: ignore[index]


def test_shuffled_classes_are_not_those_of_the_batch() -> None:
    seen: list[Tensor] = []
    for shuffled in (False, True):
        variant = made(BigGAN, shuffled=shuffled)
        variant.generator.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
        variant.fake((torch.rand(64, 1, 16, 16), torch.zeros(64).long()))
    assert not seen[0].any() and seen[1].unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize(("values", "rank"), [((1, 2, 3, 4, 5), 1.0), ((5, 4, 3, 2, 1), -1.0), ((1, 3, 2, 4, 5), 0.9)])
def test_rank_correlation(values: tuple[float, ...], rank: float) -> None:
    assert biggan.ranked(values) == pytest.approx(rank)


@pytest.mark.parametrize(("name", "d_steps"), [("sngan", 5), ("sagan", 1), ("biggan", 2)])
def test_preset_paper_is_the_paper_s_in_its_settings(name: str, d_steps: int) -> None:
    variant, _ = with_preset(name, "paper", (3, 32, 32), 3)
    o = variant.options
    assert (o.networks, o.augment, o.decay, o.d_steps) == ("resnet", "none", 0, d_steps)


def test_losses_are_the_hinge(monkeypatch: pytest.MonkeyPatch) -> None:
    variant = made(SNGAN, augment="none")
    monkeypatch.setattr(variant, "d_logits", lambda x, y: x.flatten(1).sum(1))
    x, fake, y = torch.tensor([[0.5], [3.0]]), torch.tensor([[-2.0], [0.5]]), torch.tensor([0, 1])
    loss = variant.d_loss((x, y, fake))
    assert isinstance(loss, dict)
    assert loss["real"] == 0.25 and loss["fake"] == 0.75  # (.5 + 0) / 2, (0 + 1.5) / 2
    assert variant.g_loss((x, y, fake)) == 0.75


@pytest.mark.parametrize("cls", ALL)
def test_each_is_a_file_that_says_what_it_is(cls: type[SNGAN]) -> None:
    source = Path(inspect.getfile(cls)).read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 120
    for word in ("Paper: ", "Task: ", "Differs from the paper: "):
        assert f"\n{word}" in source.partition('"""\n\nfrom')[0]


def test_a_resumed_run_is_the_same_run_and_its_model_file_draws_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["train", "sngan", "--steps", "6", "--out", "whole", *FLAGS]) == 0
    assert run(["train", "sngan", "--steps", "3", "--out", "parts", *FLAGS]) == 0
    assert run(["resume", "parts", "--steps", "6", "--device", "cpu", "--quiet"]) == 0
    whole, parts = (Path(name, "model.safetensors").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
    Path("alone.safetensors").write_bytes(whole)
    for name in ("whole", "alone.safetensors"):
        sample = ["sample", "sngan", "--run", name, "--device", "cpu", "--quiet", "--label", "3"]
        assert run([*sample, "-n", "4", "--out", f"{name}.png"]) == 0
    assert Path("whole.png").read_bytes() == Path("alone.safetensors.png").read_bytes()


@pytest.mark.long
def test_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_processes("sngan", *FLAGS)


def test_one_that_learned_without_classes_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    colours = torch.randint(256, (60, 16, 16, 3), dtype=torch.uint8).numpy()
    Path("images").mkdir()
    for i, pixels in enumerate(colours):
        Image.fromarray(pixels).save(f"images/{i}.png")
    assert run(["train", "sngan", "--data", "images", "--steps", "1", "--name", "plain", *FLAGS]) == 0
    assert run(["eval", "plain", "-n", "20", "--metrics", "KID", "--device", "cpu"]) == 0


def test_matching_ends_match_and_each_end_is_as_often_light_as_dark() -> None:
    data, held = (ends.matching_ends(Recipe(), train) for train in (True, False))
    assert data.spec.shape == (1, 16, 48) and len(data) == 4_000 and data.fingerprint() != held.fingerprint()
    found = ends.seen(data.pixels.float() / 127.5 - 1)
    assert found["matching"] == 1 and found["light_among_matching"] == pytest.approx(0.5, abs=0.05)


def test_ends_that_know_nothing_of_each_other_match_half_the_time_and_grey_ones_never() -> None:
    rng = torch.Generator().manual_seed(0)
    left, right = torch.rand(2, 2_000, generator=rng) < 0.5
    assert ends.seen(ends.drawn(left, right, rng))["matching"] == pytest.approx(0.5, abs=0.05)
    assert ends.seen(torch.zeros(9, 1, 16, 48)) == {"matching": 0, "light_among_matching": 0}


def test_only_of_such_data_it_is_measured_whether_ends_match() -> None:
    variant = SAGAN(SAGAN.Options(**SMALL, networks="resnet"), DataSpec((1, 16, 48)))
    assert "matching" in variant.measure(ends.matching_ends(Recipe(), train=False))
    assert "matching" not in variant.measure(ImageData(torch.zeros(3, 1, 16, 48, dtype=torch.uint8)))


@pytest.mark.long
def test_d_sees_whether_far_ends_match_if_it_attends() -> None:
    """What one place sees does not reach both: without attention, no more than how light an image is in all."""

    def told_apart(attend: bool) -> float:
        torch.manual_seed(0)
        rng, half, y = torch.Generator().manual_seed(0), 32, torch.zeros(64, dtype=torch.long)
        d = networks.discriminator(8, DataSpec((1, 16, 48)), "resnet", attend, spectral_norm)
        optimizer = torch.optim.Adam(d.parameters(), lr=2e-3, betas=(0.0, 0.9))

        def scores(n: int) -> tuple[Tensor, Tensor]:
            left = torch.rand(2 * n, generator=rng) < 0.5
            right = torch.where(torch.arange(2 * n) < n, left, ~left)
            on = d(ends.drawn(left, right, rng), y[:1].expand(2 * n))
            return on[:n], on[n:]

        for _ in range(400):
            matching, other = scores(half)
            optimizer.zero_grad()
            (relu(1 - matching).mean() + relu(1 + other).mean()).backward()
            optimizer.step()
        d.eval()
        with torch.no_grad():
            matching, other = scores(500)
        return float(((matching > 0).float().mean() + (other <= 0).float().mean()) / 2)

    assert told_apart(True) >= told_apart(False) + 0.1
