"""The defaults draw digits: trained at full length and shown to the judge. Minutes long: python -m pytest -m slow."""

import pytest
import torch

from gantool.cli import run
from gantool.metrics.judge import digits_judge
from gantool.registry import Registry
from gantool.runs.model import open_model
from gantool.runs.run import RunFolder, find
from gantool.runtime import device


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["gan", "cgan", "dcgan"])
def test_the_default_draws_digits_a_judge_is_sure_of(
    variant: str, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert run(["train", variant, "--name", "full", "-q"]) == 0
    made: RunFolder = find("full")
    model = open_model(Registry(), made.model, "cpu").variant
    device.seed_all(0)
    with torch.inference_mode():
        drawn = model.sample(2000, model.SampleOptions())
        images, asked = drawn if isinstance(drawn, tuple) else (drawn, None)
        confidence, seen = digits_judge()(images.clone()).softmax(1).max(1)
    share = torch.bincount(seen, minlength=10) / len(seen)
    assert (confidence > 0.9).float().mean() > 0.8
    assert (share.clamp_min(1e-9) * (share.clamp_min(1e-9) * 10).log()).sum() < 0.1
    if asked is not None:
        assert (seen == asked).float().mean() > 0.97
