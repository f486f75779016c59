"""What one DualProp training step computes: attack, branches, loss, optimizers, schedule, EMA. Plain PyTorch on the CPU.

Random parts are left out: no shuffling, augmentation, dropout, drop-path or random start; `mixup` needs `lambda` and `pairing = "reverse"`.
The one augmentation that a config may name is cutout, which stands here for a policy: an augmented view is the mirrored image.
"""

import math
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from nets import Net, NetSpec, build, kind_of, load_weights

DOMAINS = ["main", "aux", "aux2", "aux3"]

DEFAULTS = {
    "run": dict(name="run", seed=0, epochs=10.0, steps=None, batch_size=64, accumulate=1, precision="f32", init="",
                checkpoint_steps=0),
    "data": dict(source="shapes", path="", image_size=32, shuffle=True, augment=["crop", "flip"], mean=[0.5] * 3,
                 std=[0.5] * 3, train_limit=0),
    "model": dict(arch="tf_efficientnet_b0", classes=0, stem_stride=2, width=1.0, depth=1.0, dropout=0.2,
                  drop_path=0.2, freeze=0, freeze_bn=True, bn_eval=False, lr_decay=1.0, checkpointing="auto"),
    "method": dict(kind="advprop", aux_weight=1.0, adversarial_epochs=None, adversarial_share=0.2, branch=[]),
    "attack": dict(kind="pgd", epsilon=1.0, step=1.0, iterations=None, random_start=True, target="none",
                   bn_stats="batch", loss="training", start_probability=1.0, through=None, decay=1.0),
    "mixup": {"alpha": 1.0, "lambda": None, "pairing": "random"},
    "schedule": dict(kind="exponential", warmup_epochs=5.0, decay_rate=None, decay_epochs=2.4,
                     milestones=[90, 180, 220]),
    "loss": dict(label_smoothing=0.1),
    "ema": dict(decay=0.9999, warmup=True),
    "eval": dict(every_epochs=1, attack="pgd:eps=4,step=1,iters=5", limit=0, best="top1",
                 patience=0),
}  # fmt: skip
OPTIMIZER = dict(kind="rmsprop", lr=0.016, decay_bias=False, decay_bn=False, nesterov=False, clip_norm=0.0)
OPTIMIZER_BY_KIND = {
    "rmsprop": dict(momentum=0.9, decay=0.9, eps=1e-3, weight_decay=1e-5),
    "sgd": dict(momentum=0.9, decay=0.9, eps=1e-3, weight_decay=5e-4),
    "adamw": dict(momentum=0.9, decay=0.999, eps=1e-8, weight_decay=0.05),
}


