"""Tests of `eval --inception`: the same features and numbers as torch-fidelity, and no weights but the right ones."""

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Gantool
from torch import Tensor, nn

from gantool.data.named import digits
from gantool.errors import UserError
from gantool.evaluation import gates, report
from gantool.metrics import inception, measures
from gantool.metrics.inception import Inception

CPU = torch.device("cpu")


def theirs() -> Any:
    return pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What torch-fidelity publishes cannot be had in tests: a file of the same network, drawn at random."""
    network, path = theirs().FeatureExtractorInceptionV3, tmp_path_factory.mktemp("weights") / "inception.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs(), "load_state_dict_from_url", lambda *args, **options: {})
        patch.setattr(network, "load_state_dict", lambda *args: None)
        torch.manual_seed(0)
        made = network("random", ["2048"])
    for weight in made.parameters():
        if weight.ndim == 4:
            nn.init.kaiming_normal_(weight)  # so that 94 layers later there is still something to see
    torch.save(made.state_dict(), path)
    return path


@pytest.fixture
def known(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same file, and only its size and digest are expected instead of the published one's."""
    blob = weights.read_bytes()
    expected = inception.WEIGHTS._replace(size=len(blob), sha256=hashlib.sha256(blob).hexdigest())
    monkeypatch.setattr(inception, "WEIGHTS", expected)
    return weights


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that sees less of an image, in a twentieth of the time."""
    monkeypatch.setattr(theirs().FeatureExtractorInceptionV3, "INPUT_IMAGE_SIZE", 75)


@pytest.fixture
def quick(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only its first layers: 64 features."""
    monkeypatch.setattr(inception, "FEATURES", 64)


def noise(n: int, channels: int = 3, seed: int = 0) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, channels, 20, 20), dtype=torch.uint8, generator=rng)


def extracted(weights: Path, colour: Tensor) -> Tensor:
    """By torch-fidelity's own extractor, loaded in its own way."""
    (features,) = theirs().FeatureExtractorInceptionV3("theirs", ["2048"], str(weights))(colour)
    found: Tensor = features
    return found


