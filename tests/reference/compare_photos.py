#!/usr/bin/env python3
"""Real weights on real photographs: timm's top 5 of each against `dualprop import` and `dualprop predict`.

    compare_photos.py --binary ../../target/release/dualprop --data DIR [--arch NAME] [--device cpu]

DIR holds ARCH.safetensors (timm's state dict), photos/ and timm_top5.json ({file: [[class, probability], ...]}). Prints on how
many photos the top-1 is timm's with all five probabilities within 0.02, and how far these are off; exits 1 below 98 of 100.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

LEAST_AGREEING, LIMIT = 0.98, 0.02


def call(*command) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{command[1]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--arch", default="tf_efficientnet_lite0")
    parser.add_argument("--device", help="handed to dualprop")
    args = parser.parse_args()
    top5 = json.loads((args.data / "timm_top5.json").read_text())
    device = ["--device", args.device] if args.device else []
    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder) / "net.safetensors"
        call(args.binary, "import", args.data / f"{args.arch}.safetensors", "--arch", args.arch, "--out", net, "--mean", "0.5,0.5,0.5",
             "--std", "0.5,0.5,0.5", "--crop-ratio", "0.875", "--interpolation", "bicubic")  # fmt: skip
        photos = [args.data / "photos" / name for name in top5]
        rows = json.loads(call(args.binary, "predict", net, *photos, "--json", *device))
    agree, equal, off = 0, 0, []
    for (name, expected), row in zip(top5.items(), rows, strict=True):
        assert Path(row["path"]).name == name
        logits = np.array(row["logits"], dtype=np.float64)
        odds = np.exp(logits - logits.max())
        found = odds / odds.sum()
        same = int(found.argmax()) == expected[0][0]
        off.append(max(abs(found[label] - probability) for label, probability in expected))
        equal += same
        agree += same and off[-1] <= LIMIT
    print(f"{agree} of {len(off)} agree; top-1 equal on {equal}, probabilities off by {max(off):.4f} at most, {np.mean(off):.5f} in the mean")
    raise SystemExit(0 if agree >= LEAST_AGREEING * len(off) else 1)


if __name__ == "__main__":
    main()
