#!/usr/bin/env python3
"""Makes tests/fixtures: weights, whole-net numbers, ten training steps a case, small vectors. Formats: tests/fixtures/README.md.

    make_fixtures.py [--only TEXT]     TEXT: only files whose name contains it (weights and images are always the same)

Sign attacks and ReLUs make training chaotic: one gradient within rounding of zero flips a pixel's step, and the runs part. So each
training case takes the images on which the attack's gradients stay farthest from zero, and these must give the same ten steps in
float32 and from starts moved by rounding. The differences measured there go into the file; without such images the script fails.
"""

import argparse
import copy
import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import training
from cases import CASES, LAYOUTS, NETS, merge, to_toml
from comparing import NULL_GRADIENT, choose_images, relative
from nets import class_map, load_weights, main_name
from starts import random_images, random_weights, sorted_labels

ROOT = Path(__file__).resolve().parent.parent / "fixtures"
CLASSES = 5
SEEDS, ROUNDS = 60, 12  # image sets tried at once, and how often
LARGEST_GRADIENT = 8192  # elements of a gradient that is kept
LOSS_LIMIT, CHANGE_LIMIT = 1e-5, 1e-3  # worst difference from float64 that a case may have


def as_f32(tensors: dict) -> dict:
    out = {}
    for name, value in tensors.items():
        value = torch.as_tensor(value)
        if value.dtype == torch.float64:
            value = value.float()
        elif value.dtype == torch.int64:
            value = value.to(torch.int32)
        out[name] = value.contiguous()
    return out


def write(path: Path, tensors: dict, metadata: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()}
    save_file(as_f32(tensors), path, metadata)
    path.chmod(0o644)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes", flush=True)


# Weights


def start_net(name: str, config: training.Config | None = None, dtype=torch.float64, domains: int = 3):
    """A net of NETS[name] with its committed start weights."""
    config = config or training.Config(merge(LAYOUTS[name]))
    net = config.net(CLASSES, domains).to(dtype)
    load_weights(net, start_weights(name))
    return net


def start_weights(name: str, cache: dict = {}) -> dict:
    if name not in cache:
        config = training.Config(merge(LAYOUTS[name]))
        net = config.net(CLASSES, 3).double()
        random_weights(net, NETS[name]["seed"], random_images(99, 32, 24), config.data)
        cache[name] = {n: t.float() for n, t in net.state_dict().items()}
    return cache[name]


# Whole nets


def net_fixture(case: str, table: dict) -> None:
    name, size, segments = table["net"], table["size"], table["segments"]
    kept = tuple(NETS[name]["kept"]) if table["only_kept"] else ""
    config = training.Config(merge(LAYOUTS[name], table["config"]))
    smoothing, count = config.loss["label_smoothing"], sum(n for n, _ in segments)
    images, labels = random_images(table["seed"], count, size), np.arange(count) % CLASSES
    results = {}
    for dtype in (torch.float64, torch.float32):
        net = start_net(name, config, dtype)
        normalize, pixels = training.Normalize(config.data, dtype), training.to_pixels(images, dtype)
        out = {}
        with torch.no_grad():
            for index, domain in enumerate(training.DOMAINS[:3]):
                out[f"logits.{domain}"] = net(normalize(pixels), [(count, index)])
        for index, domain in enumerate(training.DOMAINS[:2]):
            x = normalize(pixels[:1])
            out[f"cam.{domain}"] = class_map(net, x, index, 1, grad=False).detach()
            out[f"gradcam.{domain}"] = class_map(net, x, index, 1, grad=True).detach()
            label = out[f"logits.{domain}"][:2].argmax(1)
            targets = training.smooth_labels(label, CLASSES, 0.0, dtype)
            for spec in ("fgsm:eps=2", "ifgsm:eps=3,step=2,iters=2"):
                attack = training.parse_attack(spec) | dict(bn_stats="running", loss="cross_entropy")
                adv = training.make_adversarial(net, pixels[:2], targets, normalize, index, attack)
                out[f"{attack['kind']}.{domain}"] = (adv - pixels[:2]).permute(0, 2, 3, 1)
        x = normalize(pixels).requires_grad_(True)
        logits = net(x, segments, training=True, update=True)
        targets = training.smooth_labels(torch.from_numpy(labels), CLASSES, smoothing, dtype)
        counts = [n for n, _ in segments]
        losses = [training.cross_entropy(a, b) for a, b in zip(logits.split(counts), targets.split(counts))]
        sum(losses).backward()
        out["joint.logits"], out["joint.losses"] = logits.detach(), torch.stack(losses).detach()
        out["gradient_of_input"] = x.grad.permute(0, 2, 3, 1)[[0, counts[0]]]
        used = {d for _, d in segments}
        for n, p in net.named_parameters():
            if domain_of(n) in used and n.startswith(kept) and p.numel() <= LARGEST_GRADIENT:
                out[f"gradient.{n}"] = p.grad
        for n, t in net.state_dict().items():
            if "running_" in n and domain_of(n) in used and n.startswith(kept):
                out[f"running.{n}"] = t
        results[dtype] = {n: t.double() for n, t in out.items()}
    exact, single = results[torch.float64], results[torch.float32]
    differences = {n: relative(single[n], t) for n, t in exact.items() if t.norm() > 1e-10}
    groups = {}
    for n, d in differences.items():
        group = n.split(".")[0]
        groups[group] = max(groups.get(group, 0.0), d)
    null = [n for n, t in exact.items() if n.startswith("gradient.") and t.abs().max() < NULL_GRADIENT]
    print(case, {k: f"{v:.1e}" for k, v in groups.items()}, f"{len(null)} null gradients")
    exact = {n: t.to(torch.int8) if n.startswith(("fgsm", "ifgsm")) else t for n, t in exact.items()}
    write(
        ROOT / "nets" / f"{case}.safetensors",
        exact | {"images": torch.from_numpy(images), "labels": torch.from_numpy(labels)},
        dict(
            format="dualprop-net-fixture-1", arch=config.model["arch"], weights=f"{name}.safetensors",
            width=config.model["width"], depth=config.model["depth"], stem_stride=config.model["stem_stride"],
            classes=CLASSES, image_size=size, mean=config.data["mean"], std=config.data["std"],
            label_smoothing=smoothing, segments=segments, null_gradients=null, float32_differences=groups,
        ),  # fmt: skip
    )


