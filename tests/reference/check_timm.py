#!/usr/bin/env python3
"""Loads the main domain of a DualProp checkpoint into timm with strict names and prints the best classes of an image.

    check_timm.py last.safetensors [IMAGE] [--weights raw|ema] [--top 5]

Works for full-size nets that timm has (model.width = model.depth = 1, model.stem_stride as below). Exits 1 with timm's own words where
a name or a shape differs.
"""

import argparse
import json
import tomllib

import numpy as np
import timm
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("image", nargs="?")
    parser.add_argument("--weights", choices=["raw", "ema"], default="raw")
    parser.add_argument("--top", type=int, default=5)
    args = parser.parse_args()

    with safe_open(args.checkpoint, "pt") as file:
        meta = file.metadata()
    classes, config = json.loads(meta["classes"]), tomllib.loads(meta["config"]).get("model", {})
    tensors, state = load_file(args.checkpoint), {}
    for name, value in tensors.items():
        if args.weights == "ema" and name.startswith("ema."):
            name = name.removeprefix("ema.")
        elif args.weights == "ema" or name.startswith(("ema.", "optimizer.", "loop.")):
            continue
        if ".aux_bn." not in name:
            state[name] = value
    model = timm.create_model(meta["arch"], num_classes=len(classes))
    if config.get("stem_stride", 2) == 1:
        stem = model.conv_stem if hasattr(model, "conv_stem") else model.conv1
        stem.stride = (1, 1)
    model.load_state_dict(state, strict=True)
    print(f"{meta['arch']}: {len(state)} tensors loaded with strict=True, {len(tensors) - len(state)} left out")
    # timm builds its nets with other BN constants than DualProp trains with.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3 if "efficientnet" in meta["arch"] else 1e-5
    if args.image:
        size, image = int(meta["image_size"]), Image.open(args.image).convert("RGB")
        if image.size != (size, size):
            raise SystemExit(f"{args.image} is {image.size[0]}x{image.size[1]}, the model's input is {size}x{size}")
        mean, std = (np.array(json.loads(meta[k])) for k in ("mean", "std"))
        x = torch.from_numpy((np.asarray(image) / 255 - mean) / std).permute(2, 0, 1)[None].float()
        with torch.no_grad():
            logits = model.eval()(x)[0]
        for index in logits.argsort(descending=True)[: args.top].tolist():
            print(f"{classes[index]}: logit {logits[index]:.5f}, p {logits.softmax(0)[index]:.4f}")


if __name__ == "__main__":
    main()
