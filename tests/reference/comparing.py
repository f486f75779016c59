"""How two runs from one start are compared, and how a start is chosen that says something.

A sign attack is chaotic: one gradient within rounding of zero flips a pixel's step, and the runs part. So starts are searched on which
the attack's gradients stay away from zero (`Trainer.margin`).
"""

import numpy as np
import torch

from training import Trainer

NULL_GRADIENT = 1e-12  # a float64 gradient below this is rounding around zero
NULL_CHANGE = 1e-7  # what float32 rounding alone could move


def relative(a, b) -> float:
    return ((a - b).norm() / b.norm().clamp_min(1e-300)).item()


def flat(tensors: dict, names) -> torch.Tensor:
    return torch.cat([tensors[n].flatten() for n in names])


class Run:
    """One training run: `losses` [steps, branches] and `change` (final minus start) of every tensor, `ema.NAME` too."""

    def __init__(self, config, images, labels, classes: int, weights: dict, dtype):
        self.trainer = Trainer(config, images, labels, classes, weights, dtype)
        start = {n: t.double() for n, t in self.trainer.net.state_dict().items()}
        start = {n: t.clone() for n, t in start.items()}
        self.records = self.trainer.run()
        self.losses = loss_table(self.records)
        state = self.trainer.state()
        self.change = {n: t.double() - start[n.removeprefix("ema.")] for n, t in state.items()}
        self.margin = self.trainer.margin


def loss_table(records: list) -> torch.Tensor:
    steps = len({r["step"] for r in records})
    return torch.tensor([r["loss"] for r in records], dtype=torch.float64).view(steps, -1)


class Comparison:
    """Relative differences from the float64 run: losses (worst), weight change and running statistics (L2 over all), worst tensor."""

    def __init__(self, losses, change: dict, exact: Run, excluded):
        names = [n for n in exact.change if n not in excluded]
        weights = [n for n in names if "running_" not in n]
        statistics = [n for n in names if "running_" in n]
        self.loss = ((losses - exact.losses).abs() / exact.losses.abs()).max().item()
        self.change = relative(flat(change, weights), flat(exact.change, weights))
        self.statistics = relative(flat(change, statistics), flat(exact.change, statistics))
        each = {n: relative(change[n], exact.change[n]) for n in weights if exact.change[n].norm() > 0}
        self.worst_tensor = max(each, key=each.get)
        self.worst = each[self.worst_tensor]

    def __str__(self) -> str:
        return (f"losses {self.loss:.1e}, weight change {self.change:.1e}, running statistics {self.statistics:.1e},"
                f" worst tensor {self.worst_tensor} {self.worst:.1e}")  # fmt: skip


def without_direction(config, images, labels, classes: int, weights: dict, exact: Run) -> list:
    """Tensors whose change is rounding noise: no comparison can ask for them.

    A BN bias that only feeds 1x1 convolutions with BN has gradient zero. AdamW makes full steps of the rounding noise there, and
    the running means behind such a bias follow it; other optimizers leave it where it is, but for weight decay.
    """
    null = [n for n, g in exact.trainer.largest_gradient.items() if g < NULL_GRADIENT]
    if config.optimizer["kind"] == "adamw":
        moved = {n: t + 0.01 * torch.arange(1, 1 + len(t)) if n in null else t.double() for n, t in weights.items()}
        other = Run(config, images, labels, classes, moved, torch.float64).change
        null += [n for n in other if n not in null and relative(other[n], exact.change[n]) > 1e-6]
    else:
        null = [n for n in null if exact.change[n].abs().max() < NULL_CHANGE]
    return null + [f"ema.{n}" for n in null if f"ema.{n}" in exact.change]


def nudged(weights: dict, size: float, seed: int) -> dict:
    """Every weight moved by about `size` of itself."""
    rng = np.random.default_rng(seed)
    return {n: t * (1 + size * torch.from_numpy(rng.normal(0, 1, tuple(t.shape)))) for n, t in weights.items()}


def widest_margin(config, classes: int, weights: dict, seeds, image_set) -> int:
    """The seed whose attack gradients stay farthest from zero; a run ends where it falls behind the best so far."""
    best, margin = seeds[0], 0.0
    for seed in seeds:
        trainer = Trainer(config, *image_set(seed), classes, weights, torch.float64)
        for index in range(trainer.total):
            trainer.step(index)
            if trainer.margin <= margin:
                break
        else:
            best, margin = seed, trainer.margin
            if margin == float("inf"):
                break
    return best


# Relative, on every weight: moves an attack's gradient about twice as far as float32 arithmetic does.
NUDGE = 2e-7


class Choice:
    """Images on which the run from a start means something: the float64 run, and how far float32 and moved starts are from it."""

    def __init__(self, config, classes: int, weights: dict, seed: int, image_set, nudges: int):
        images, labels = image_set(seed)
        data = (config, images, labels, classes)
        self.seed, self.images, self.labels = seed, images, labels
        self.exact = Run(*data, weights, torch.float64)
        self.excluded = without_direction(*data, weights, self.exact)

        def compare(start, dtype) -> Comparison:
            run = Run(*data, start, dtype)
            return Comparison(run.losses, run.change, self.exact, self.excluded)

        self.float32 = compare(weights, torch.float32)
        moved = [compare(nudged(weights, NUDGE, 7 + k), torch.float64) for k in range(nudges)]
        self.moved = max(moved, key=lambda c: c.change)

    def within(self, loss: float, change: float) -> bool:
        return all(c.loss < loss and c.change < change for c in (self.float32, self.moved))


def choose_images(config, classes, weights, image_set, seeds: range, rounds: int, nudges: int, loss: float, change: float) -> Choice:
    """Up to `rounds` times the best of as many seeds as `seeds` holds, until float32 stays within `loss` and `change`; the last try otherwise."""
    for attempt in range(rounds):
        block = range(seeds.start + attempt * len(seeds), seeds.stop + attempt * len(seeds))
        seed = widest_margin(config, classes, weights, block, image_set)
        choice = Choice(config, classes, weights, seed, image_set, nudges)
        if choice.within(loss, change):
            break
    return choice
