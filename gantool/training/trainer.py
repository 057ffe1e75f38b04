"""Plays a variant's turns. All that is the same for every GAN is here, once."""

import gc
import math
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from inspect import Parameter, signature
from pathlib import Path
from statistics import fmean
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from gantool.config.options import Recipe, grid_shape
from gantool.data.batches import Batches
from gantool.data.images import Data, as_bytes
from gantool.errors import UserError
from gantool.runtime import device as devices
from gantool.runtime import distributed, torchrun
from gantool.training.ema import EMA
from gantool.variant import Batch, Turn, Variant
from gantool.viz.rows import Sheet

MEASURED = 5  # steps before a line of the log, at least, that a variant measures for that alone
OFTEN = 20  # times that the end of a run given minutes is reckoned anew
CLOSING = 1.0  # seconds kept for the end of a run given minutes, besides twice the longest pause between steps
NEAR = 0.01  # of a run: an end that is off by less stays where it is
PREVIEW_SEED = 0  # the same noise at every preview of every run


class Diverged(UserError):
    """A loss or a weight is no longer a number."""


class Skipped(BaseException):
    """Breaks off what a run can do without."""


class Events(Protocol):
    """Who is told of a run's progress: see hookspecs."""

    def gantool_train_start(self, *, trainer: "Trainer") -> Any: ...
    def gantool_train_step(self, *, trainer: "Trainer") -> Any: ...
    def gantool_train_end(self, *, trainer: "Trainer") -> Any: ...


