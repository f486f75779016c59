"""Makes tests/fixtures/augment/operations.safetensors: what each augmentation operation does to small images.

The Pillow convention is computed by torchvision's own AutoAugment over Pillow, the TensorFlow one by the formulas of
EfficientNet's code written in numpy, the window of `inception` by Pillow, whole images as squares by the transform that
timm evaluates with. The metadata hold the published policy tables
as torchvision and timm have them.

    python make_augment_fixtures.py
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file
from timm.data import create_transform
from timm.data.auto_augment import auto_augment_policy_v0
from torchvision.transforms import InterpolationMode
from torchvision.transforms import autoaugment

OUT = Path(__file__).parent.parent / "fixtures" / "augment"
GREY = 128


def test_image(side, seed):
    """Gradients, blocks and noise, with channels of different range."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:side, 0:side]
    planes = [40 + 150 * x / side, 20 + 200 * y / side, 90 + 60 * np.sin((x + 2 * y) / 4)]
    image = np.stack(planes, -1) + rng.normal(0, 12, (side, side, 3))
    image[3:9, 5:14] = (230, 30, 60)
    image[12:20, 2:8, 2] = 200
    return np.clip(image, [10, 0, 30], [240, 255, 220]).astype(np.uint8)


# --- torchvision over Pillow -------------------------------------------------------------------------------------------

SIGNED = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Color", "Contrast", "Brightness", "Sharpness"}


def pillow_operation(image, name, level, negative):
    transform = autoaugment.AutoAugment()
    magnitudes, signed = transform._augmentation_space(10, image.shape[:2])[name]
    magnitude = float(magnitudes[level].item()) if magnitudes.ndim > 0 else 0.0
    assert signed == (name in SIGNED)
    if signed and negative:
        magnitude = -magnitude
    pillow = Image.fromarray(image)
    return np.asarray(autoaugment._apply_op(pillow, name, magnitude, InterpolationMode.NEAREST, [GREY] * 3))


# --- EfficientNet's code in TensorFlow --------------------------------------------------------------------------------

f32 = np.float32


def blend(poor, image, factor):
    if factor == 0.0:
        return poor
    if factor == 1.0:
        return image
    mixed = poor.astype(f32) + f32(factor) * (image.astype(f32) - poor.astype(f32))
    return mixed.astype(np.uint8) if 0 < factor < 1 else np.clip(mixed, 0, 255).astype(np.uint8)


def grey(image):
    unit = image.astype(f32) * f32(1 / 255)
    luma = (unit[..., 0] * f32(0.2989) + unit[..., 1] * f32(0.587)) + unit[..., 2] * f32(0.114)
    return np.repeat((luma * f32(255.5)).astype(np.uint8)[..., None], 3, -1)


def projective(image, matrix):
    a, b, c, d, e, f = (f32(v) for v in matrix)
    side = len(image)
    out = np.full_like(image, GREY)
    for y in range(side):
        for x in range(side):
            u, v = a * f32(x) + b * f32(y) + c, d * f32(x) + e * f32(y) + f
            # Halves away from zero.
            u, v = (int(math.copysign(math.floor(abs(w) + f32(0.5)), w)) for w in (u, v))
            if 0 <= u < side and 0 <= v < side:
                out[y, x] = image[v, u]
    return out


def rotation(side, angle):
    sin, cos = f32(math.sin(f32(angle))), f32(math.cos(f32(angle)))
    last = f32(side - 1)
    dx = (last - (cos * last - sin * last)) / f32(2)
    dy = (last - (sin * last + cos * last)) / f32(2)
    return cos, -sin, dx, sin, cos, dy


def per_channel(image, f):
    return np.stack([f(image[..., c]) for c in range(3)], -1)


def autocontrast(plane):
    low, high = f32(plane.min()), f32(plane.max())
    if high <= low:
        return plane
    scale = f32(255) / (high - low)
    return np.clip(plane.astype(f32) * scale + -low * scale, 0, 255).astype(np.uint8)