def domain_of(name: str) -> int:
    return 0 if main_name(name) == name else 1 + int(name.split(".aux_bn.")[1].split(".")[0])


# Training


def image_set(seed: int, config: training.Config):
    """Two batches and one image that is left over."""
    count = 2 * config.run["batch_size"] + 1
    return random_images(seed, count, config.data["image_size"]), sorted_labels(count, CLASSES)


def training_fixture(case: str, table: dict) -> None:
    name = table["net"]
    run = {"run": {"name": case, "init": f"tests/fixtures/weights/{name}.safetensors"}}
    tables = merge(LAYOUTS[name], table["config"], run)
    config, weights = training.Config(tables), start_weights(name)
    seeds = range(1000, 1000 + SEEDS)
    limits, nudges = (LOSS_LIMIT, CHANGE_LIMIT), NETS[name]["nudges"]
    choice = choose_images(config, CLASSES, weights, lambda s: image_set(s, config), seeds, ROUNDS, nudges, *limits)
    exact, excluded, images = choice.exact, choice.excluded, choice.images
    print(f"{case}: images {choice.seed}, margin {exact.margin:.1e}, losses {exact.losses[0].tolist()} -> {exact.losses[-1].tolist()}")
    print(f"  float32: {choice.float32}\n  nudged: {choice.moved}", flush=True)
    if not choice.within(*limits):
        raise SystemExit(f"{case}: float32 and float64 differ on every image set that was tried")
    first_step = exact.records[: exact.losses.shape[1]]
    rates = torch.tensor([r["lr"] for r in exact.records[:: len(first_step)]], dtype=torch.float64)
    tensors = {"losses": exact.losses, "lr": rates}
    names = sorted(n for n in exact.change if not n.startswith("ema."))
    for prefix in ("", "ema.") if exact.trainer.ema else ("",):
        tensors[f"{prefix}norms"] = torch.stack([exact.change[prefix + n].norm() for n in names])
        for n in names:
            if main_name(n).startswith(tuple(NETS[name]["kept"])):
                tensors[f"{prefix}change.{n}"] = exact.change[prefix + n]
    arrays = dict(images=torch.from_numpy(images), labels=torch.from_numpy(choice.labels))
    attacked = math.isfinite(exact.margin)
    # Cases without an attack share their images, kept once.
    source = f"{case}.safetensors" if attacked else f"images_{choice.seed}_{len(images)}.safetensors"
    if attacked:
        tensors |= arrays
    else:
        write(ROOT / "training" / source, arrays, {})
    write(
        ROOT / "training" / f"{case}.safetensors",
        tensors,
        dict(
            format="dualprop-training-fixture-1", weights=f"{name}.safetensors", images=source, classes=CLASSES,
            branches=[dict(domain=r["domain"], attack=r["attack"]) for r in first_step],
            domains=training.DOMAINS[: config.domains()], excluded=excluded, float32=vars(choice.float32), nudged=vars(choice.moved),
            attack_margin=exact.margin if attacked else None,
        ),  # fmt: skip
    )
    (ROOT / "training" / f"{case}.toml").write_text(to_toml(tables))


# Vectors


