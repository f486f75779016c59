#!/usr/bin/env python3
"""`dualprop export` against onnxruntime: the logits of an ONNX file and those of `dualprop predict`, for the same images and weights.

    compare_export.py --binary ../../target/debug/dualprop [--only TEXT] [--device cpu]
    compare_export.py --binary ../../target/release/dualprop --full [--only TEXT]

The first form needs onnxruntime, onnx, numpy, pillow and safetensors; small networks of every family, made by a step of training, then
moved apart. With --full, which needs torch and timm too, every architecture at its own width and depth with the referee's weights; and
the safetensors of those that timm has load with strict=True and give our logits.

Every domain goes out alone, as pixels, as f16, and with all others in one graph; batches of one, two and three; the Python in each card is
run as it stands. Prints a line a network and exits 1 beyond the limit.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

LIMIT = 1e-4  # of the largest logit
F16_LIMIT = 0.1  # of the largest logit; deep nets with random weights pass on every rounding
CLASSES, IMAGES = 7, 3
DOMAINS = ["main", "aux"]


@dataclass
class Case:
    arch: str
    size: int
    width: float = 1.0
    depth: float = 1.0
    stem_stride: int = 2


SMALL = [
    Case("tf_efficientnet_b0", 33, 0.25, 0.5),
    Case("efficientnet_b0", 35, 0.25, 0.5),
    Case("tf_efficientnet_lite0", 33, 0.25, 0.5),
    Case("mobilenetv3_small_100", 33, 0.5, 1.0, 1),
    Case("resnet18", 33, 0.125),
    Case("resnet50", 32, 0.125, 0.5, 1),
    Case("preact_resnet18", 21, 0.125),
]

CONFIG = """
[run]
steps = 1
batch_size = 8
[data]
source = "shapes"
image_size = {size}
train_limit = 16
crop_ratio = 1.0
interpolation = "bicubic"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
[model]
arch = "{arch}"
width = {width}
depth = {depth}
stem_stride = {stem_stride}
[method]
kind = "advprop"
[eval]
limit = 8
attack = "fgsm:eps=1"
"""


def call(args, *command) -> str:
    done = subprocess.run([args.binary, *map(str, command)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"dualprop {' '.join(map(str, command))} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def device(args) -> list:
    return ["--device", args.device] if args.device else []


def metadata(path: Path) -> dict:
    with safe_open(path, "np") as file:
        return file.metadata()


def rewrite(path: Path, change) -> None:
    """Gives the tensors of a safetensors file to `change`, which returns new ones, and keeps the metadata."""
    save_file(change(load_file(path)), path, metadata(path))


def cropping(checkpoint: Path, out: Path) -> Path:
    """The checkpoint, but it cuts the middle out of photos."""
    meta = metadata(checkpoint)
    config = re.sub(r"(?m)^crop_ratio = .*$", "crop_ratio = 0.9", meta["config"])
    assert config != meta["config"]
    save_file(load_file(checkpoint), out, {**meta, "config": config})
    return out


def trained(args, case: Case, folder: Path) -> Path:
    """A checkpoint with two domains after one step; then the weights are scaled so that an image's signal comes through, and every
    batch norm gets numbers of its own."""
    (folder / "config.toml").write_text(CONFIG.format(**vars(case)))
    call(args, "train", folder / "config.toml", "--out", folder / "run", *device(args))
    rng = np.random.default_rng(1)

    def spread(tensors):
        for name, values in tensors.items():
            # Gamma and beta stand with the running statistics of their layer.
            if name.removesuffix(".weight") + ".running_mean" in tensors:
                values[:] = rng.uniform(0.6, 1.4, values.shape)
            elif name.removesuffix(".bias") + ".running_mean" in tensors or name.endswith("running_mean"):
                values[:] = rng.normal(0, 0.3, values.shape)
            elif name.endswith("running_var"):
                values[:] = rng.uniform(0.5, 2, values.shape)
            elif values.ndim > 1 and not name.startswith("optimizer."):
                values *= (2 / values[0].size) ** 0.5 / values.std()
        return tensors

    path = folder / "run" / "last.safetensors"
    rewrite(path, spread)
    return path


def refereed(args, case: Case, folder: Path) -> Path:
    """A checkpoint of the referee's net, whose running statistics fit its weights, with a moving average that differs from them."""
    import torch
    from cases import IMAGENET
    from nets import NetSpec, SplitBatchNorm, build
    from starts import LAST, random_images, random_weights
    from training import Normalize, to_pixels

    net = build(NetSpec(case.arch, CLASSES, case.width, case.depth, case.stem_stride, domains=len(DOMAINS)))
    images = random_images(6, 16, case.size)
    random_weights(net.double(), 5, images[:2], IMAGENET)
    # The referee's starts are made for nets of a few blocks: a hundred deep, signals would grow until float32 has no digits left. So
    # branches are quieter here, and the statistics are those of the weights.
    for block in net.modules():
        last = LAST.get(type(block), "")
        if last.startswith("conv"):
            block.get_submodule(last).weight.data.mul_(0.3)
        elif last:
            for index in range(len(DOMAINS)):
                block.get_submodule(last).domain(index).weight.data.mul_(0.3)
    for module in net.modules():
        if isinstance(module, SplitBatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        x = Normalize(IMAGENET, torch.float32)(to_pixels(images, torch.float32))
        for index in range(len(DOMAINS)):
            net.float()(x, [(len(x), index)], training=True, update=True)
        # A channel that these images hardly moved would take every other image for a hundred standard deviations.
        for module in net.modules():
            if isinstance(module, SplitBatchNorm):
                for index in range(len(DOMAINS)):
                    variance = module.domain(index).running_var
                    variance.clamp_(min=0.5 * variance.mean().item())
    state = {n: t.float().numpy() for n, t in net.state_dict().items()}
    save_file(state, folder / "plain.safetensors")
    del net
    factors = ["--width", case.width, "--depth", case.depth, "--stem-stride", case.stem_stride]
    channels = [x for key in ("mean", "std") for x in (f"--{key}", ",".join(map(str, IMAGENET[key])))]
    path = folder / "net.safetensors"
    call(args, "import", folder / "plain.safetensors", "--arch", case.arch, "--image-size", case.size, *factors, *channels,
         "--interpolation", "bicubic", "--out", path)  # fmt: skip
    rng = np.random.default_rng(2)

    def averaged(tensors):
        near = {n: t * (1.03 if t.ndim == 2 else rng.uniform(0.999, 1.001, t.shape)) for n, t in tensors.items()}
        return {**tensors, **{f"ema.{n}": t.astype(np.float32) for n, t in near.items()}}

    rewrite(path, averaged)
    return path


def pictures(args, case: Case, folder: Path) -> tuple[list, np.ndarray]:
    rng = np.random.default_rng(7)
    likened = None
    if args.full:
        from starts import random_images

        # What the statistics were taken of.
        likened = random_images(7, IMAGES, case.size)
    paths, arrays = [], []
    for number in range(IMAGES):
        if likened is not None:
            array = likened[number]
        else:
            coarse = Image.fromarray(rng.integers(0, 256, (5, 5, 3), dtype=np.uint8))
            array = np.asarray(coarse.resize((case.size, case.size), Image.Resampling.BICUBIC)).astype(int)
            noise = rng.integers(-80, 81, 3) + rng.integers(-20, 21, array.shape)
            array = np.clip(array + noise, 0, 255).astype(np.uint8)
        paths.append(folder / f"{number}.png")
        Image.fromarray(array).save(paths[-1])
        arrays.append(array)
    photo = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    Image.fromarray(photo).resize((111, 143), Image.Resampling.BICUBIC).save(folder / "photo.jpg", quality=95)
    return paths, np.stack(arrays)


def predicted(args, checkpoint: Path, paths: list, *options) -> np.ndarray:
    """[N, classes]"""
    rows = json.loads(call(args, "predict", checkpoint, *paths, "--json", *options, *device(args)))
    return np.array([row["logits"] for row in rows])


def exported(args, checkpoint: Path, out: Path, *options) -> str:
    return call(args, "export", checkpoint, "--to", out.suffix[1:], "--out", out, *options)


def session(path: Path) -> onnxruntime.InferenceSession:
    onnx.checker.check_model(path, full_check=True)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def off(found: np.ndarray, ours: np.ndarray) -> float:
    assert found.shape == ours.shape and np.isfinite(found).all(), (found.shape, ours.shape)
    return float(np.abs(found - ours).max() / np.abs(ours).max())


def run_card(path: Path, folder: Path) -> str:
    """Runs the Python of a card in its folder and returns what it prints."""
    (code,) = re.findall(r"```python\n(.*?)```", path.read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{path}: {done.stderr}")
    return done.stdout.strip()


def run_cards(args, case: Case, checkpoint: Path, folder: Path) -> None:
    """What the cards say of a photo that is resized and cropped on the way."""
    crop = cropping(checkpoint, folder / "crop.safetensors")
    rows = json.loads(call(args, "predict", crop, folder / "photo.jpg", "--json", "--top", 2, *device(args)))
    for name, options in (("images", []), ("bytes", ["--pixels", "--softmax"])):
        exported(args, crop, folder / f"{name}.onnx", *options)
        said = run_card(folder / f"{name}.onnx.md", folder)
        # JPEG decoders differ in last bits, which decide between classes that are equally probable.
        assert said in [guess["class"] for guess in rows[0]["top"]], f"{case}: the card of {name}.onnx says {said}, predict {rows}"


def compare(case: Case, args, folder: Path) -> bool:
    checkpoint = (refereed if args.full else trained)(args, case, folder)
    paths, arrays = pictures(args, case, folder)
    ours = {domain: predicted(args, checkpoint, paths, "--domain", domain) for domain in DOMAINS}
    apart = np.abs(ours["main"] - ours["aux"]).max(), np.ptp(ours["main"], axis=0).max()
    assert min(apart) > 5e-3 * np.abs(ours["main"]).max(), f"{case}: domains or images hardly differ, {apart}"

    # All domains in one graph, from normalised images.
    every = folder / "every.onnx"
    exported(args, checkpoint, every, "--domain", "all", "--softmax")
    run = session(every)
    facts = run.get_modelmeta().custom_metadata_map
    mean, std = (np.array(json.loads(facts[key])) for key in ("mean", "std"))
    assert facts["arch"] == case.arch and int(facts["image_size"]) == case.size and json.loads(facts["domains"]) == DOMAINS
    image = ((arrays / 255 - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    worst = {}
    for count in (1, 2, IMAGES):
        names = ["logits", "logits_aux", "probabilities", "probabilities_aux"]
        found = run.run(names, {"image": image[:count]})
        for logits, probabilities, domain in zip(found[:2], found[2:], DOMAINS):
            key = f"all, {domain}"
            worst[key] = max(worst.get(key, 0), off(logits, ours[domain][:count]))
            exact = np.exp(logits - logits.max(1, keepdims=True))
            assert np.allclose(probabilities, exact / exact.sum(1, keepdims=True), atol=1e-5)

    # Each alone: from bytes, and stored as f16.
    cost = 0.0
    for domain in DOMAINS:
        alone, half = folder / f"{domain}.onnx", folder / f"{domain}16.onnx"
        exported(args, checkpoint, alone, "--domain", domain, "--pixels")
        (logits,) = session(alone).run(["logits"], {"pixels": arrays})
        worst[f"pixels, {domain}"] = off(logits, ours[domain])
        exported(args, checkpoint, half, "--domain", domain, "--f16")
        (logits,) = session(half).run(["logits"], {"image": image})
        cost = max(cost, float(np.abs(logits - ours[domain]).max() / np.abs(ours[domain]).max()))
        assert half.stat().st_size < 0.75 * alone.stat().st_size, "f16 saves too little"
    strict = ""
    if args.full:
        strict = in_timm(args, case, checkpoint, folder, paths, image, ours)
    else:
        run_cards(args, case, checkpoint, folder)
    line = ", ".join(f"{key} {value:.1e}" for key, value in worst.items())
    print(f"{case}: {line}; f16 moves logits by {100 * cost:.2f} % of the largest ({np.abs(ours['main']).max():.2f}){strict}", flush=True)
    # A NaN is beyond every limit.
    return max(worst.values()) <= LIMIT and cost <= F16_LIMIT


def in_timm(args, case: Case, checkpoint: Path, folder: Path, paths: list, image: np.ndarray, averaged: dict) -> str:
    """Exports raw and averaged weights of each domain, loads them by the Python of the card, and compares logits."""
    if case.arch.startswith("preact") or (case.width, case.depth) != (1, 1):
        return ""
    import torch

    worst = 0.0
    for domain in DOMAINS:
        for weights in ("raw", "ema"):
            out = folder / f"{domain}.{weights}.safetensors"
            exported(args, checkpoint, out, "--domain", domain, "--weights", weights)
            (code,) = re.findall(r"```python\n(.*?)```", (folder / f"{out.name}.md").read_text(), re.DOTALL)
            scope = {}
            exec(code.replace(f'"{out.name}"', repr(str(out))), scope)
            with torch.no_grad():
                found = scope["model"](torch.from_numpy(image)).numpy()
            ours = averaged[domain]
            if weights == "raw":
                ours = predicted(args, checkpoint, paths, "--domain", domain, "--weights", weights)
            worst = max(worst, off(found, ours))
    assert worst <= LIMIT, f"{case}: timm's logits are off by {worst:.1e}"
    return f"; timm strict, raw and ema, {worst:.1e}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--full", action="store_true", help="every architecture as published; needs torch and timm")
    parser.add_argument("--width", type=float, default=1.0, help="with --full: narrower networks, in a fraction of the time, without timm")
    parser.add_argument("--only", default="", help="part of an architecture's name")
    parser.add_argument("--device", help="handed to dualprop")
    args = parser.parse_args()
    args.binary = str(Path(args.binary).resolve())
    cases = SMALL
    if args.full:
        rows = sorted(json.loads(call(args, "models", "--json")), key=lambda row: row["parameters"])
        cases = [Case(row["arch"], 32 if row["arch"].startswith("preact") else 64, args.width) for row in rows]
    good = []
    for case in cases:
        if args.only in case.arch:
            with tempfile.TemporaryDirectory() as folder:
                good.append(compare(case, args, Path(folder)))
    print(f"{sum(good)} of {len(good)} networks agree with onnxruntime {onnxruntime.__version__}")
    sys.exit(0 if good and all(good) else 1)


if __name__ == "__main__":
    main()
