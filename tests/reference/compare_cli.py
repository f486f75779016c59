#!/usr/bin/env python3
"""Trains the same net from the same start with a built `dualprop` and with the referee, and compares; as an outside tester would.

    compare_cli.py --binary target/release/dualprop --arch resnet18 --method advprop --optimizer sgd [--width 0.25 …]

Makes an image folder and random start weights, runs `dualprop train` (no shuffling, augmentation, dropout or random start) and the
referee in float64 and float32, and prints the relative differences of losses (limit 1e-3), weight change (limit 2%) and running
statistics; then the logits of the trained checkpoint in every domain through `dualprop predict` (limit 1e-3). Exits 1 beyond a limit.

The lines `float32 PyTorch` and `moved by rounding` say how well any float32 program can do from this start: sign attacks and ReLUs are
chaotic. Of --search image sets the one is taken whose attack gradients stay farthest from zero.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import training
from cases import merge, to_toml
from comparing import Comparison, Run, choose_images, loss_table
from nets import NetSpec, build
from starts import random_images, random_weights, sorted_labels

LOSS_LIMIT, CHANGE_LIMIT, LOGIT_LIMIT = 1e-3, 0.02, 1e-3
ROUNDS = 8  # of --search image sets each, until float32 PyTorch agrees with float64
LEARNING_RATES = {"sgd": 0.01, "rmsprop": 0.005, "adamw": 0.001}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, help="the program; split at spaces, so that a script can stand in")
    parser.add_argument("--arch", default="tf_efficientnet_b0")
    parser.add_argument("--method", choices=training.METHODS, default="advprop")
    parser.add_argument("--optimizer", choices=list(LEARNING_RATES), default="sgd")
    parser.add_argument("--lr", type=float, help="default: " + ", ".join(f"{k} {v}" for k, v in LEARNING_RATES.items()))
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--depth", type=float, default=0.5)
    parser.add_argument("--stem-stride", type=int, default=1)
    parser.add_argument("--image-size", type=int, default=24)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--attack", default="pgd:eps=2,step=1,iters=1", help="attack SPEC")
    parser.add_argument("--seed", type=int, default=0, help="of the images")
    parser.add_argument("--weight-seed", type=int, default=0)
    parser.add_argument("--search", type=int, default=10, metavar="N", help="image sets to choose from, from --seed on")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a configuration key, value in JSON")
    parser.add_argument("--device", help="handed to dualprop")
    parser.add_argument("--keep", help="a folder to work in, kept afterwards")
    return parser.parse_args()


def make_config(args, folder: Path) -> dict:
    attack = training.parse_attack(args.attack)
    tables = {
        "run": {"name": "compare", "steps": args.steps, "batch_size": args.batch, "accumulate": args.accumulate,
                "init": str(folder / "start.safetensors")},
        "data": {"source": "folder", "path": str(folder / "data"), "image_size": args.image_size, "shuffle": False,
                 "augment": []},
        "model": {"arch": args.arch, "stem_stride": args.stem_stride, "width": args.width, "depth": args.depth,
                  "dropout": 0.0, "drop_path": 0.0},
        "method": {"kind": args.method,
                   "attack": {k: attack[k] for k in ("kind", "epsilon", "step", "iterations", "random_start") if attack[k] is not None},
                   "mixup": {"lambda": 0.3, "pairing": "reverse"}},
        "optimizer": {"kind": args.optimizer, "lr": args.lr or LEARNING_RATES[args.optimizer]},
        "schedule": {"kind": "constant", "warmup_epochs": 0.0},
        "ema": {"decay": 0.0},
        "eval": {"every_epochs": 0, "attack": ""},
    }  # fmt: skip
    for item in args.set:
        key, _, value = item.partition("=")
        *path, last = key.split(".")
        nested = {last: json.loads(value)}
        for part in reversed(path):
            nested = {part: nested}
        tables = merge(tables, nested)
    return tables


def image_set(args, seed: int):
    count = max(2 * args.batch + 1, args.classes)
    return random_images(seed, count, args.image_size), sorted_labels(count, args.classes)


def write_folder(folder: Path, images, labels) -> None:
    """train/ holds all images, val/ the first of each class."""
    for i, (image, label) in enumerate(zip(images, labels)):
        for split in ("train", "val") if i == 0 or labels[i - 1] != label else ("train",):
            path = folder / split / f"class{label:03}" / f"{i:05}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)


def compare_files(folder: Path, exact: Run, start: dict, excluded: list) -> tuple:
    """The run folder that dualprop wrote: its comparison and its final state."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    lines = [line for line in lines if line["split"] == "train"]
    order = [[(r["step"], r["domain"], r["attack"] is not None) for r in rows] for rows in (lines, exact.records)]
    if order[0] != order[1]:
        raise SystemExit(f"metrics.jsonl: (step, domain, attacked) of the train lines are {order[0][:4]}…, expected {order[1][:4]}…")
    rates = max(abs(r["lr"] - e["lr"]) for r, e in zip(lines, exact.records))
    if rates > 1e-6 * max(e["lr"] for e in exact.records):
        raise SystemExit(f"metrics.jsonl: the learning rates differ by up to {rates:.1e}")
    state = load_file(folder / "last.safetensors")
    missing = [n for n in exact.change if n not in state]
    if missing:
        raise SystemExit(f"last.safetensors lacks {missing[0]}")
    change = {n: state[n].double() - start[n.removeprefix("ema.")].double() for n in exact.change}
    return Comparison(loss_table(lines), change, exact, excluded), state