def vectors() -> dict:
    """Small numbers with their inputs spelled out."""
    out = {}
    single = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)

    def optimizer(kind, gradients, **table):
        table = training.OPTIMIZER | training.OPTIMIZER_BY_KIND[kind] | dict(kind=kind, weight_decay=0.0) | table
        net = torch.nn.Sequential(copy.deepcopy(single))
        with torch.no_grad():
            net[0].weight.fill_(1.0)
        optimizer, rows = training.Optimizer(net, table), []
        for g in gradients:
            net[0].weight.grad = torch.full_like(net[0].weight, g)
            optimizer.step(table["lr"])
            n = "0.weight"
            rows.append([optimizer.first[n].item(), optimizer.second[n].item(), net[0].weight.item()])
        keys = ["kind", "lr", "momentum", "decay", "eps", "weight_decay", "nesterov"]
        return dict({k: table[k] for k in keys}, start=1.0, gradients=gradients, first_second_w=rows)

    gradients = [0.5, 0.5, -0.25]
    out["optimizers"] = [
        optimizer("rmsprop", gradients, lr=0.1),
        optimizer("rmsprop", gradients, lr=0.1, eps=0.1, weight_decay=0.01),
        optimizer("sgd", gradients, lr=0.1),
        optimizer("sgd", gradients, lr=0.1, nesterov=True, weight_decay=0.01),
        optimizer("adamw", gradients, lr=0.1),
        optimizer("adamw", gradients, lr=0.1, eps=0.1, weight_decay=0.05),
    ]
    logits = torch.tensor([[1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    out["label_smoothing"] = []
    for label, smoothing in [(3, 0.1), (3, 0.0), (0, 0.1)]:
        targets = training.smooth_labels(torch.tensor([label]), 4, smoothing, torch.float64)
        loss = training.cross_entropy(logits, targets).item()
        out["label_smoothing"].append(dict(logits=logits[0].tolist(), label=label, smoothing=smoothing, loss=loss))
    out["mixup_losses"] = []
    for a, b, lam, smoothing in [(3, 1, 0.3, 0.1), (0, 2, 0.75, 0.0)]:
        mix = sum(
            w * training.smooth_labels(torch.tensor([k]), 4, smoothing, torch.float64) for k, w in [(a, lam), (b, 1 - lam)]
        )
        loss = training.cross_entropy(logits, mix).item()
        out["mixup_losses"].append(
            {"logits": logits[0].tolist(), "label": a, "partner": b, "lambda": lam, "smoothing": smoothing, "loss": loss}
        )
    steps = [0, 1, 5, 17, 100, 1000, 89_990, 1_000_000]
    out["ema_decays"] = [
        dict(decay=0.9999, warmup=warm, steps=steps, decays=[training.ema_decay(t, dict(decay=0.9999, warmup=warm)) for t in steps])
        for warm in (True, False)
    ]
    out["schedules"] = []
    for schedule, per_epoch, total, steps in [
        (dict(kind="exponential", warmup_epochs=5.0, decay_rate=0.97, decay_epochs=2.4), 107, 37450,
         [0, 1, 107, 534, 535, 536, 770, 771, 1027, 1028, 20000, 37449]),
        (dict(kind="exponential", warmup_epochs=0.0, decay_rate=0.9, decay_epochs=1.5), 4, 40, [0, 5, 6, 11, 12, 39]),
        (dict(kind="step", warmup_epochs=1.5, decay_rate=0.1, milestones=[2, 5, 7.5]), 4, 40,
         [0, 3, 5, 6, 7, 8, 19, 20, 29, 30, 31, 32, 39]),
        (dict(kind="cosine", warmup_epochs=2.0), 5, 50, [0, 4, 9, 10, 25, 49]),
        (dict(kind="constant", warmup_epochs=0.5), 5, 50, [0, 1, 2, 3, 49]),
    ]:  # fmt: skip
        full = dict(training.DEFAULTS["schedule"], decay_rate=0.97) | schedule
        rates = [training.learning_rate(t, 0.256, full, per_epoch, total) for t in steps]
        out["schedules"].append(dict(schedule, lr=0.256, steps_per_epoch=per_epoch, total_steps=total, steps=steps, rates=rates))
    # Against the numbers that the papers' code gives.
    assert np.allclose(out["optimizers"][0]["first_second_w"][2], [0.062329184, 0.778, 0.784984401], atol=1e-9)
    assert math.isclose(out["label_smoothing"][0]["loss"], 0.590190, abs_tol=1e-6)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of a file name")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    for name in NETS:
        if only in f"weights/{name}":
            config = training.Config(merge(LAYOUTS[name]))
            keys = ("arch", "width", "depth")
            write(ROOT / "weights" / f"{name}.safetensors", start_weights(name), {k: config.model[k] for k in keys})
    if only in "vectors":
        (ROOT / "vectors.json").write_text(json.dumps(vectors(), indent=1) + "\n")
    for folder, cases, make in [("nets", CASES["nets"], net_fixture), ("training", CASES["training"], training_fixture)]:
        for case, table in cases.items():
            if only in f"{folder}/{case}":
                make(case, table)
    total = sum(p.stat().st_size for p in ROOT.rglob("*") if p.is_file())
    print(f"{total} bytes in all")


if __name__ == "__main__":
    main()
