#!/usr/bin/env python3
"""Imports a full-size timm state dict of every architecture that timm has with `dualprop import`, which checks names and shapes strictly.

    check_names.py --binary ../../target/release/dualprop [--only TEXT]

Exits 1 with dualprop's own words where a name or a shape differs. `preact_resnet*` are held to the referee's nets instead, as timm has none.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from nets import NetSpec, build


def state_dict(arch: str) -> dict:
    with torch.device("meta"):  # names and shapes without the work of an initialisation
        net = build(NetSpec(arch, 1000)) if arch.startswith("preact") else timm.create_model(arch, num_classes=1000)
    return {n: torch.zeros(t.shape, dtype=t.dtype) for n, t in net.state_dict().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--only", default="", help="part of an architecture's name")
    args = parser.parse_args()
    listed = subprocess.run([args.binary, "models", "--json"], capture_output=True, text=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        for model in json.loads(listed):
            arch, plain = model["arch"], Path(folder) / "plain.safetensors"
            if args.only not in arch:
                continue
            state = state_dict(arch)
            save_file(state, plain)
            command = [args.binary, "import", plain, "--arch", arch, "--out", Path(folder) / "net.safetensors"]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                raise SystemExit(f"{arch}: {done.stderr.strip()}")
            print(f"ok {arch}: {len(state)} tensors, {sum(t.numel() for t in state.values())} values", flush=True)


if __name__ == "__main__":
    main()
