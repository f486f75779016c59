#!/usr/bin/env python3
"""Makes tests/fixtures/corruptions/*.safetensors.gz: what the corruptions of ImageNet-C and CIFAR-C make of an
image, given the draws.

The referees are scikit-image, SciPy, OpenCV and Pillow in the benchmark's formulas, with the draws as
arguments. What `imagecorruptions` 1.1.2 computes alike is compared with it before anything is written; where it
departs from the benchmark (elastic transform, frost, the cut of enlarged images) the benchmark's form counts.

Needs numpy, scipy, scikit-image, opencv-python-headless, Pillow, safetensors, imagecorruptions and its folder
of modules on the path: `python3 make_corruption_fixtures.py`.
"""

import gzip
import io
import json
import pathlib
import sys
import types

import cv2
import numpy as np
import scipy.ndimage
import skimage
from PIL import Image
from safetensors.numpy import save
from scipy.ndimage import map_coordinates, zoom as scizoom
from skimage.filters import gaussian

OUT = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "corruptions"

# Images that moments are means over.
DRAWN = 300

# name: (ImageNet-C, CIFAR-C), five severities each.
STRENGTHS = {
    "gaussian_noise": ([0.08, 0.12, 0.18, 0.26, 0.38], [0.04, 0.06, 0.08, 0.09, 0.10]),
    "shot_noise": ([60, 25, 12, 5, 3], [500, 250, 100, 75, 50]),
    "impulse_noise": ([0.03, 0.06, 0.09, 0.17, 0.27], [0.01, 0.02, 0.03, 0.05, 0.07]),
    "defocus_blur": ([(3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)],
                     [(0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)]),
    "glass_blur": ([(0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)],
                   [(0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)]),
    "motion_blur": ([(10, 3), (15, 5), (15, 8), (15, 12), (20, 15)],
                    [(6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)]),
    "zoom_blur": ([(1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)],
                  [(1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)]),
    "snow": ([(0.1, 0.3, 3, 0.5, 10, 4, 0.8), (0.2, 0.3, 2, 0.5, 12, 4, 0.7), (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
              (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65), (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55)],
             [(0.1, 0.2, 1, 0.6, 8, 3, 0.95), (0.1, 0.2, 1, 0.5, 10, 4, 0.9), (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
              (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85), (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8)]),
    "frost": ([(1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75)],
              [(1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45)]),
    "fog": ([(1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)],
            [(0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)]),
    "brightness": ([0.1, 0.2, 0.3, 0.4, 0.5], [0.05, 0.1, 0.15, 0.2, 0.3]),
    "contrast": ([0.4, 0.3, 0.2, 0.1, 0.05], [0.75, 0.5, 0.4, 0.3, 0.15]),
    "elastic_transform": ([(2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)],
                          [(0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03)]),
    "pixelate": ([0.6, 0.5, 0.4, 0.3, 0.25], [0.95, 0.9, 0.85, 0.75, 0.65]),
    "jpeg_compression": ([25, 18, 15, 10, 7], [80, 65, 58, 50, 40]),
    "speckle_noise": ([0.15, 0.2, 0.35, 0.45, 0.6], [0.06, 0.1, 0.12, 0.16, 0.2]),
    "gaussian_blur": ([1, 2, 3, 4, 6], [0.4, 0.6, 0.7, 0.8, 1]),
    "spatter": ([(0.65, 0.3, 4, 0.69, 0.6, 0), (0.65, 0.3, 3, 0.68, 0.6, 0), (0.65, 0.3, 2, 0.68, 0.5, 0),
                 (0.65, 0.3, 1, 0.65, 1.5, 1), (0.67, 0.4, 1, 0.65, 1.5, 1)],
                [(0.62, 0.1, 0.7, 0.7, 0.5, 0), (0.65, 0.1, 0.8, 0.7, 0.5, 0), (0.65, 0.3, 1, 0.69, 0.5, 0),
                 (0.65, 0.1, 0.7, 0.69, 0.6, 1), (0.65, 0.1, 0.5, 0.68, 0.6, 1)]),
    "saturate": ([(0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)], [(0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)]),
}


def blurred(x, sigma, **how):
    return gaussian(x, sigma=sigma, channel_axis=-1 if x.ndim == 3 else None, **how)


def centre_zoom(x, factor):
    parts = [int(np.ceil(side / factor)) for side in x.shape[:2]]
    top, left = [(side - part) // 2 for side, part in zip(x.shape[:2], parts)]
    x_zoomed = scizoom(x[top:top + parts[0], left:left + parts[1]], (factor, factor, 1)[:x.ndim], order=1)
    top, left = [(big - side) // 2 for big, side in zip(x_zoomed.shape[:2], x.shape[:2])]
    return x_zoomed[top:top + x.shape[0], left:left + x.shape[1]]


def smear(x, radius, sigma, angle):
    """ImageMagick's motion blur with the border's pixels going on."""
    taps = np.arange(2 * radius + 1)
    weights = np.exp(-taps.astype(float) ** 2 / (2 * sigma ** 2))
    weights /= weights.sum()
    rows, columns = np.arange(x.shape[0]), np.arange(x.shape[1])
    out = np.zeros_like(x, dtype=np.float64)
    for tap, weight in zip(taps, weights):
        down = int(np.ceil(tap * np.sin(np.deg2rad(angle)) - 0.5))
        right = int(np.ceil(tap * np.cos(np.deg2rad(angle)) - 0.5))
        y = np.clip(rows + down, 0, len(rows) - 1)
        x_at = np.clip(columns + right, 0, len(columns) - 1)
        out += weight * x[y][:, x_at]
    return out


def disk(radius, softness):
    reach, taps = (8, (3, 3)) if radius <= 8 else (int(radius), (5, 5))
    line = np.arange(-reach, reach + 1)
    grid = ((line[:, None] ** 2 + line[None] ** 2) <= radius ** 2).astype(np.float32)
    return cv2.GaussianBlur(grid / grid.sum(), ksize=taps, sigmaX=softness)


def plasma(side, decay, draw):
    heights = np.zeros((side, side))
    step, wibble = side, 100.0

    def wobbled(sums):
        return sums / 4 + wibble * wibble * draw(sums.shape)

    while step >= 2:
        half = step // 2
        corners = heights[::step, ::step]
        columns = corners + np.roll(corners, -1, axis=0)
        heights[half::step, half::step] = wobbled(columns + np.roll(columns, -1, axis=1))
        middles = heights[half::step, half::step]
        heights[::step, half::step] = wobbled(
            middles + np.roll(middles, 1, axis=0) + corners + np.roll(corners, -1, axis=1))
        heights[half::step, ::step] = wobbled(
            middles + np.roll(middles, 1, axis=1) + corners + np.roll(corners, -1, axis=0))
        step //= 2
        wibble /= decay
    heights -= heights.min()
    return heights / heights.max()


def plasma_draws(side):
    """How many numbers a plasma of this side takes."""
    return side * side - 1


class Replay:
    """Hands out stored draws in turn."""

    def __init__(self, values):
        self.values, self.at = values, 0

    def __call__(self, shape):
        count = int(np.prod(shape))
        out = self.values[self.at:self.at + count]
        assert len(out) == count
        self.at += count
        return out.reshape(shape)


def corrupt(name, c, cifar, image, d):
    """`image` u8 [H, W, 3], `c` its strength, `d` the draws; bytes after the benchmark's cutting off."""
    h, w = image.shape[:2]
    x = image / 255.0
    if name == "gaussian_noise":
        x = x + c * d["normal_rgb"]
    elif name == "speckle_noise":
        x = x + x * c * d["normal_rgb"]
    elif name == "shot_noise":
        x = d["generator"].poisson(x * c) / c
    elif name == "impulse_noise":
        x = skimage.util.random_noise(x, mode="s&p", amount=c, rng=d["generator"])
    elif name == "defocus_blur":
        kernel = disk(*c)
        x = np.stack([cv2.filter2D(np.ascontiguousarray(x[..., i]), -1, kernel) for i in range(3)], -1)
    elif name == "gaussian_blur":
        x = blurred(x, c)
    elif name == "glass_blur":
        b = np.uint8(blurred(x, c[0]) * 255)
        draws = Replay(d["unit"])
        for _ in range(c[2]):
            for y in range(h - c[1], c[1], -1):
                for x_at in range(w - c[1], c[1], -1):
                    dx, dy = np.floor(draws((2,)).astype(np.float64) * 2 * c[1]).astype(int) - c[1]
                    # Written as the benchmark has it, so that NumPy's views do what they do there.
                    b[y, x_at], b[y + dy, x_at + dx] = b[y + dy, x_at + dx], b[y, x_at]
        x = blurred(b / 255.0, c[0])
    elif name == "motion_blur":
        return np.uint8(np.clip(smear(image, *c, d["angle"]), 0, 255))
    elif name == "zoom_blur":
        x = x.astype(np.float32)
        factors = np.arange(1, *c)
        x = (x + sum(centre_zoom(x, factor) for factor in factors)) / (len(factors) + 1)
    elif name == "snow":
        x = x.astype(np.float32)
        layer = centre_zoom(c[0] + c[1] * d["normal"].astype(np.float64), c[2])
        layer[layer < c[3]] = 0
        layer = (np.clip(layer, 0, 1) * 255).astype(np.uint8)
        layer = np.round(smear(layer, c[4], c[5], d["snow_angle"]))[..., None] / 255.0
        grey = cv2.cvtColor(x, cv2.COLOR_RGB2GRAY)[..., None]
        x = c[6] * x + (1 - c[6]) * np.maximum(x, grey * 1.5 + 0.5)
        x = x + layer + np.rot90(layer, k=2)
    elif name == "frost":
        picture = d["frost"]
        if cifar:
            picture = cv2.resize(picture, (0, 0), fx=0.2, fy=0.2)
        top, left = d["frost_place_cifar" if cifar else "frost_place"]
        ice = picture[top:top + h, left:left + w]
        return np.uint8(np.clip(c[0] * image + c[1] * ice, 0, 255))
    elif name == "fog":
        side = 1 << (max(h, w) - 1).bit_length()
        highest = x.max()
        cloud = plasma(side, c[1], Replay(d["symmetric"]))[:h, :w, None]
        x = (x + c[0] * cloud) * highest / (highest + c[0])
    elif name in ("brightness", "saturate"):
        x = skimage.color.rgb2hsv(x)
        if name == "brightness":
            x[..., 2] = np.clip(x[..., 2] + c, 0, 1)
        else:
            x[..., 1] = np.clip(x[..., 1] * c[0] + c[1], 0, 1)
        x = skimage.color.hsv2rgb(x)
    elif name == "contrast":
        means = x.mean(axis=(0, 1), keepdims=True)
        x = (x - means) * c + means
    elif name == "elastic_transform":
        unit = min(h, w) * (1 if cifar else 244 / 224)
        amount, sigma, affine = [v * unit for v in c]
        x = x.astype(np.float32)
        centre = np.float32([w // 2, h // 2])
        size = min(h, w) // 3
        source = np.float32([centre + size, [centre[0] + size, centre[1] - size], centre - size])
        target = source + (d["points"] * affine).astype(np.float32)
        x = cv2.warpAffine(x, cv2.getAffineTransform(source, target), (w, h), borderMode=cv2.BORDER_REFLECT_101)
        across, down = [
            blurred(field.astype(np.float64), sigma, mode="reflect", truncate=3) * amount for field in d["fields"]]
        rows, columns = np.meshgrid(np.arange(h), np.arange(w), indexing="ij")
        places = [rows + down, columns + across]
        x = np.stack([map_coordinates(x[..., i], places, order=1, mode="reflect") for i in range(3)], -1)
    elif name == "pixelate":
        small = Image.fromarray(image).resize((int(w * c), int(h * c)), Image.BOX)
        return np.array(small.resize((w, h), Image.BOX))
    elif name == "jpeg_compression":
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=c)
        return np.array(Image.open(file))
    elif name == "spatter":
        x = spatter(x.astype(np.float32), c, d["normal"].astype(np.float64))
    return np.uint8(np.clip(x, 0, 1) * 255)


def spatter(x, c, normal):
    mean, deviation, sigma, threshold, amount, mud = c
    liquid = blurred(mean + deviation * normal, sigma)
    liquid[liquid < threshold] = 0
    if mud:
        cover = blurred((liquid > threshold).astype(np.float32), amount)
        cover[cover < 0.8] = 0
        return x * (1 - cover[..., None]) + np.float64([63, 42, 20]) / 255 * cover[..., None]
    liquid = (liquid * 255).astype(np.uint8)
    near = cv2.distanceTransform(255 - cv2.Canny(liquid, 50, 150), cv2.DIST_L2, 5)
    near = cv2.threshold(near, 20, 20, cv2.THRESH_TRUNC)[1]
    slope = cv2.equalizeHist(cv2.blur(near, (3, 3)).astype(np.uint8))
    relief = cv2.filter2D(slope, cv2.CV_8U, np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]]))
    light = liquid * cv2.blur(relief, (3, 3)).astype(np.float32)
    light *= amount / light.max()
    return x + light[..., None] * np.float64([175, 238, 238]) / 255


def picture(h, w, rng):
    """Shapes with sharp edges over a shaded ground with fine texture."""
    y, x = np.mgrid[:h, :w].astype(np.float64)
    ground = np.stack([90 + 100 * x / w, 60 + 120 * y / h, 150 - 90 * (x + y) / (h + w)], -1)
    ground += rng.normal(size=(h, w, 1)) * 8
    ground[(x - w * 0.35) ** 2 + (y - h * 0.4) ** 2 < (h * 0.27) ** 2] = [220, 50, 40]
    ground[int(h * 0.55):int(h * 0.9), int(w * 0.5):int(w * 0.85)] = [30, 60, 200]
    ground[::5, ::7] = 250
    ground[-3:, :8] = [128, 128, 128]
    ground[:3, -6:] = 0
    return np.clip(ground, 0, 255).astype(np.uint8)


def moments(x, image):
    """Mean, and root mean square of the change, in levels."""
    change = x.astype(np.float64) - image
    return x.mean(), np.sqrt((change ** 2).mean())


def draws(h, w, rng):
    side = 1 << (max(h, w) - 1).bit_length()
    frost = cv2.resize(rng.integers(40, 256, (40, 50, 3)).astype(np.uint8), (5 * w + 40, 5 * h + 35))
    return {
        "normal_rgb": rng.normal(size=(h, w, 3)).astype(np.float32),
        "normal": rng.normal(size=(h, w)).astype(np.float32),
        "unit": rng.random(2 * 3 * h * w).astype(np.float32),
        "symmetric": rng.uniform(-1, 1, plasma_draws(side)).astype(np.float32).astype(np.float64),
        "points": rng.uniform(-1, 1, (3, 2)).astype(np.float32),
        "fields": rng.uniform(-1, 1, (2, h, w)).astype(np.float32),
        "frost": frost,
        "frost_place": (17, 23),
        "frost_place_cifar": (3, 5),
        "generator": rng,
        "angle": 31.0,
        "snow_angle": -71.0,
    }


def check_against_imagecorruptions():
    """Holds these formulas to the package where both mean the same, on a larger square."""
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda name, path: path
    sys.modules.setdefault("pkg_resources", resources)
    interpolation = types.ModuleType("scipy.ndimage.interpolation")
    interpolation.map_coordinates = scipy.ndimage.map_coordinates
    sys.modules.setdefault("scipy.ndimage.interpolation", interpolation)
    np.float_ = np.float64
    from imagecorruptions import corruptions as theirs

    def filtered(x, sigma=1, multichannel=False, **how):
        return gaussian(x, sigma=sigma, channel_axis=-1 if multichannel else None, **how)

    theirs.gaussian = filtered
    rng = np.random.default_rng(3)
    h = w = 64
    image, d = picture(h, w, rng), draws(h, w, rng)
    stored = {name: getattr(np.random, name) for name in ("normal", "uniform", "randint")}
    unit, symmetric = Replay(d["unit"]), Replay(d["symmetric"])
    np.random.normal = lambda size, loc=0.0, scale=1.0: (
        loc + scale * d["normal_rgb" if len(size) == 3 else "normal"].astype(np.float64))
    angles = {(-45, 45): d["angle"], (-135, -45): d["snow_angle"]}
    np.random.uniform = lambda low, high, size=None: (
        angles[low, high] if size is None else high * symmetric(size))
    np.random.randint = lambda low, high, size: (
        np.floor(unit(size).astype(np.float64) * (high - low)).astype(int) + low)
    try:
        for name in ("gaussian_noise", "speckle_noise", "defocus_blur", "gaussian_blur", "glass_blur", "motion_blur",
                     "fog", "brightness", "saturate", "contrast", "pixelate", "jpeg_compression", "spatter"):
            for level in range(5):
                unit.at = symmetric.at = 0
                expected = np.uint8(getattr(theirs, name)(Image.fromarray(image), level + 1))
                found = corrupt(name, STRENGTHS[name][0][level], False, image, d)
                off = np.abs(found.astype(int) - expected.astype(int))
                assert off.mean() < 0.1 and off.max() <= 2, (name, level + 1, off.mean(), off.max())
    finally:
        for name, function in stored.items():
            setattr(np.random, name, function)


def main():
    check_against_imagecorruptions()
    OUT.mkdir(parents=True, exist_ok=True)
    for cifar, (h, w) in ((False, (24, 32)), (True, (18, 22))):
        rng = np.random.default_rng(11 + cifar)
        image, d = picture(h, w, rng), draws(h, w, rng)
        tensors = {"image": image}
        for name in ("normal_rgb", "normal", "unit", "points", "fields"):
            tensors[f"draw.{name}"] = d[name]
        tensors["draw.symmetric"] = d["symmetric"].astype(np.float32)
        tensors["draw.frost"] = d["frost"]
        metadata = {
            "angle": json.dumps(d["angle"]),
            "snow_angle": json.dumps(d["snow_angle"]),
            "frost_place": json.dumps(d["frost_place_cifar" if cifar else "frost_place"]),
        }
        for name, strengths in STRENGTHS.items():
            for level, strength in enumerate(strengths[cifar]):
                if name in ("shot_noise", "impulse_noise"):
                    drawn = [corrupt(name, strength, cifar, image, d) for _ in range(DRAWN)]
                    tensors[f"{name}.{level + 1}"] = np.float32(np.mean([moments(x, image) for x in drawn], axis=0))
                else:
                    tensors[f"{name}.{level + 1}"] = corrupt(name, strength, cifar, image, d)
        path = OUT / f"{'cifar-c' if cifar else 'imagenet-c'}.safetensors.gz"
        path.write_bytes(gzip.compress(save(tensors, metadata), 9, mtime=0))
        print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
