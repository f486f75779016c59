#!/usr/bin/env python3
"""Times inference of a network in ONNX Runtime or PyTorch that `dualprop bench --infer` times.

    infer.py --program onnxruntime|pytorch --arch tf_efficientnet_b0 --size 224 --batch 8 [--provider CPUExecutionProvider]

The network is timm's with random weights and 1000 classes; ONNX Runtime gets it by torch.onnx.export. Pixels go in as floats in the
host's memory and logits come out there. Prints one JSON object: images_per_s, batch_ms (mean), fastest_ms.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import timm
import torch

WARM_UP = 3


def session(net, images, provider: str):
    """A function from pixels to logits, and the program's name."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        torch.onnx.export(net, (images,), path, input_names=["x"], output_names=["y"], dynamo=False)
        options = onnxruntime.SessionOptions()
        made = onnxruntime.InferenceSession(str(path), options, providers=[provider])
    if made.get_providers()[0] != provider:
        raise SystemExit(f"{provider} is not in this build of onnxruntime; it has {onnxruntime.get_available_providers()}")
    return (lambda x: made.run(["y"], {"x": x})[0]), f"onnxruntime {onnxruntime.__version__} {provider}"


def module(net, compiled: bool):
    run = torch.compile(net) if compiled else net

    def forward(x):
        with torch.inference_mode():
            return run(torch.from_numpy(x).to(memory_format=torch.channels_last)).numpy()

    return forward, f"PyTorch {torch.__version__}{' compiled' if compiled else ''}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", choices=["onnxruntime", "pytorch"], default="onnxruntime")
    parser.add_argument("--provider", default="CPUExecutionProvider")
    parser.add_argument("--arch", default="tf_efficientnet_b0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    net = timm.create_model(args.arch, num_classes=1000).eval()
    pixels = np.random.default_rng(0).random((args.batch, 3, args.size, args.size), np.float32)
    if args.program == "onnxruntime":
        forward, program = session(net, torch.from_numpy(pixels), args.provider)
    else:
        forward, program = module(net.to(memory_format=torch.channels_last), args.compile)
    times = []
    for step in range(WARM_UP + args.steps):
        begun = time.perf_counter()
        forward(pixels)
        if step >= WARM_UP:
            times.append(time.perf_counter() - begun)
    mean = sum(times) / len(times)
    print(json.dumps(dict(program=program, arch=args.arch, size=args.size, batch=args.batch, images_per_s=args.batch / mean,
                          batch_ms=1e3 * mean, fastest_ms=1e3 * min(times))))  # fmt: skip


if __name__ == "__main__":
    main()