def equalize(plane):
    counts = np.bincount(plane.ravel(), minlength=256)
    step = (counts.sum() - counts[counts > 0][-1]) // 255
    if step == 0:
        return plane
    table = (np.cumsum(counts) + step // 2) // step
    return np.clip(np.concatenate([[0], table[:-1]]), 0, 255).astype(np.uint8)[plane]


def sharpness(image, factor):
    wide = image.astype(np.int64)
    smooth = image.copy()
    total = sum(wide[1 + dy : len(wide) - 1 + dy, 1 + dx : len(wide) - 1 + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    smooth[1:-1, 1:-1] = (total + 4 * wide[1:-1, 1:-1]) // 13
    return blend(smooth, image, factor)


def tensorflow_operation(image, name, level, negative, reach, centre):
    """`reach`: pixels of a translation and half a cutout at level 10."""
    side = len(image)
    share = level / 10
    sign = -1 if negative else 1
    factor = share * 1.8 + 0.1
    if name == "ShearX":
        return projective(image, (1, sign * share * 0.3, 0, 0, 1, 0))
    if name == "ShearY":
        return projective(image, (1, 0, 0, sign * share * 0.3, 1, 0))
    if name == "TranslateX":
        return projective(image, (1, 0, sign * share * reach[0], 0, 1, 0))
    if name == "TranslateY":
        return projective(image, (1, 0, 0, 0, 1, sign * share * reach[0]))
    if name == "Rotate":
        return projective(image, rotation(side, sign * share * 30 * math.pi / 180))
    if name == "AutoContrast":
        return per_channel(image, autocontrast)
    if name == "Equalize":
        return per_channel(image, equalize)
    if name == "Invert":
        return 255 - image
    if name == "Posterize":
        bits = int(share * 4)
        # TensorFlow shifts a byte by at most 7.
        shift = min(max(8 - bits, 0), 7)
        return (image >> shift) << shift
    if name == "Solarize":
        return np.where(image < int(share * 256), image, 255 - image).astype(np.uint8)
    if name == "SolarizeAdd":
        added = np.clip(image.astype(np.int64) + int(share * 110), 0, 255).astype(np.uint8)
        return np.where(image < 128, added, image)
    if name == "Color":
        return blend(grey(image), image, factor)
    if name == "Contrast":
        # The sum of the histogram's counts over its 256 bins: not the mean grey.
        flat = np.full_like(image, min(side * side / 256, 255))
        return blend(flat, image, factor)
    if name == "Brightness":
        return blend(np.zeros_like(image), image, factor)
    if name == "Sharpness":
        return sharpness(image, factor)
    if name == "Cutout":
        half = int(share * reach[1])
        x, y = centre
        out = image.copy()
        out[max(y - half, 0) : max(y + half, 0), max(x - half, 0) : max(x + half, 0)] = GREY
        return out
    raise ValueError(name)


# --- the file ---------------------------------------------------------------------------------------------------------


def cases(images, tensors):
    listed = []

    def add(convention, image, name, level, negative, centre, result):
        key = f"out.{len(listed)}"
        tensors[key] = np.ascontiguousarray(result)
        listed.append(
            dict(convention=convention, image=image, operation=name, level=level, negative=negative, centre=centre)
        )

    for name in autoaugment.AutoAugment()._augmentation_space(10, (24, 24)):
        geometric = name[:5] in ("Shear", "Trans", "Rotat")
        levels = [0, 3, 6, 9] if name in SIGNED else [0]
        if name in ("Color", "Posterize", "Solarize"):
            levels = range(10)
        for number, level in enumerate(levels):
            for negative in (False, True) if name in SIGNED and level > 0 else (False,):
                image = number % 2 if geometric else 0
                add("pillow", image, name, level, negative, [0, 0], pillow_operation(images[image], name, level, negative))
    plain = ("AutoContrast", "Equalize", "Invert")
    for name in "ShearX ShearY TranslateX TranslateY Rotate AutoContrast Equalize Invert Posterize Solarize SolarizeAdd Color Contrast Brightness Sharpness Cutout".split():
        geometric = name[:5] in ("Shear", "Trans", "Rotat")
        for number, level in enumerate([0] if name in plain else [2, 5, 10, 28]):
            for negative in (False, True) if geometric else (False,):
                image = number % 2
                side = len(images[image])
                for policy, reach in (("autoaugment", (250, 100)), ("randaugment", (100, 40))):
                    if policy == "autoaugment" and name not in ("TranslateX", "TranslateY", "Cutout"):
                        continue
                    # Counted in pixels of a 224-pixel image; smaller ones shrink them.
                    reach = tuple(v * min(1, side / 224) for v in reach)
                    centre = [3, side - 6]
                    result = tensorflow_operation(images[image], name, level, negative, reach, centre)
                    add(policy, image, name, level, negative, centre, result)
    return listed


def windows(tensors):
    photo = np.kron(test_image(31, 3), np.ones((2, 1, 1), np.uint8))
    photo = np.concatenate([photo, test_image(62, 4)], 1)
    tensors["photo"] = photo
    listed = []
    for left, top, width, height, size in [(0, 0, 93, 62, 24), (7, 11, 40, 33, 24), (50, 2, 9, 11, 24), (30, 20, 24, 24, 24)]:
        part = Image.fromarray(photo).crop((left, top, left + width, top + height))
        tensors[f"window.{len(listed)}"] = np.asarray(part.resize((size, size), Image.Resampling.BICUBIC)).copy()
        listed.append([left, top, width, height, size])
    return listed


def squares(tensors):
    photo = Image.fromarray(tensors["photo"])
    listed = []
    for size, crop_ratio, interpolation in [(24, 1.0, "bilinear"), (24, 0.875, "bicubic"), (41, 0.9, "bicubic"), (96, 0.95, "bilinear")]:
        whole = create_transform((3, size, size), interpolation=interpolation, crop_pct=crop_ratio)
        square = photo
        for step in whole.transforms[:2]:
            square = step(square)
        tensors[f"square.{len(listed)}"] = np.asarray(square).copy()
        listed.append([size, crop_ratio, interpolation])
    return listed


def tables():
    def plain(policy):
        return [[[name, probability, level or 0] for name, probability, level in pair] for pair in policy]

    made = autoaugment.AutoAugment()
    timm = auto_augment_policy_v0({"translate_const": 250})
    v0 = [[[op.name, op.prob, op.magnitude] for op in pair] for pair in timm]
    return {
        "imagenet": plain(made._get_policies(autoaugment.AutoAugmentPolicy.IMAGENET)),
        "cifar": plain(made._get_policies(autoaugment.AutoAugmentPolicy.CIFAR10)),
        "imagenet_v0": v0,
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    images = [test_image(24, 1), test_image(25, 2)]
    tensors = {f"image.{i}": image for i, image in enumerate(images)}
    metadata = {
        "cases": json.dumps(cases(images, tensors)),
        "windows": json.dumps(windows(tensors)),
        "squares": json.dumps(squares(tensors)),
        "tables": json.dumps(tables()),
    }
    save_file(tensors, OUT / "operations.safetensors", metadata)


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
