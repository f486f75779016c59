"""What public implementations say of the robustness of a network on photographs: its timm form under the corruptions of
`imagecorruptions` (ImageNet-C's own code) and the attacks of `torchattacks`. Prints a row for each cell, and beside it
the row that `dualprop eval --resume DIR` measured, where that is given.

    pip install torch timm imagecorruptions torchattacks
    python3 compare_robustness.py tf_efficientnet_lite0 WEIGHTS.safetensors PHOTOS [--ours DIR…]

PHOTOS holds files NNN_*.jpg, NNN the class, in folders or not. Images are resized and cropped once, then corrupted, as the program does.
"""

import argparse
import json
import pathlib

import numpy as np
import skimage.filters
import timm
import torch
import torchattacks
from PIL import Image
from safetensors.torch import load_file

# imagecorruptions 1.1.2 was written for releases of scikit-image that knew `multichannel`.
_gaussian = skimage.filters.gaussian


def gaussian(image, *args, multichannel=None, **options):
    if multichannel:
        options["channel_axis"] = -1
    return _gaussian(image, *args, **options)


skimage.filters.gaussian = gaussian
# And for releases of NumPy that knew `float_`.
np.float_ = np.float64
import imagecorruptions  # noqa: E402
import imagecorruptions.corruptions  # noqa: E402

imagecorruptions.corruptions.gaussian = gaussian


def load(path, size, crop):
    """The centre square of a photograph, bicubic, as uint8 [size, size, 3]."""
    whole = round(size / crop)
    image = Image.open(path).convert("RGB")
    width, height = image.size
    scale = whole / min(width, height)
    shape = [whole if side == min(width, height) else int(side * scale) for side in (width, height)]
    image = image.resize(shape, Image.BICUBIC)
    left, top = [round((side - size) / 2) for side in image.size]
    return np.asarray(image.crop((left, top, left + size, top + size)))


class Normalized(torch.nn.Module):
    """The network over pixels of 0..1, as attacks see it."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net((x - 0.5) / 0.5)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("arch")
    parser.add_argument("weights")
    parser.add_argument("photos", type=pathlib.Path)
    parser.add_argument("--ours", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--corruptions", choices=["common", "all", "none"], default="all")
    parser.add_argument("--pgd", type=float, nargs="*", default=[])
    parser.add_argument("--apgd", type=float, nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--step", type=float, default=1.0, help="of PGD, in 1/255")
    args = parser.parse_args()
    torch.set_num_threads(1)
    net = timm.create_model(args.arch)
    net.load_state_dict(load_file(args.weights))
    # The whole of it: torchattacks puts a model back into the mode that the outermost module was in.
    model = Normalized(net).eval()
    size, crop = net.default_cfg["input_size"][1], net.default_cfg["crop_pct"]
    files = sorted(args.photos.rglob("*.jpg"))
    labels = torch.tensor([int(file.name[:3]) for file in files])
    images = [load(file, size, crop) for file in files]

    ours = {}
    for folder in args.ours:
        for line in (folder / "rows.jsonl").read_text().splitlines():
            row = json.loads(line)
            ours[row["attack"] or row["corruption"], row["severity"]] = row

    def top1(batch):
        hits = 0
        for start in range(0, len(batch), 20):
            pixels = torch.from_numpy(np.stack(batch[start : start + 20])).permute(0, 3, 1, 2).float() / 255
            with torch.no_grad():
                hits += (model(pixels).argmax(1) == labels[start : start + 20]).sum().item()
        return hits / len(batch)

    def tell(name, severity, value):
        row = ours.get((name, severity))
        beside = f"  ours {100 * row['top1']:5.1f}" if row else ""
        print(f"{name or 'clean':40s} {severity or '':1} {100 * value:5.1f}{beside}", flush=True)

    tell(None, None, top1(images))
    names = [] if args.corruptions == "none" else imagecorruptions.get_corruption_names(args.corruptions)
    for name in names:
        for severity in range(1, 6):
            np.random.seed(0)
            made = [imagecorruptions.corrupt(image, corruption_name=name, severity=severity) for image in images]
            tell(name, severity, top1([np.asarray(image, np.uint8) for image in made]))
    pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    attacks = [
        (f"pgd:eps={eps:g},step={args.step:g},iters={args.steps}",
         torchattacks.PGD(model, eps=eps / 255, alpha=args.step / 255, steps=args.steps, random_start=True))
        for eps in args.pgd
    ] + [
        (f"apgd:eps={eps:g},iters={args.steps}",
         torchattacks.APGD(model, norm="Linf", eps=eps / 255, steps=args.steps, n_restarts=1, loss="ce", eot_iter=1))
        for eps in args.apgd
    ]
    for name, attack in attacks:
        torch.manual_seed(0)
        hits = 0
        for start in range(0, len(images), 10):
            part = labels[start : start + 10]
            made = attack(pixels[start : start + 10], part)
            with torch.no_grad():
                hits += (model(made).argmax(1) == part).sum().item()
        tell(name, None, hits / len(images))


if __name__ == "__main__":
    main()
