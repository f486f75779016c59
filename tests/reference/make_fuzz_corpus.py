#!/usr/bin/env python3
"""Writes the corpus of tests/fuzzing: a few small sound files for each target.

Needs numpy and Pillow. The Parquet files are two of tests/fixtures/sets. No work of this script are the layout, which
is what the window keeps of itself as it first opens, and inputs that were once not borne.
"""

import csv
import gzip
import io
import json
import struct
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "fuzzing" / "corpus"
SETS = HERE.parent / "fixtures" / "sets"


def put(target, name, content):
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def safetensors(tensors, metadata=None):
    """`tensors` is a list of (name, dtype, shape, bytes)."""
    header, offset, body = {}, 0, b""
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(content)]}
        offset, body = offset + len(content), body + content
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def floats(*values):
    return np.array(values, "<f4").tobytes()


def weights():
    put(
        "safetensors",
        "every_type",
        safetensors(
            [
                ("d", "F64", [1], np.array([0.5], "<f8").tobytes()),
                ("bn1.num_batches_tracked", "I64", [], np.array(7, "<i8").tobytes()),
                ("loop.step", "U64", [], np.array(3, "<u8").tobytes()),
                ("f", "F32", [2, 1], floats(1.5, -2)),
                ("h", "F16", [2], np.array([1, -1], "<f2").tobytes()),
                ("b", "BF16", [2], struct.pack("<HH", 0x3F80, 0xBF80)),
            ]
        ),
    )
    metadata = {
        "format_version": "1",
        "arch": "resnet18",
        "classes": '["cat","dog"]',
        "domains": '["main","aux"]',
        "image_size": "32",
        "mean": "[0.5,0.5,0.5]",
        "std": "[0.5,0.5,0.5]",
        "config": '[run]\nname = "a"\n',
        "step": "3",
        "epoch": "0.5",
    }
    checkpoint = [
        ("loop.validated", "U64", [], np.array(3, "<u8").tobytes()),
        ("bn1.running_var", "F32", [2], floats(1, 2)),
        ("ema.fc.weight", "F32", [2, 2], floats(1, 2, 3, 4)),
        ("fc.weight", "F32", [2, 2], floats(1, 2, 3, 4)),
    ]
    put("safetensors", "checkpoint", safetensors(checkpoint, metadata))
    index = {"metadata": {"total_size": 8}, "weight_map": {"a": "part.safetensors"}}
    put("model_index", "one_part", json.dumps(index))


def texts():
    put(
        "toml",
        "run",
        """[run]
name = "a"
seed = 3
steps = 20
batch_size = 16
init = "start.safetensors"
[data]
source = "folder"
path = 'photos'
augment = ["crop", "flip"]
mean = [0.5, 0.5, 0.5]
[method]
kind = "advprop"
[method.attack]
kind = "pgd"
epsilon = 2
[eval]
attack = "pgd:eps=4,step=1,iters=5"
""",
    )
    put(
        "toml",
        "branches",
        """method.kind = "custom"
[[method.branch]]
domain = "main"
[[method.branch]]
domain = "aux"
source = "attack"
weight = 0.5
[optimizer]
kind = "sgd"
lr = 1e-1
[schedule]
kind = "step"
milestones = [1, 2_0, 0x30]
""",
    )
    put(
        "sweep",
        "methods",
        """base = "shapes-vanilla"
seeds = [0, 7]
set = { "run.steps" = 20, data.train_limit = 64 }
[[vary]]
"method.kind" = ["vanilla", "mixprop"]
[[vary]]
method.kind = ["advprop"]
method.attack.epsilon = [1, 4.0]
[[evaluate]]
attacks = ["pgd:eps=4,step=1,iters=5"]
[[evaluate]]
corruptions = "all"
severity = [1, 3]
limit = 20
""",
    )
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerows([["path", "label", "note"], ["a.png", "cat", 'a "quoted", note'], ["a.png", "2", "x"]])
    put("csv", "commas", rows.getvalue())
    put("csv", "semicolons", "\ufeffimage_id;target\na;0\na;1\n")
    line = {"step": 1, "epoch": 0.5, "split": "train", "branch": 0, "source": "clean", "domain": "main"}
    line |= {"attack": None, "loss": 2.3, "top1": 0.1, "top5": 0.5, "lr": 0.0, "images_per_s": 10.0, "wall_s": 1.0}
    adversarial = line | {"branch": 1, "source": "attack", "domain": "aux", "attack": "pgd:eps=1", "loss": None}
    validation = {k: v for k, v in line.items() if k not in ("branch", "source")} | {"split": "val"}
    put("metrics", "run", "".join(json.dumps(part) + "\n" for part in (line, adversarial, validation)))
    bn = {"step": 1, "epoch": 0.5, "layer": "bn1", "domain": "aux", "channels": 2, "running_mean": 0.1}
    bn |= {"running_var": 1.0, "weight": 1.0, "bias": 0.0, "distance": 0.5, "distance_of_means": 0.1}
    put("metrics", "bn_stats", json.dumps(bn | {"distance_of_variances": None}) + "\n")
    recents = {"runs": ["/a", "b"], "configs": ["/c.toml"], "data": ["/d"], "preset_seconds": {"shapes-advprop": 3.5}}
    put("recents", "all", json.dumps(recents))


