#!/usr/bin/env python3
"""Makes tests/fixtures/attacks: what the authors' Auto-PGD (github.com/fra31/auto-attack) finds on a small net.

    make_attack_fixtures.py --autoattack FOLDER     FOLDER: a checkout of that repository

Each case is one attack from the clean images. Steps along signs are chaotic, so a file holds the images on which float32, float64
and starts moved by rounding end alike; how far those part is in the file's metadata.
"""

import argparse
import sys

import numpy as np
import torch
import torch.nn.functional as F

import training
from cases import LAYOUTS, merge
from make_fixtures import CLASSES, ROOT, start_net, write
from starts import random_images

NET, SIZE, KEPT = "resnet50", 16, 12
CASES = [("apgd", 1), ("apgd", 5), ("apgd", 20), ("apgd-t", 5), ("apgd-t", 20)]
EPSILONS = (0.5, 1.0, 0.25, 2.0)  # the first one that fools some images and not all
LIMIT = 2e-4  # of the loss, relative to the largest


def attacked(modules, kind, iterations, epsilon, images, labels, dtype, moved=0.0):
    """(right, cross-entropy of what the attack returns), as DualProp counts: targets one after another, on images still right."""
    config = training.Config(merge(LAYOUTS[NET]))
    net, normalize = start_net(NET, config, dtype).requires_grad_(False), training.Normalize(config.data, dtype)
    predict = lambda x: net(normalize(255 * x), [(len(x), 0)])
    x = torch.from_numpy(images).permute(0, 3, 1, 2).to(dtype).contiguous() / 255
    y = torch.from_numpy(labels)
    start = (x + moved * torch.from_numpy(np.random.default_rng(5).normal(size=x.shape)).to(dtype)).clamp(0, 1)
    right, loss = torch.ones(len(x), dtype=torch.bool), torch.full((len(x),), -np.inf, dtype=dtype)
    options = dict(n_iter=iterations, norm="Linf", eps=epsilon / 255, device="cpu")
    aims = [None]
    attack = modules.APGDAttack(predict, loss="ce", **options)
    if kind == "apgd-t":
        attack = modules.APGDAttack_targeted(predict, **options)
        logits = predict(x).detach()
        logits[torch.arange(len(x)), y] = -np.inf
        aims = logits.argsort(1, descending=True)[:, : CLASSES - 1].T
    attack.init_hyperparam(x)
    for aim in aims:
        live = right.nonzero().flatten()
        if not len(live):
            break
        attack.y_target = None if aim is None else aim[live]
        best, kept, _, fooling = attack.attack_single_run(x[live], y[live], x_init=start[live])
        found = torch.where(kept.bool()[:, None, None, None], best, fooling)
        logits = predict(found).detach()
        hit, new = logits.argmax(1) == y[live], F.cross_entropy(logits, y[live], reduction="none")
        worse = ~hit | (new > loss[live])
        loss[live[worse]], right[live[worse]] = new[worse], hit[worse]
    return right.numpy(), loss.detach().double().numpy()


def case(modules, kind, iterations, epsilon) -> bool:
    images = random_images(300 + iterations, 1500, SIZE)
    config = training.Config(merge(LAYOUTS[NET]))
    with torch.no_grad():
        net, normalize = start_net(NET, config), training.Normalize(config.data, torch.float64)
        logits = net(normalize(training.to_pixels(images, torch.float64)), [(len(images), 0)])
    # From the nearest to the boundary to the furthest.
    top = logits.topk(2).values
    pool = np.sort((top[:, 0] - top[:, 1]).argsort().numpy()[::25])
    images, labels = images[pool], logits[pool].argmax(1).numpy()
    labels[::10] = (labels[::10] + 1) % CLASSES  # some are wrong from the start
    run = lambda dtype, moved=0.0: attacked(modules, kind, iterations, epsilon, images, labels, dtype, moved)
    right, loss = run(torch.float64)
    others = [run(torch.float32), run(torch.float64, 1e-7), run(torch.float64, -1e-7)]
    apart = np.max([np.abs(o - loss) for _, o in others], axis=0) / loss.max()
    stable = (apart < LIMIT) & np.all([r == right for r, _ in others], axis=0)
    wrong = np.arange(len(images)) % 10 == 0
    print(f"{kind} {iterations}: {stable.sum()} of {len(images)} stable, {right[stable].sum()} of those right, {wrong.sum()} wrong before")
    held, fooled = np.flatnonzero(stable & right)[: KEPT // 2], np.flatnonzero(stable & ~right & ~wrong)[: KEPT // 2 - 1]
    kept = np.sort(np.concatenate([held, fooled, np.flatnonzero(stable & wrong)[:1]]))
    if len(held) < 4 or len(fooled) < 4:
        return False
    tensors = dict(images=torch.from_numpy(images[kept]), labels=torch.from_numpy(labels[kept]).int(),
                   right=torch.from_numpy(right[kept]).to(torch.uint8), loss=torch.from_numpy(loss[kept]))  # fmt: skip
    spec = f"{kind}:eps={epsilon:g},iters={iterations},start=off"
    layout = {k: config.model[k] for k in ("arch", "width", "depth", "stem_stride")}
    metadata = dict(attack=spec, weights=f"{NET}.safetensors", image_size=SIZE, classes=CLASSES, mean=config.data["mean"],
                    std=config.data["std"], float32_difference=float(apart[kept].max())) | layout  # fmt: skip
    write(ROOT / f"attacks/{kind}_{iterations}.safetensors", tensors, metadata)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--autoattack", required=True)
    sys.path.insert(0, parser.parse_args().autoattack)
    from autoattack import autopgd_base

    torch.set_num_threads(1)
    for kind, iterations in CASES:
        assert any(case(autopgd_base, kind, iterations, epsilon) for epsilon in EPSILONS), "too few images of either kind"


if __name__ == "__main__":
    main()