class Config:
    """A resolved DualProp configuration; each table is a dictionary attribute."""

    def __init__(self, tables: dict):
        tables = {name: dict(table) for name, table in tables.items()}
        tables["attack"] = tables.get("method", {}).pop("attack", {})
        tables["mixup"] = tables.get("method", {}).pop("mixup", {})
        kind = tables.get("optimizer", {}).get("kind", OPTIMIZER["kind"])
        defaults = DEFAULTS | {"optimizer": OPTIMIZER | OPTIMIZER_BY_KIND[kind]}
        for name, table in tables.items():
            unknown = set(table) - set(defaults.get(name, ()))
            if unknown:
                raise ValueError(f"unknown key {name}.{unknown.pop()}")
            setattr(self, name, defaults[name] | table)
        for name in set(defaults) - set(tables):
            setattr(self, name, dict(defaults[name]))
        if self.schedule["decay_rate"] is None:
            self.schedule["decay_rate"] = 0.1 if self.schedule["kind"] == "step" else 0.97

    @classmethod
    def read(cls, path) -> "Config":
        return cls(tomllib.loads(Path(path).read_text()))

    def check(self) -> None:
        """Refuses what has random parts or is not written here."""
        sources = {b["source"] for b in self.method["branch"]}
        uses_attack = "attack" in sources or self.method["kind"] not in ("vanilla", "mixup", "mixprop")
        uses_mixup = "mixup" in sources or self.method["kind"] in ("mixup", "mixprop")
        random_start = self.attack["random_start"] and self.attack["kind"] in ("pgd", "gd")
        for bad, what in [
            (self.method["kind"] not in METHODS, f"method.kind {self.method['kind']!r}"),
            (self.data["source"] != "folder", "a data.source other than folder"),
            (self.data["shuffle"], "data.shuffle"),
            (self.data["augment"] not in ([], ["cutout"]), "data.augment"),
            ("cutmix" in sources, "cutmix"),
            (self.method["kind"] == "fast_advprop" and self.run["accumulate"] > 1, "fast_advprop in micro-batches"),
            (self.model["dropout"] or self.model["drop_path"], "model.dropout or model.drop_path"),
            (uses_attack and random_start, "method.attack.random_start"),
            (uses_attack and self.attack["target"] != "none", "method.attack.target"),
            (uses_mixup and self.mixup["lambda"] is None, "method.mixup without lambda"),
            (uses_mixup and self.mixup["pairing"] != "reverse", "method.mixup.pairing other than reverse"),
            (self.run["batch_size"] % self.run["accumulate"], "run.accumulate that does not divide run.batch_size"),
        ]:
            if bad:
                raise ValueError(f"the reference does not do {what}")

    def domains(self) -> int:
        if self.method["branch"]:
            return 1 + max(DOMAINS.index(b.get("domain", "main")) for b in self.method["branch"])
        return {"advprop": 2, "mixprop": 2, "fast_advprop": 2, "advprop_fine_grained": 3}.get(self.method["kind"], 1)

    def net(self, classes: int, domains: int) -> Net:
        model = self.model
        return build(NetSpec(model["arch"], model["classes"] or classes, model["width"], model["depth"],
                             model["stem_stride"], domains))  # fmt: skip


# Data


def read_image(path, size: int) -> np.ndarray:
    image = np.array(Image.open(path).convert("RGB"))
    if image.shape[:2] != (size, size):
        raise ValueError(f"{path} is {image.shape[1]}x{image.shape[0]}; the reference does not resize to {size}x{size}")
    return image


def read_folder(split: Path, size: int):
    """Images [N,S,S,3] u8 and labels [N] of DIR/train or DIR/val, in sorted path order (bytewise)."""
    classes = sorted((p for p in split.iterdir() if p.is_dir()), key=lambda p: p.name.encode())
    images, labels = [], []
    for label, folder in enumerate(classes):
        for path in sorted(folder.iterdir(), key=lambda p: p.name.encode()):
            images.append(read_image(path, size))
            labels.append(label)
    return np.stack(images), np.array(labels), len(classes)


class Normalize:
    """Pixels [N,3,S,S] in 0..255 to the input of the net."""

    def __init__(self, data: dict, dtype):
        self.mean = torch.tensor(data["mean"], dtype=dtype)[:, None, None]
        self.std = torch.tensor(data["std"], dtype=dtype)[:, None, None]

    def __call__(self, pixels):
        return (pixels / 255 - self.mean) / self.std


def to_pixels(images: np.ndarray, dtype) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(dtype).contiguous()


# Loss and attack


def smooth_labels(labels, classes: int, smoothing: float, dtype):
    return (1 - smoothing) * F.one_hot(labels, classes).to(dtype) + smoothing / classes


def cross_entropy(logits, targets):
    """Mean over the images; `targets` are probabilities [N,K]."""
    return -(targets * F.log_softmax(logits, 1)).sum(1).mean()


def attack_iterations(attack: dict) -> int:
    if attack["kind"] == "fgsm":
        return 1
    if attack["iterations"] is not None:
        return attack["iterations"]
    return 1 if attack["epsilon"] <= 1 else math.floor(attack["epsilon"]) + 1


