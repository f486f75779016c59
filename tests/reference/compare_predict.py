#!/usr/bin/env python3
"""Random weights of timm's and the referee's nets through `dualprop import` and `dualprop predict`, against PyTorch in float64.

    compare_predict.py --binary ../../target/release/dualprop [--only TEXT] [--device cpu]

Prints the relative L2 difference of the logits, with that of PyTorch's float32 beside it, and exits 1 beyond the limit.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models.efficientnet import _gen_efficientnet, _gen_efficientnet_lite
from timm.models.mobilenetv3 import _gen_mobilenet_v3

import training
from cases import IMAGENET
from nets import EFFICIENTNETS, MOBILENETS, NetSpec, build
from starts import random_images, random_weights

LIMIT = 1e-4  # some ten times what float32 PyTorch is off
CLASSES, IMAGES = 7, 2


@dataclass
class Case:
    arch: str
    size: int
    width: float = 1.0
    depth: float = 1.0
    stem_stride: int = 2


CASES = [
    Case("tf_efficientnet_b1", 64, width=0.25),
    Case("tf_efficientnet_b3", 75),
    Case("tf_efficientnet_b7", 64),
    Case("tf_efficientnet_b8", 48, width=0.125),
    Case("efficientnet_b0", 64),
    Case("efficientnet_b0", 65),
    Case("efficientnet_b2", 40, stem_stride=1),
    Case("tf_efficientnet_lite0", 65),
    Case("tf_efficientnet_lite2", 64, width=0.5, depth=1.5),
    Case("tf_efficientnet_lite4", 48),
    Case("mobilenetv3_large_100", 64),
    Case("mobilenetv3_large_100", 65, width=0.5, depth=1.5),
    Case("mobilenetv3_small_100", 65),
    Case("mobilenetv3_small_100", 48, width=1.5, depth=0.5, stem_stride=1),
    Case("resnet34", 64),
    Case("resnet50", 64),
    Case("resnet50", 65),
    Case("resnet101", 64, width=0.25),
    Case("resnet200", 33, width=0.125, stem_stride=1),
    Case("preact_resnet50", 32),
    Case("preact_resnet50", 21, width=0.3, depth=0.5),
]


def timms(case: Case):
    """timm's net, or None where timm has none with these multipliers."""
    scales = EFFICIENTNETS.get(case.arch.removeprefix("tf_"))
    if scales:
        width, depth = scales[0] * case.width, scales[1] * case.depth
        pads = {"pad_type": "same"} if case.arch.startswith("tf_") else {}
        generate = _gen_efficientnet_lite if "lite" in case.arch else _gen_efficientnet
        net = generate(case.arch, width, depth, num_classes=CLASSES, **pads)
    elif case.arch in MOBILENETS:
        net = _gen_mobilenet_v3(case.arch, case.width, case.depth, num_classes=CLASSES)
    elif case.arch.startswith("resnet") and case.width == case.depth == 1:
        net = timm.create_model(case.arch, num_classes=CLASSES)
    else:
        return None
    stem = net.conv1 if case.arch.startswith("resnet") else net.conv_stem
    stem.stride = (case.stem_stride, case.stem_stride)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1e-3 if scales else 1e-5
    return net


def compare(case: Case, args, folder: Path) -> float:
    ours = build(NetSpec(case.arch, CLASSES, case.width, case.depth, case.stem_stride)).double()
    random_weights(ours, 5, random_images(6, 8, max(case.size, 64)), IMAGENET)
    state = {n: t.float() for n, t in ours.state_dict().items()}
    net = timms(case)
    if net is None:
        logits = [copy.deepcopy(ours).to(d) for d in (torch.float64, torch.float32)]
        logits = [lambda x, net=net: net(x, [(len(x), 0)]) for net in logits]
        origin = "referee"
    else:
        # timm's own tensors: what it lacks of the state is an error, num_batches_tracked comes on top.
        missing, surplus = net.load_state_dict(state, strict=False)
        assert not surplus and all(n.endswith("num_batches_tracked") for n in missing), (missing, surplus)
        state = {n: t.clone().contiguous() for n, t in net.state_dict().items()}
        logits = [copy.deepcopy(net).to(d).eval() for d in (torch.float64, torch.float32)]
        origin = "timm"
    save_file(state, folder / "plain.safetensors")
    images = random_images(7, IMAGES, case.size)
    paths = [folder / f"{i}.png" for i in range(IMAGES)]
    for image, path in zip(images, paths):
        Image.fromarray(image).save(path)
    with torch.no_grad():
        exact, single = (
            net(training.Normalize(IMAGENET, d)(training.to_pixels(images, d))).double()
            for net, d in zip(logits, (torch.float64, torch.float32))
        )
    device = ["--device", args.device] if args.device else []
    factors = ["--width", case.width, "--depth", case.depth, "--stem-stride", case.stem_stride]
    call(args, "import", folder / "plain.safetensors", "--arch", case.arch, "--image-size", case.size, *factors,
         "--out", folder / "net.safetensors")  # fmt: skip
    rows = json.loads(call(args, "predict", folder / "net.safetensors", *paths, "--json", *device))
    found = torch.tensor(np.array([row["logits"] for row in rows]))
    off, float32 = (((x - exact).norm() / exact.norm()).item() for x in (found, single))
    print(f"{case}: {off:.1e}, float32 PyTorch {float32:.1e} ({origin}'s net, logits up to {exact.abs().max():.2f})", flush=True)
    return off


def call(args, *command) -> str:
    done = subprocess.run([args.binary, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"dualprop {command[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="part of an architecture's name")
    parser.add_argument("--device", help="handed to dualprop")
    args = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        differences = [compare(case, args, Path(folder)) for case in CASES if args.only in case.arch]
    # A NaN is beyond every limit.
    sys.exit(0 if all(d <= LIMIT for d in differences) else 1)


if __name__ == "__main__":
    main()