class Trainer:
    """One training: `step` done of `steps`, the state to save, and the loop that tells observers."""

    def __init__(self, variant: Variant, recipe: Recipe, data: Data, device: torch.device) -> None:
        self.variant, self.recipe, self.device = variant, recipe, device
        self.data, share = data.to(device), distributed.share()
        variant.batch_size = recipe.batch_size // share.among
        self.batches = Batches(self.data, recipe.batch_size, recipe.seed, device, share=share)
        if share.among > 1:
            distributed.share_norms(variant)
        self.ema = EMA(variant, variant.ema, recipe.ema_images)
        self.players = variant.players()
        self.closed = {name for name, optimizer in self.players.items() if wants_closure(optimizer)}
        self.owned = {name: [p for g in o.param_groups for p in g["params"]] for name, o in self.players.items()}
        self.rates = {name: [g["lr"] for g in o.param_groups] for name, o in self.players.items()}
        self.cast = devices.cast(recipe.precision, device)
        self.step, self.steps = 0, recipe.steps or 0
        self.began, self.first = time.monotonic(), 0  # when this process set out, and from which step
        self.window: list[dict[str, Tensor]] = []  # what was measured since the last line of the log; on the device
        self.metrics: dict[str, float] = {}
        self.logged = False  # whether `metrics` is new at this step
        self.grid_image: NDArray[np.uint8] | None = None  # the newest grid
        self.folder: Path | None = None  # of the run, and what it is called
        self.run_name = ""
        self.stop = ""  # set, by a signal or the clock, to end after the step in hand
        self.skippable = False  # now at what a run can do without
        self.ending = ""  # done, interrupted, or failed
        self.deadline = math.inf  # by time.monotonic(); before it, a run that was given minutes is to be done
        self.timed = False  # whether any process has such a deadline
        self.ends: dict[int, int] = {}  # after which steps the end is to be moved, and to where, as before a stop
        self.moved = False  # whether it was, after this step
        self.pause = 0.0  # seconds, the longest that drawing and saving between two steps has taken
        self.reckoned = (self.began, 0)  # when that was last thought about, and at which step
        variant.train()

    # A step.

    def take_step(self) -> None:
        """One step of the variant's algorithm. Nothing here waits for the device."""
        variant = self.variant
        terms: dict[str, Tensor] = {}
        progress = min(1.0, self.step / self.steps) if self.steps else 0.0
        measuring = len(self.window) % max(1, self.recipe.log_every // MEASURED) == 0
        # A module's own way to set them is slow.
        vars(variant).update(step=self.step, progress=progress, logged={}, measuring=measuring)
        factor = variant.schedule()
        for name, optimizer in self.players.items():
            for group, rate in zip(optimizer.param_groups, self.rates[name], strict=True):
                group["lr"] = rate * factor
        turns = variant.turns(self.batches)
        while (turn := self.next_turn(turns)) is not None:
            terms |= self.play(turn)
        self.step += 1
        self.ema.update(self.step, self.recipe.batch_size)
        late = {name: value for name, value in variant.logged.items() if name not in terms}  # after the last turn
        terms |= dict(zip(late, distributed.mean(list(late.values())), strict=True))
        self.window.append(terms)

    def next_turn(self, turns: Iterator[Turn]) -> Turn | None:
        with self.cast():
            return next(turns, None)

    def play(self, turn: Turn) -> dict[str, Tensor]:
        """One optimiser step for one player: gradients are taken for what it owns and nothing else.

        What was minimised and logged on the way is averaged over the processes, in the gradients' message.
        """
        optimizer, owned, logged = self.players[turn.player], self.owned[turn.player], self.variant.logged
        before = dict(logged)

        def descend() -> Tensor:
            with self.cast():
                loss = turn.loss(turn.batch)
            named = loss if isinstance(loss, Mapping) else {"loss": loss}
            terms = {
                f"{turn.player}/{name}": t if isinstance(t, Tensor) else torch.tensor(t, device=self.device)
                for name, t in named.items()
            }
            total = reduce(torch.add, (term.float() for term in terms.values()))
            if not total.requires_grad:
                raise ValueError(f"{turn.player}'s loss does not depend on any weight: it is a constant, or detached")
            grads = torch.autograd.grad(total, owned, allow_unused=True)
            there = [grad for grad in grads if grad is not None]
            said = {name: value for name, value in self.variant.logged.items() if value is not before.get(name)}
            said |= {name: term.detach() for name, term in terms.items()}
            shared = distributed.mean([*there, *said.values()])
            found = iter(shared)
            for weight, grad in zip(owned, grads, strict=True):
                weight.grad = None if grad is None else laid_out(next(found), weight)
            self.variant.logged.update(zip(said, found, strict=True))
            self.variant.before_step(turn.player, owned)
            return total.detach()

        if turn.player in self.closed:
            optimizer.step(descend)  # type: ignore[arg-type]  # torch says float and takes tensors
        else:
            descend()
            optimizer.step()
        return {name: value for name, value in self.variant.logged.items() if value is not before.get(name)}

    # The loop.

    def run(self, events: Events) -> None:
        """Train to the last step, or until told to stop; observers see every step and the end."""
        self.began, self.first = time.monotonic(), self.step
        self.reckoned = (self.began, self.step)
        gc.freeze()  # a sweep of all that importing torch has left takes a tenth of a second
        try:
            events.gantool_train_start(trainer=self)
            stop = distributed.all_reduced(self.stop)
            while self.step < self.steps and not stop:
                self.take_step()
                self.move_end()
                self.logged = self.moved or self.step % self.recipe.log_every == 0 or self.step == self.steps
                if self.logged:
                    self.read_window()
                before = time.monotonic()
                events.gantool_train_step(trainer=self)
                self.pause = max(self.pause, time.monotonic() - before)
                stop = distributed.all_reduced(self.stop)
            self.ending = "done" if self.step >= self.steps else stop
        except BaseException:
            self.ending = "failed"
            raise
        finally:
            gc.unfreeze()
            self.batches.close()
            events.gantool_train_end(trainer=self)

    def move_end(self) -> None:
        """Let a run that was given minutes be done in time, however fast the machine turns out to be.

        Where the end was moved, and when, is in the log, so that a resumed run moves it there, too.
        """
        end = self.ends.get(self.step, self.steps)
        if self.timed:
            end = int(distributed.broadcast(self.reckon() if torchrun.first() else 0))
        self.moved, self.steps = end != self.steps, end

    def reckon(self) -> int:
        """The step at which this process' time is up, at the pace since this was last reckoned."""
        now, (then, step) = time.monotonic(), self.reckoned
        each = (now - then) / max(self.step - step, 1)
        left = self.deadline - CLOSING - 2 * self.pause - now  # a save, a grid and a film are to come
        if left < each / 2:
            return self.step
        late = now - then > (self.deadline - self.began) / OFTEN and self.step % self.recipe.log_every == 0
        if not late and self.step < self.steps:
            return self.steps
        self.reckoned = (now, self.step)
        end = self.step + max(1, round(left / max(each, 1e-9)))
        return self.steps if abs(end - self.steps) < NEAR * self.steps and self.step < self.steps else end

    def interrupt(self) -> None:
        """Called by a signal, at any moment."""
        self.stop = distributed.INTERRUPTED
        if self.skippable:
            raise Skipped

    @property
    def seconds(self) -> float:
        """That this process has trained; `rate` and `left` are reckoned from them."""
        return time.monotonic() - self.began

    @property
    def rate(self) -> float:
        """Images a second."""
        return (self.step - self.first) * self.recipe.batch_size / max(self.seconds, 1e-9)

    @property
    def left(self) -> float:
        """Seconds to the last step, at this rate."""
        return (self.steps - self.step) * self.recipe.batch_size / self.rate if self.rate else 0.0

    def read_window(self) -> None:
        """Means since the last log; this waits for the device. Raises if a number is none."""
        found: dict[str, list[float]] = defaultdict(list)
        for name, number in self.check_losses():
            found[name].append(number)
        self.metrics = {name: fmean(numbers) for name, numbers in sorted(found.items())}
        self.window = []

    def check_losses(self) -> list[tuple[str, float]]:
        """All that was measured since the last log, by name."""
        first = self.step - len(self.window) + 1
        named = [
            (first + i, name, t.to(self.device, torch.float32))
            for i, terms in enumerate(self.window)
            for name, t in terms.items()
        ]
        numbers = torch.stack([t for _, _, t in named]).tolist() if named else []
        for (step, name, _), number in zip(named, numbers, strict=True):
            if not math.isfinite(number):
                raise Diverged(
                    f"{name} became {number} at step {step}; training stopped.",
                    f"Try a lower --lr than {self.variant.options.lr:g}, or --precision fp32.",
                )
        return [(name, number) for (_, name, _), number in zip(named, numbers, strict=True)]

    def check_weights(self) -> None:
        """Called before anything is saved: what is not a number must never replace what was."""
        self.check_losses()
        state = self.state()
        kept = {part: state[part] for part in ("ema", "optimizers")}
        for name, tensor in tensors(state["networks"] | kept):
            # 0 times NaN or infinity is NaN, and so is the sum; isfinite on each takes seven times as long.
            if tensor.is_floating_point() and (tensor * 0).sum() != 0:
                raise Diverged(
                    f"{name} is no longer finite at step {self.step}; training stopped.", "Try a lower --lr."
                )

    # Images.

    @contextmanager
    def sampling(self) -> Iterator[Variant]:
        """The variant as it samples: EMA networks, not learning, and without moving the training's random states."""
        states = devices.random_states(self.device)
        try:
            with torch.inference_mode(), self.ema.swapped(), distributed.local():
                devices.seed_all(PREVIEW_SEED)
                yield self.variant
        finally:
            devices.restore_random(states, self.device)

    def preview(self) -> Sheet:
        """Its images as bytes: the same noise each time."""
        with self.sampling() as variant:
            found = variant.preview(self.first_batch())
            shown = found if isinstance(found, Sheet) else Sheet(found)
            samples = shown.images
            table = samples.shape[: samples.ndim - 3] if samples.ndim == 5 else (-1,)
            images = as_bytes(variant.image(samples.flatten(0, len(table) - 1)))
            return shown._replace(images=images.view(*table, *images.shape[1:]))

    def first_batch(self) -> Batch:
        """The same real examples at every preview, as many as a grid holds."""
        columns, rows = grid_shape(self.recipe.grid)
        return Batches(self.data, columns * rows, self.recipe.seed, self.device).first()

    # State.

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        self.ema.gather()
        return {
            "step": self.step,
            "steps": self.steps,
            "drawn": self.batches.drawn,
            "networks": self.variant.state_dict(),
            "ema": self.ema.copies.state_dict(),
            "shown": {name: list(shown) for name, shown in self.ema.shown.items()},
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.players.items()},
            "random": devices.random_states(self.device),
            "window": self.window,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.variant.load_state_dict(state["networks"])
        self.ema.copies.load_state_dict(state["ema"])
        self.ema.shown = {name: deque(state.get("shown", {}).get(name, ())) for name in self.ema.shown}
        self.ema.stale = False
        for name, optimizer in self.players.items():
            restore_optimizer(optimizer, state["optimizers"][name])
        devices.restore_random(state["random"], self.device)
        self.window = [{k: v.to(self.device) for k, v in terms.items()} for terms in state["window"]]
        self.step, self.steps = state["step"], state.get("steps", self.steps)
        self.batches.rewind(state["drawn"])


def wants_closure(optimizer: Optimizer) -> bool:
    """Whether its step evaluates the loss itself, as L-BFGS does."""
    return signature(optimizer.step).parameters["closure"].default is Parameter.empty


def laid_out(grad: Tensor, weight: Tensor) -> Tensor:
    """In memory as its weight: fused optimisers pair numbers by place, and a penalty's come in another order."""
    return grad if grad.stride() == weight.stride() else torch.empty_like(weight).copy_(grad)


def tensors(tree: Any, name: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a state, and where it is."""
    if isinstance(tree, Tensor):
        yield name, tree
    elif isinstance(tree, dict | list | tuple):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from tensors(value, f"{name}.{key}".lstrip("."))


def restore_optimizer(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Its numbers from the state, its switches as the settings have them."""
    switches = [{k: v for k, v in g.items() if isinstance(v, bool | None)} for g in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, mine in zip(optimizer.param_groups, switches, strict=True):
        group |= mine
        for weight in group["params"] if group.get("fused") else ():
            # Fused kernels write as many numbers as there are weights, past the end of anything shorter.
            slots = optimizer.state.get(weight, {}).items()
            if any(t.shape != (() if key == "step" else weight.shape) for key, t in slots):
                raise ValueError("an optimizer's numbers are not those of its weights")
