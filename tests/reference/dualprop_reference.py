#!/usr/bin/env python3
"""The referee: DualProp's commands in plain PyTorch, on the CPU, in float64 or float32.

    dualprop_reference.py train CONFIG.toml --data DIR --init start.safetensors --out DIR [--dtype float64]
    dualprop_reference.py logits CKPT --config CONFIG.toml [--domain main] IMAGE...
    dualprop_reference.py cam CKPT --config CONFIG.toml --out DIR [--method cam|gradcam] [--class N] [--domain main] IMAGE...
    dualprop_reference.py attack CKPT --config CONFIG.toml --out DIR [--attack SPEC] [--label N] [--domain main] IMAGE...

`--config` describes the net and the input; without it the TOML in the checkpoint's own metadata is used. `train` writes
metrics.jsonl (loss per step and branch) and last.safetensors (weights, running statistics, `ema.*`).
"""

import argparse
import json
from pathlib import Path
import tomllib

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import training
from nets import class_map, load_weights, main_name


def load_net(args):
    """The net of a checkpoint with all the domains that the file has."""
    tensors = load_file(args.checkpoint)
    tensors = {n: t for n, t in tensors.items() if not n.startswith(("ema.", "optimizer.", "loop."))}
    with safe_open(args.checkpoint, "pt") as file:
        meta = file.metadata() or {}
    config = training.Config.read(args.config) if args.config else training.Config(tomllib.loads(meta["config"]))
    head = next(n for n in ("classifier.bias", "fc.bias", "linear.bias") if n in tensors)
    config.model["classes"] = len(tensors[head])
    aux = {n.partition(".aux_bn.")[2].split(".")[0] for n in tensors if main_name(n) != n}
    dtype = getattr(torch, args.dtype)
    net = config.net(0, 1 + len(aux)).to(dtype).requires_grad_(False)
    load_weights(net, tensors)
    return net, config, training.Normalize(config.data, dtype), dtype


def each_image(args, config, dtype):
    for path in args.images:
        yield Path(path), training.to_pixels(training.read_image(path, config.data["image_size"])[None], dtype)


def train(args):
    config = training.Config.read(args.config)
    split = Path(args.data or config.data["path"]) / "train"
    images, labels, classes = training.read_folder(split, config.data["image_size"])
    weights = load_file(args.init or config.run["init"])
    trainer = training.Trainer(config, images, labels, classes, weights, getattr(torch, args.dtype))
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    with open(out / "metrics.jsonl", "w") as file:
        for record in trainer.run():
            file.write(json.dumps(record) + "\n")
    save_file(trainer.state(), out / "last.safetensors", {"config": Path(args.config).read_text()})


def logits(args):
    net, config, normalize, dtype = load_net(args)
    domain, rows = training.DOMAINS.index(args.domain), []
    with torch.no_grad():
        for path, pixels in each_image(args, config, dtype):
            values = net(normalize(pixels), [(1, domain)])[0]
            rows.append(dict(path=str(path), domain=args.domain, logits=values.tolist()))
    print(json.dumps(rows))


def cam(args):
    net, config, normalize, dtype = load_net(args)
    domain, out = training.DOMAINS.index(args.domain), Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    for path, pixels in each_image(args, config, dtype):
        x, label = normalize(pixels), args.label
        if label is None:
            label = int(net(x, [(1, domain)]).argmax())
        heat = class_map(net, x, domain, label, args.method == "gradcam")
        np.save(out / f"{path.stem}.{args.method}.npy", heat.numpy().astype(np.float32))


def attack(args):
    """As `dualprop attack`: running statistics, plain cross-entropy, the label predicted for the clean image."""
    net, config, normalize, dtype = load_net(args)
    domain, out = training.DOMAINS.index(args.domain), Path(args.out)
    table = training.parse_attack(args.attack) | dict(bn_stats="running", loss="cross_entropy")
    out.mkdir(parents=True, exist_ok=True)
    for path, pixels in each_image(args, config, dtype):
        label = args.label
        if label is None:
            label = int(net(normalize(pixels), [(1, domain)]).argmax())
        targets = training.smooth_labels(torch.tensor([label]), net.spec.classes, 0.0, dtype)
        adversarial = training.make_adversarial(net, pixels, targets, normalize, domain, table)
        # Towards the clean pixel, so that |adv - clean| <= epsilon holds exactly.
        rounded = pixels + (adversarial - pixels).trunc()
        Image.fromarray(rounded[0].permute(1, 2, 0).to(torch.uint8).numpy()).save(out / f"{path.stem}.adv.png")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(run):
        sub = commands.add_parser(run.__name__)
        sub.add_argument("--dtype", choices=["float64", "float32"], default="float64")
        sub.set_defaults(run=run)
        return sub

    sub = command(train)
    sub.add_argument("config", metavar="CONFIG.toml")
    sub.add_argument("--data", help="folder with train/CLASS/*.png; default: data.path of the configuration")
    sub.add_argument("--init", help="starting weights; default: run.init of the configuration")
    sub.add_argument("--out", required=True)
    for run in (logits, cam, attack):
        sub = command(run)
        sub.add_argument("checkpoint", metavar="CKPT")
        sub.add_argument("images", nargs="+", metavar="IMAGE")
        sub.add_argument("--config")
        sub.add_argument("--domain", choices=training.DOMAINS, default="main")
        if run is not logits:
            sub.add_argument("--out", required=True)
        if run is cam:
            sub.add_argument("--method", choices=["cam", "gradcam"], default="cam")
            sub.add_argument("--class", dest="label", type=int)
        if run is attack:
            sub.add_argument("--attack", default="pgd:eps=4,step=1,iters=5")
            sub.add_argument("--label", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    args.run(args)


if __name__ == "__main__":
    main()