def sets():
    record = bytes([3]) + bytes(range(256)) * 12
    put("cifar", "two_of_ten", record + bytes([9]) + record[1:])
    hundred = bytes([1, 99]) + record[1:]
    put("cifar", "one_of_a_hundred", hundred)
    images = bytes([0, 0, 8, 3]) + struct.pack(">III", 2, 2, 2) + bytes(8)
    put("idx", "images", images)
    put("idx", "labels", bytes([0, 0, 8, 1]) + struct.pack(">I", 2) + bytes([3, 9]))
    put("idx", "images.gz", gzip.compress(images, mtime=0))
    for name, array in {
        "labels_u1": np.arange(10, dtype="u1"),
        "labels_i8": np.arange(10, dtype="<i8"),
        "images": np.zeros((10, 32, 32, 3), "u1"),
    }.items():
        out = io.BytesIO()
        np.save(out, array)
        put("npy", name, out.getvalue())
    png = (SETS / "folder/train/ant/0.png").read_bytes()
    for name, form in {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT}.items():
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as shard:
            for member, content in [
                ("0.png", png),
                ("0.cls", b"1"),
                ("long/" * 30 + "1.png", png),
                ("long/" * 30 + "1.json", b'{"label": 7}'),
            ]:
                info = tarfile.TarInfo(member)
                info.size = len(content)
                shard.addfile(info, io.BytesIO(content))
        put("tar", name, out.getvalue().rstrip(b"\0") + bytes(1024))
    for name in ("parquet/data/train-00000-of-00002.parquet", "parquet-pyarrow/val.parquet"):
        put("parquet", name.split("/")[0], (SETS / name).read_bytes())
    stamp = struct.pack("<QI", 1_700_000_000, 0)
    text = lambda value: struct.pack("<I", len(value)) + value
    classes = [text(name) + stamp + text(b"0.png\0") + struct.pack("<I", 1) + text(b".txt") + struct.pack("<I", 2) for name in (b"ant", b"bee")]
    put("image_index", "two_classes", struct.pack("<I", 2) + b"".join(classes))


def pictures():
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 255, (12, 17, 3), "u1"))
    forms = {
        "png": ("PNG", {}),
        "jpeg": ("JPEG", {"exif": Image.Exif()}),
        "progressive": ("JPEG", {"progressive": True}),
        "webp": ("WEBP", {}),
        "lossless": ("WEBP", {"lossless": True}),
        "bmp": ("BMP", {}),
        "gif": ("GIF", {}),
        "tiff": ("TIFF", {"compression": "tiff_lzw"}),
        "deflated": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    }
    for name, (form, options) in forms.items():
        out = io.BytesIO()
        picture.save(out, form, **options)
        put("image", name, out.getvalue())
    for name, mode in {"grey_alpha": "LA", "palette": "P", "deep": "I;16"}.items():
        out = io.BytesIO()
        (picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)).save(out, "PNG")
        put("image", name, out.getvalue())


def run_pictures():
    guesses = [[[1, 0.75]], [[0, 0.5]]]
    words = {
        "format_version": 1,
        "step": 7,
        "attack": "fgsm:eps=2",
        "attack_domain": "main",
        "classes": ["cat", "dog"],
        "images": [{"name": "val/0", "label": 1, "guesses": [guesses, guesses]}],
        "bn_layers": [{"name": "bn1", "domains": 2, "channels": 1}],
    }
    half = lambda count: np.linspace(-1, 1, count).astype("<f2").tobytes()
    tensors = [
        ("bn", "F32", [8], floats(*range(8))),
        ("cam", "F16", [1, 2, 2, 2, 2], half(16)),
        ("perturbation", "F16", [1, 2, 2, 3], half(12)),
        ("clean", "U8", [1, 2, 2, 3], bytes(range(12))),
    ]
    put("pictures", "one_image", safetensors(tensors, {"dualprop": json.dumps(words)}))
    none = words | {"images": [], "bn_layers": []}
    empty = [("bn", "F32", [0], b""), ("cam", "F16", [0, 0, 2, 0, 0], b""), ("perturbation", "F16", [0, 0, 0, 3], b""), ("clean", "U8", [0, 0, 0, 3], b"")]
    put("pictures", "none", safetensors(empty, {"dualprop": json.dumps(none)}))


if __name__ == "__main__":
    weights()
    texts()
    sets()
    pictures()
    run_pictures()