def call(args, *command) -> str:
    device = ["--device", args.device] if args.device else []
    done = subprocess.run([*args.binary.split(), *map(str, command), *device], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"dualprop {command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def check_logits(args, config, folder: Path, state: dict) -> float:
    """The logits of `dualprop predict` against the referee on the same checkpoint."""
    domains = config.domains()
    net = config.net(args.classes, domains).double()
    net.load_state_dict({n: state[n].double() for n in net.state_dict()})
    normalize, worst = training.Normalize(config.data, torch.float64), 0.0
    paths = sorted((folder / "data" / "val").rglob("*.png"))
    pixels = training.to_pixels(np.stack([training.read_image(p, args.image_size) for p in paths]), torch.float64)
    for index, domain in enumerate(training.DOMAINS[:domains]):
        rows = json.loads(call(args, "predict", folder / "run" / "last.safetensors", *paths, "--domain", domain,
                               "--weights", "raw", "--json"))  # fmt: skip
        with torch.no_grad():
            exact = net(normalize(pixels), [(len(paths), index)])
        found = torch.tensor([row["logits"] for row in rows], dtype=torch.float64)
        error = ((found - exact).norm() / exact.norm()).item()
        print(f"logits {domain}: {error:.1e}")
        worst = max(worst, error)
    return worst


def compare(args, folder: Path) -> bool:
    tables = make_config(args, folder)
    config = training.Config(tables)
    net = build(NetSpec(args.arch, args.classes, args.width, args.depth, args.stem_stride, config.domains())).double()
    random_weights(net, args.weight_seed, random_images(10_000 + args.weight_seed, 32, args.image_size), config.data)
    start = {n: t.float() for n, t in net.state_dict().items()}
    seeds, rounds = (range(args.seed, args.seed + args.search), ROUNDS) if args.search else (range(args.seed, args.seed + 1), 1)
    limits = (LOSS_LIMIT / 20, CHANGE_LIMIT / 20)
    choice = choose_images(config, args.classes, start, lambda s: image_set(args, s), seeds, rounds, 2, *limits)
    write_folder(folder / "data", choice.images, choice.labels)
    save_file(start, folder / "start.safetensors")
    (folder / "config.toml").write_text(to_toml(tables))

    exact, parameters = choice.exact, sum(p.numel() for p in net.parameters())
    print(f"{args.arch}, {parameters} parameters, {args.method}, {args.optimizer}, images {choice.seed}: attack margin {exact.margin:.1e},"
          f" losses {exact.losses[0].tolist()} -> {exact.losses[-1].tolist()},"
          f" {len(choice.excluded)} tensors without direction left out")  # fmt: skip
    print(f"float32 PyTorch: {choice.float32}\nmoved by rounding: {choice.moved}", flush=True)
    if not choice.within(*limits):
        print("this start is too chaotic to judge by: take another --seed, a larger --search, a smaller --lr or a weaker --attack")

    call(args, "train", folder / "config.toml", "--out", folder / "run")
    found, state = compare_files(folder / "run", exact, start, choice.excluded)
    print(f"dualprop: {found}")
    logits = check_logits(args, config, folder, state)
    within = found.loss <= LOSS_LIMIT and found.change <= CHANGE_LIMIT and logits <= LOGIT_LIMIT
    print("within the limits" if within else "BEYOND A LIMIT")
    return within


def main() -> None:
    args = arguments()
    torch.set_num_threads(1)
    if args.keep:
        folder = Path(args.keep).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        within = compare(args, folder)
    else:
        with tempfile.TemporaryDirectory() as folder:
            within = compare(args, Path(folder))
    sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
