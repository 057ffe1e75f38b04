"""Time of a training step of each built-in variant: python benchmarks/steps.py [VARIANT...]

Prints the median of several windows, since machines are noisy. Previews, logs and saves are not in it.
"""

import statistics
import sys
import time

from gantool.registry import Registry

WINDOWS, SECONDS = 5, 3.0


def main(names: list[str]) -> None:
    import torch

    from gantool import device
    from gantool.trainer import Trainer

    device.keep_pages()
    for name in names or ["gan", "cgan", "dcgan"]:
        cls = Registry().load(name)
        device.seed_all(0)
        data = cls.dataset(cls.recipe)
        trainer = Trainer(cls(cls.Options(), data.spec), cls.recipe, data, torch.device("cpu"))
        for _ in range(10):
            trainer.take_step()
        found = []
        for _ in range(WINDOWS):
            start, taken = time.perf_counter(), 0
            while time.perf_counter() - start < SECONDS:
                trainer.take_step()
                taken += 1
            found.append((time.perf_counter() - start) / taken)
        each = statistics.median(found)
        batch, steps = cls.recipe.batch_size, cls.recipe.steps
        print(
            f"{name}: {each * 1e3:.1f} ms a step of {batch}, {batch / each:,.0f} images/s, {each * steps:.0f} s a run"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