def test_features_are_torch_fidelitys(known: Path) -> None:
    x = noise(2)
    found = Inception(known, CPU)(x)
    assert found.shape == (2, 2048) and found.std() > 0.01
    torch.testing.assert_close(found, extracted(known, x), rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("small")
def test_grey_becomes_colour_and_alpha_is_not_seen(known: Path) -> None:
    ours, grey, alpha = Inception(known, CPU), noise(3, 1), noise(3, 4)
    torch.testing.assert_close(ours(grey), extracted(known, grey.repeat(1, 3, 1, 1)), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(ours(alpha), ours(alpha[:, :3]))
    assert not torch.allclose(ours(grey), ours(noise(3, 1, seed=1)), rtol=1e-2)


@pytest.mark.usefixtures("quick")
def test_parts_give_what_all_at_once_gives(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, x = Inception(known, CPU), noise(5)
    whole = ours(x)
    monkeypatch.setattr(inception, "BATCH", 2)
    torch.testing.assert_close(ours(x), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("small")
def test_distances_are_torch_fidelitys(known: Path) -> None:
    fid, kid = (pytest.importorskip(f"torch_fidelity.metric_{name}") for name in ("fid", "kid"))
    ours = Inception(known, CPU)
    a, b = (ours(x)[:, :8].contiguous() for x in (noise(24), noise(24, 1, seed=1)))
    stats = (fid.fid_features_to_statistics(x) for x in (a, b))
    assert measures.frechet(a, b) == pytest.approx(
        fid.fid_statistics_to_metric(*stats, verbose=False)["frechet_inception_distance"], rel=1e-4
    )
    for x, y in ((a, b), (a[:12], a[12:])):
        all_of_them = {"kid_subsets": 1, "kid_subset_size": len(x), "verbose": False}
        expected = kid.kid_features_to_metric(x.double(), y.double(), **all_of_them)["kernel_inception_distance_mean"]
        assert measures.kernel(x, y, subsets=2, size=len(x)).mean == pytest.approx(expected, rel=1e-4)


@pytest.mark.usefixtures("quick")
def test_a_comparison_says_that_inception_made_the_distances(gantool: Gantool, known: Path) -> None:
    pixels, _ = digits()
    sets = {"some": pixels[::38], "others": pixels[19::38]}
    for name, images in sets.items():
        np.savez(f"{name}.npz", images=images[:, 0].numpy())
    given = ("eval", "--images", "some.npz", "--against", "others.npz", "--metrics", "FD,coverage,nearest_ratio")
    done = gantool(*given, "--inception-weights", known, "--out", "found.json")
    assert done.code == 0, done.err
    found, by_judge = json.loads(Path("found.json").read_text()), json.loads(gantool(*given, "--json").out)
    assert found["extractor"] == "inception" and "extractor" not in by_judge
    for name in ("FD", "coverage"):
        assert f"{name}[inception, {found['n']}, all]" in done.out
    assert found["scores"]["nearest_ratio"] == by_judge["scores"]["nearest_ratio"]  # the judge's business still
    ours = Inception(known, CPU)  # the same, put together by hand
    a, b = (ours(images[: found["n"]]) for images in sets.values())
    assert found["n"] == len(a) == len(b)
    assert found["scores"]["FD"] == pytest.approx(measures.frechet(a, b), rel=1e-4)
    assert found["scores"]["FD"] < found["floor"]["FD"]


def test_thresholds_in_the_judges_units_are_not_applied_to_inceptions() -> None:
    limits = gates.Thresholds(
        "digits", gates.Budget(60), tuple(map(gates.threshold, ("label_accuracy >= .9", "FD <= 1", "coverage >= .5")))
    )
    found = {"scores": {"label_accuracy": 0.95, "FD": 0.5, "coverage": 0.6}}
    for extractor, applied in ({}, 3), ({"extractor": "inception"}, 1):
        verdicts = report.verdicts(limits, found | extractor, gates.SCORES)
        assert len(verdicts) == applied and verdicts[0]["passed"] is True


def test_too_few_images_are_refused_before_anything_is_loaded(gantool: Gantool, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"no weights")
    np.savez("some.npz", images=digits()[0][:4500, 0].numpy())
    given = ("eval", "--images", "some.npz", "--against", "digits", "--inception-weights", weights)
    done = gantool(*given, "-n", 4096, "--metrics", "FD")
    assert done.code == 2
    assert "4096 images are too few: FD's covariance of 2048 features needs more than 4096." in done.err
    assert "sha256" in gantool(*given, "-n", 4097).err


class Evil:
    """What runs when it is unpickled."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


@pytest.mark.parametrize("flip", [0, 5_000, -1])
def test_weights_with_one_bit_changed_are_refused(known: Path, tmp_path: Path, flip: int) -> None:
    blob, changed = bytearray(known.read_bytes()), tmp_path / "changed.pth"
    blob[flip] ^= 1
    changed.write_bytes(blob)
    with pytest.raises(UserError, match="is not torch-fidelity's Inception") as refused:
        Inception(changed, CPU)
    assert refused.value.hint.startswith("It is at https://")


def test_nothing_is_unpickled(known: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    Path("evil.pth").write_bytes(pickle.dumps({"x": Evil()}, protocol=2))
    with pytest.raises(UserError, match="is not torch-fidelity's"):
        Inception(Path("evil.pth"), CPU)
    # Even with the right digest.
    blob = Path("evil.pth").read_bytes()
    expected = inception.WEIGHTS._replace(size=len(blob), sha256=hashlib.sha256(blob).hexdigest())
    monkeypatch.setattr(inception, "WEIGHTS", expected)
    with pytest.raises(pickle.UnpicklingError, match="Weights only"):
        Inception(Path("evil.pth"), CPU)
    assert not Path("unpickled").exists()


def test_the_random_state_and_their_package_are_left_as_they_were(known: Path) -> None:
    fetching, before = theirs().load_state_dict_from_url, torch.get_rng_state()
    Inception(known, CPU)
    assert torch.equal(torch.get_rng_state(), before)
    assert theirs().load_state_dict_from_url is fetching


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if it were not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch_fidelity"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch_fidelity", None)
    yield


@pytest.mark.usefixtures("without")
def test_without_torch_fidelity_a_person_is_told_what_to_install(gantool: Gantool) -> None:
    np.savez("some.npz", images=digits()[0][:4500, 0].numpy())
    done = gantool("eval", "--images", "some.npz", "--against", "digits", "--inception")
    assert done.code == 1
    assert "--inception needs torch-fidelity." in done.err and "pip install 'gantool[fid]'" in done.err


def test_weights_come_from_the_cache_or_from_their_own_place_over_https(
    known: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(inception.named, "default_folder", lambda: tmp_path)
    name = inception.WEIGHTS.url.rpartition("/")[2]
    assert name == "weights-inception-2015-12-05-6726825d.pth" and inception.WEIGHTS.url == theirs().URL_INCEPTION_V3
    (tmp_path / "inception").mkdir()
    (tmp_path / "inception" / name).write_bytes(known.read_bytes())
    Inception(None, CPU)  # nothing is asked of the network
    (tmp_path / "inception" / name).unlink()
    monkeypatch.setattr(inception, "WEIGHTS", inception.WEIGHTS._replace(url=f"http://127.0.0.1/{name}"))
    with pytest.raises(UserError, match="it is not https") as refused:
        Inception(None, CPU)
    assert refused.value.hint.endswith("name it with --inception-weights.")
    assert [file.name for file in (tmp_path / "inception").iterdir()] == [".gantool.lock"]
