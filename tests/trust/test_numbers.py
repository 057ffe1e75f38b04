"""R9: what is not a number never replaces the last good state, and the run goes on from that."""

import math
import os
import random
import signal
from pathlib import Path

import pytest
import torch
from hooks import each, spoilt
from spawned import VARIANTS, learned

from gantool.runs import sealed
from gantool.runs.run import RunFolder, step_of
from gantool.training.trainer import tensors

SEED = int(os.environ.get("TRUST_SEED", random.randrange(10**6)))  # TRUST_SEED=123 repeats what was printed
STEPS, SAVE_EVERY = 20, 5
WHERE = ("losses", "networks", "ema", "optimizers")


def all_finite(run: RunFolder) -> bool:
    states = [sealed.load(path)[1] for path in [*run.saved(), *([run.model] if run.model.exists() else [])]]
    found = [tensor for state in states for _, tensor in tensors(state) if tensor.is_floating_point()]
    logged = [v for line in run.lines() for v in (line | line.get("probe", {})).values() if isinstance(v, int | float)]
    return all(torch.isfinite(t).all() for t in found) and all(map(math.isfinite, logged))


@pytest.mark.promise("R9")
@pytest.mark.parametrize("variant", VARIANTS)
def test_numbers_that_are_none_are_never_saved(start, times, tried, tmp_path, monkeypatch, variant) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    print(f"TRUST_SEED={SEED}")
    rng, train = random.Random(f"{SEED} {variant}"), ("train", *VARIANTS[variant], "--steps", STEPS, "--name")
    assert start(*train, "whole").wait() == 0
    for number in range(times(len(WHERE), 24)):
        run, where, step = RunFolder(Path(f"runs/{number}")), WHERE[number % len(WHERE)], rng.randint(1, STEPS)
        value, stop = rng.choice((math.nan, math.inf, -math.inf)), rng.random() < 0.3
        print(f"{value} in the {where} of step {step}{', then SIGINT' * stop}")
        hook = (each, (spoilt, where, step, value, rng.random(), *([signal.SIGINT] if stop else [])))
        command = start(*train, number, hook=hook)
        assert command.wait() == 1, command.err
        assert "training stopped" in command.err and len(command.err.strip().splitlines()) <= 6 + 2 * stop
        assert "Traceback" not in command.err
        kept = step_of(run.saved()[0]) if run.saved() else 0
        assert step - SAVE_EVERY <= kept < step
        assert all_finite(run)
        assert start("resume", number).wait() == 0
        assert learned(run.folder) == learned(Path("runs/whole"))
        tried(f"NaN or Inf in {where}")