def attack_spec(attack: dict) -> str:
    if attack["kind"] == "fgsm":
        return f"fgsm:eps={attack['epsilon']:g}"
    decay = f",decay={attack['decay']:g}" if attack["kind"] == "mifgsm" else ""
    return f"{attack['kind']}:eps={attack['epsilon']:g},step={attack['step']:g},iters={attack_iterations(attack)}{decay}"


def parse_attack(spec: str) -> dict:
    """`pgd:eps=4,step=1,iters=5` as a method.attack table, without random start."""
    kind, _, rest = spec.partition(":")
    keys = {"eps": "epsilon", "step": "step", "iters": "iterations", "decay": "decay"}
    attack = DEFAULTS["attack"] | dict(kind=kind, random_start=False)
    for item in filter(None, rest.split(",")):
        key, _, value = item.partition("=")
        attack[keys[key]] = int(value) if key == "iters" else float(value)
    return attack


def make_adversarial(net: Net, pixels, targets, normalize, domain: int, attack: dict, observe=None):
    """The untargeted attack on `pixels` through `domain`. Running statistics and weight gradients stay as they are.

    `observe` is shown each gradient whose sign is taken.
    """
    epsilon = attack["epsilon"]
    step = epsilon if attack["kind"] == "fgsm" else attack["step"]
    bounded = attack["kind"] != "gd"
    segments, batch_stats = [(len(pixels), domain)], attack["bn_stats"] == "batch"
    x, momentum = pixels.clone(), torch.zeros_like(pixels)
    for _ in range(attack_iterations(attack)):
        x.requires_grad_(True)
        loss = cross_entropy(net(normalize(x), segments, training=batch_stats), targets)
        (gradient,) = torch.autograd.grad(loss, x)
        if attack["kind"] == "mifgsm":
            mean = gradient.abs().mean(dim=(1, 2, 3), keepdim=True)
            momentum = attack["decay"] * momentum + torch.where(mean > 0, gradient / mean, 0.0)
            gradient = momentum
        if observe:
            observe(gradient)
        x = x.detach() + step * gradient.sign()
        if bounded:
            x = torch.minimum(torch.maximum(x, pixels - epsilon), pixels + epsilon)
        x = x.clamp(0, 255)
    return x


# Methods as branches


@dataclass
class Branch:
    domain: int
    pixels: torch.Tensor
    targets: torch.Tensor
    weight: float = 1.0
    attack: str | None = None


METHODS = ["vanilla", "adversarial", "adversarial_mix", "advprop", "mixup", "mixprop", "adversarial_finetune",
           "advprop_fine_grained", "fast_advprop"]  # fmt: skip


def make_branches(net: Net, pixels, labels, normalize, config: Config, kind: str, observe=None) -> list:
    """The branches of one micro-batch, for a method that is nothing but branches."""
    classes, dtype = net.spec.classes, pixels.dtype
    smoothing, aux_weight = config.loss["label_smoothing"], config.method["aux_weight"]
    targets = smooth_labels(labels, classes, smoothing, dtype)
    clean = Branch(0, pixels, targets)

    def adversarial(domain, weight, part=slice(None)):
        smooth = smoothing if config.attack["loss"] == "training" else 0.0
        aim = smooth_labels(labels[part], classes, smooth, dtype)
        through = DOMAINS.index(config.attack["through"]) if config.attack["through"] else domain
        adv = make_adversarial(net, pixels[part], aim, normalize, through, config.attack, observe)
        return Branch(domain, adv, targets[part], weight, attack_spec(config.attack))

    def mixed(part):
        # Image i of the part with image n-1-i of the whole batch.
        lam, partner = config.mixup["lambda"], torch.arange(len(pixels) - 1, -1, -1)[part]
        out = []
        for values in (pixels, targets):
            mix = values.clone()
            mix[part] = lam * values[part] + (1 - lam) * values[partner]
            out.append(mix)
        return out

    def listed():
        """A user's list; shares below 1 follow each other through the batch."""
        start = 0
        for table in config.method["branch"]:
            table = dict(source="clean", domain="main", weight=1.0, share=1.0) | table
            part = slice(0, len(pixels))
            if table["share"] < 1:
                count = max(1, round(table["share"] * len(pixels)))
                start = 0 if start + count > len(pixels) else start
                part = slice(start, start + count)
                start += count
            domain, weight = DOMAINS.index(table["domain"]), table["weight"]
            match table["source"]:
                case "clean":
                    yield Branch(domain, pixels[part], targets[part], weight)
                case "augmented":
                    yield Branch(domain, pixels[part].flip(3), targets[part], weight)
                case "attack":
                    yield adversarial(domain, weight, part)
                case "mixup":
                    yield Branch(domain, *(values[part] for values in mixed(part)), weight)

    if config.method["branch"]:
        return sorted(listed(), key=lambda b: b.domain)

    if kind == "vanilla":
        return [clean]
    if kind == "adversarial":
        return [adversarial(0, 1.0)]
    if kind == "adversarial_mix":
        return [clean, adversarial(0, aux_weight)]
    if kind == "advprop":
        return [clean, adversarial(1, aux_weight)]
    if kind == "mixup":
        return [Branch(0, *mixed(slice(0, len(pixels) // 2)))]
    if kind == "advprop_fine_grained":
        return [clean, adversarial(1, aux_weight), Branch(2, pixels.flip(3), targets, aux_weight)]
    assert kind == "mixprop"
    return [clean, Branch(1, *mixed(slice(0, len(pixels))), aux_weight)]


def fast_gradients(net: Net, pixels, labels, normalize, config: Config, observe) -> tuple:
    """Fast AdvProp's whole step up to the gradients: the losses are sums, the pass that attacks trains too, noisy and adversarial images
    count half, and every parameter's gradient is divided by the images that it saw. Returns the branches with their mean losses."""
    classes, smoothing, attack = net.spec.classes, config.loss["label_smoothing"], config.attack
    attacked = max(1, round(config.method["adversarial_share"] * len(pixels)))
    clean = len(pixels) - attacked
    targets = smooth_labels(labels, classes, smoothing, pixels.dtype)
    x = pixels[clean:].clone().requires_grad_(True)
    smooth = smoothing if attack["loss"] == "training" else 0.0
    aim = smooth_labels(labels[clean:], classes, smooth, pixels.dtype)
    logits = net(normalize(x), [(attacked, 1)], training=True, update=True)
    (0.5 * attacked * cross_entropy(logits, aim)).backward()
    observe(x.grad)
    length = attack["epsilon"] if attack["kind"] == "fgsm" else attack["step"]
    moved = x.detach() + length * x.grad.sign()
    if attack["kind"] != "gd":
        ball = pixels[clean:]
        moved = torch.minimum(torch.maximum(moved, ball - attack["epsilon"]), ball + attack["epsilon"])
    branches = [
        Branch(0, pixels[:clean], targets[:clean]),
        Branch(1, moved.clamp(0, 255), targets[clean:], 0.5, attack_spec(attack)),
    ]
    losses = branch_losses(net, branches, normalize)
    sum(b.weight * len(b.pixels) * loss for b, loss in zip(branches, losses)).backward()
    kinds = kind_of(net)
    for name, parameter in net.named_parameters():
        if not parameter.requires_grad:
            continue
        seen = len(pixels)
        if kinds[name] == "bn":
            seen = attacked if ".aux_bn." in name else clean
        parameter.grad /= seen
    return branches, losses


def branch_losses(net: Net, branches: list, normalize) -> list:
    """One training forward pass; branches of one domain share a batch and its statistics."""
    order = sorted(range(len(branches)), key=lambda i: branches[i].domain)
    segments = [(sum(len(b.pixels) for b in branches if b.domain == d), d) for d in sorted({b.domain for b in branches})]
    x = normalize(torch.cat([branches[i].pixels for i in order]))
    logits = net(x, segments, training=True, update=True).split([len(branches[i].pixels) for i in order])
    losses = [None] * len(branches)
    for i, part in zip(order, logits):
        losses[i] = cross_entropy(part, branches[i].targets)
    return losses


# Optimizers


class Optimizer:
    def __init__(self, net: Net, table: dict, lr_decay: float = 1.0):
        self.table, self.kinds = table, kind_of(net)
        self.parameters = {n: p for n, p in net.named_parameters() if p.requires_grad}
        self.rates = {n: lr_decay ** (net.stages - 1 - net.stage(n)) for n in self.parameters}
        self.count = 0
        self.first = {n: torch.zeros_like(p) for n, p in self.parameters.items()}
        start = torch.ones_like if table["kind"] == "rmsprop" else torch.zeros_like
        self.second = {n: start(p) for n, p in self.parameters.items()}

    def weight_decay(self, name: str) -> float:
        kind, table = self.kinds[name], self.table
        skipped = (kind == "bias" and not table["decay_bias"]) or (kind == "bn" and not table["decay_bn"])
        return 0.0 if skipped else table["weight_decay"]

    @torch.no_grad()
    def step(self, lr: float) -> None:
        table = self.table
        self.count += 1
        gradients = {n: p.grad.clone() for n, p in self.parameters.items() if p.grad is not None}
        if table["clip_norm"] > 0:
            norm = torch.sqrt(sum((g**2).sum() for g in gradients.values()))
            scale = min(1.0, table["clip_norm"] / (float(norm) + 1e-6))
            gradients = {n: g * scale for n, g in gradients.items()}
        for name, g in gradients.items():
            update = getattr(self, table["kind"])
            rate = lr * self.rates[name]
            update(self.parameters[name], g, self.first[name], self.second[name], rate, self.weight_decay(name))

    def sgd(self, w, g, buf, _, lr, decay):
        g += decay * w
        if self.count == 1:
            buf.copy_(g)
        else:
            buf.mul_(self.table["momentum"]).add_(g)
        w -= lr * (g + self.table["momentum"] * buf if self.table["nesterov"] else buf)

    def rmsprop(self, w, g, mom, ms, lr, decay):
        g += decay * w
        ms += (1 - self.table["decay"]) * (g**2 - ms)
        mom.mul_(self.table["momentum"]).add_(lr * g / torch.sqrt(ms + self.table["eps"]))
        w -= mom

    def adamw(self, w, g, m, v, lr, decay):
        beta1, beta2 = self.table["momentum"], self.table["decay"]
        w *= 1 - lr * decay
        m += (1 - beta1) * (g - m)
        v += (1 - beta2) * (g**2 - v)
        root = torch.sqrt(v / (1 - beta2**self.count))
        w -= lr * (m / (1 - beta1**self.count)) / (root + self.table["eps"])


def learning_rate(step: int, base: float, schedule: dict, steps_per_epoch: int, total: int) -> float:
    """`step` counts from 0; every rule counts from there, warm-up included."""
    warmup = schedule["warmup_epochs"] * steps_per_epoch
    if step < warmup:
        return base * step / warmup
    epoch, rate = step / steps_per_epoch, schedule["decay_rate"]
    match schedule["kind"]:
        case "exponential":
            return base * rate ** math.floor(epoch / schedule["decay_epochs"])
        case "step":
            return base * rate ** sum(m <= math.floor(epoch) for m in schedule["milestones"])
        case "cosine":
            return base * 0.5 * (1 + math.cos(math.pi * step / total))
        case "constant":
            return base
    raise ValueError(f"unknown schedule.kind {schedule['kind']!r}")


def ema_decay(step: int, table: dict) -> float:
    return min(table["decay"], (1 + step) / (10 + step)) if table["warmup"] else table["decay"]


# The loop


class Trainer:
    def __init__(self, config: Config, images: np.ndarray, labels: np.ndarray, classes: int, weights: dict, dtype):
        config.check()
        limit = config.data["train_limit"] or len(images)
        self.config, self.dtype = config, dtype
        self.images, self.labels = images[:limit], torch.from_numpy(np.asarray(labels[:limit], dtype=np.int64))
        self.net = config.net(classes, config.domains()).to(dtype)
        load_weights(self.net, weights)
        self.normalize = Normalize(config.data, dtype)
        self.net.freeze(config.model["freeze"], config.model["freeze_bn"], config.model["bn_eval"])
        self.optimizer = Optimizer(self.net, config.optimizer, config.model["lr_decay"])
        self.steps_per_epoch = len(self.images) // config.run["batch_size"]
        if self.steps_per_epoch == 0:
            raise ValueError("the training set is smaller than run.batch_size")
        self.total = config.run["steps"] or round(config.run["epochs"] * self.steps_per_epoch)
        self.ema = {n: t.clone() for n, t in self.net.state_dict().items()} if config.ema["decay"] > 0 else None
        self.largest_gradient = {n: 0.0 for n in self.optimizer.parameters}
        self.margin = math.inf

    def observe(self, gradient) -> None:
        """Keeps how near to zero an attack's gradient came, over its root mean square: there float32 may flip the sign."""
        size = gradient.abs()
        nearest = size[size > 0].min() / gradient.square().mean().sqrt()
        self.margin = min(self.margin, nearest.item())

    def step(self, index: int) -> list:
        """Update number `index` (from 0); one record a branch, as metrics.jsonl has them."""
        run = self.config.run
        start = index % self.steps_per_epoch * run["batch_size"]
        micro, lr = run["batch_size"] // run["accumulate"], self.rate(index)
        self.net.zero_grad(set_to_none=True)
        sums, branches = None, None
        kind = self.kind_at(index)
        for first in range(start, start + run["batch_size"], micro):
            part = slice(first, first + micro)
            pixels = to_pixels(self.images[part], self.dtype)
            facts = (self.net, pixels, self.labels[part], self.normalize, self.config)
            if kind == "fast_advprop":
                branches, losses = fast_gradients(*facts, self.observe)
            else:
                branches = make_branches(*facts, kind, self.observe)
                losses = branch_losses(self.net, branches, self.normalize)
                total = sum(b.weight * loss for b, loss in zip(branches, losses))
                (total / run["accumulate"]).backward()
            values = [loss.item() / run["accumulate"] for loss in losses]
            sums = values if sums is None else [a + b for a, b in zip(sums, values)]
        for name, parameter in self.optimizer.parameters.items():
            peak = parameter.grad.abs().max().item()
            self.largest_gradient[name] = max(self.largest_gradient[name], peak)
        self.optimizer.step(lr)
        self.average(index)
        return [
            dict(step=index + 1, epoch=(index + 1) / self.steps_per_epoch, split="train", domain=DOMAINS[b.domain],
                 attack=b.attack, loss=value, lr=lr)
            for b, value in zip(branches, sums)
        ]  # fmt: skip

    def kind_at(self, index: int) -> str:
        """Fine-tuning is adversarial training, then plain training."""
        method = self.config.method
        if method["kind"] != "adversarial_finetune" or method["branch"]:
            return method["kind"]
        epochs = method["adversarial_epochs"]
        turn = self.total // 2 if epochs is None else round(epochs * self.steps_per_epoch)
        return "adversarial" if index < turn else "vanilla"

    def rate(self, index: int) -> float:
        config = self.config
        return learning_rate(index, config.optimizer["lr"], config.schedule, self.steps_per_epoch, self.total)

    @torch.no_grad()
    def average(self, index: int) -> None:
        if self.ema is not None:
            decay = ema_decay(index, self.config.ema)
            for name, value in self.net.state_dict().items():
                self.ema[name].mul_(decay).add_((1 - decay) * value)

    def run(self) -> list:
        return [record for index in range(self.total) for record in self.step(index)]

    def state(self) -> dict:
        """Weights and running statistics under checkpoint names, the EMA as `ema.NAME`."""
        state = {n: t.detach().clone() for n, t in self.net.state_dict().items()}
        if self.ema is not None:
            state |= {f"ema.{n}": t.clone() for n, t in self.ema.items()}
        return state
