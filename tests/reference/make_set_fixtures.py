"""Makes tests/fixtures/sets: the same 20 pictures as an image folder with CSV lists, as WebDataset shards (by Python's
tarfile in GNU's and the pax format, and by the webdataset package) and as Parquet files (by the datasets package, and by
pyarrow with small pages, texts for labels and other ways of writing them).

Needs pillow, numpy, pyarrow, datasets, webdataset. tests/data/listed.rs reads them.
"""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from datasets import ClassLabel, Dataset, Features, Image as ImageFeature
from PIL import Image

ROOT = Path(__file__).resolve().parents[1] / "fixtures" / "sets"
CLASSES = ["ant", "bee"]
PARTS = {"train": 6, "val": 4}


def pictures() -> dict[str, list[tuple[int, str, bytes]]]:
    """Class, file name and encoded bytes of each picture by part, in the order of the folder."""
    random = np.random.default_rng(0)
    parts = {}
    for part, count in PARTS.items():
        found = []
        for label, name in enumerate(CLASSES):
            for number in range(count):
                small = random.integers(0, 256, (4, 5, 3), dtype=np.uint8)
                image = Image.fromarray(small).resize((20 + number, 17 + label), Image.Resampling.BILINEAR)
                ending = ["png", "jpg", "webp"][number % 3]
                out = io.BytesIO()
                image.save(out, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[ending], quality=80)
                found.append((label, f"{name}/{number}.{ending}", out.getvalue()))
        parts[part] = found
    return parts


def folder(parts) -> None:
    for part, images in parts.items():
        lines = ["label,width,path"]
        for label, name, data in images:
            path = ROOT / "folder" / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            lines.append(f"{CLASSES[label]},{Image.open(path).width},{part}/{name}")
        (ROOT / "folder" / f"{part}.csv").write_text("\n".join(lines) + "\n")


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def shards(parts) -> None:
    """Training images as two shards in GNU's format with long names, validation ones in the pax format."""
    root = ROOT / "webdataset"
    root.mkdir(parents=True, exist_ok=True)
    long = "a-folder-whose-name-is-longer-than-a-header-has-room-for/" * 3
    for number in range(2):
        with tarfile.open(root / f"train-{number:06}.tar", "w", format=tarfile.GNU_FORMAT) as tar:
            tar.addfile(tarfile.TarInfo(long.rstrip("/")))
            for index, (label, name, data) in list(enumerate(parts["train"]))[number * 6 : number * 6 + 6]:
                key, ending = (long if index % 2 else "") + f"{index:04}", name.split(".")[1]
                add(tar, f"{key}.{ending}", data)
                add(tar, f"{key}.cls", f"{label}\n".encode())
    with tarfile.open(root / "val-000000.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        for index, (label, name, data) in enumerate(parts["val"]):
            key, ending = f"ünïcode-{'long' * 40 if index % 2 else ''}{index:04}", name.split(".")[1]
            add(tar, f"{key}.json", json.dumps({"width": 1, "label": CLASSES[label]}).encode())
            add(tar, f"{key}.{ending}", data)
    (root / "classes.txt").write_text("\n".join(CLASSES) + "\n")


def shards_of_the_package(parts) -> None:
    for part, images in parts.items():
        (ROOT / "webdataset-package" / part).mkdir(parents=True, exist_ok=True)
        with webdataset.TarWriter(str(ROOT / "webdataset-package" / part / "000000.tar")) as tar:
            for index, (label, name, data) in enumerate(images):
                tar.write({"__key__": f"{index:04}", name.split(".")[1]: data, "cls": CLASSES[label]})


def parquet(parts) -> None:
    root = ROOT / "parquet" / "data"
    root.mkdir(parents=True, exist_ok=True)
    features = Features({"image": ImageFeature(), "label": ClassLabel(names=CLASSES)})
    for part, images in parts.items():
        halves = [images[: len(images) // 2], images[len(images) // 2 :]] if part == "train" else [images]
        for number, half in enumerate(halves):
            columns = {
                "image": [{"bytes": data, "path": Path(name).name} for _, name, data in half],
                "label": [label for label, _, _ in half],
            }
            name = {"train": "train", "val": "validation"}[part]
            Dataset.from_dict(columns, features=features).to_parquet(
                root / f"{name}-{number:05}-of-{len(halves):05}.parquet"
            )


def parquet_otherwise(parts) -> None:
    """Row groups of five, pages of one or two images, dictionaries, texts for labels, a row without one."""
    root = ROOT / "parquet-pyarrow"
    root.mkdir(parents=True, exist_ok=True)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    schema = pa.schema([("id", pa.int32()), ("img", image), ("class", pa.string())])
    ways = {
        "train": dict(compression="none", use_dictionary=["class"], data_page_size=600),
        "val": dict(compression="snappy", use_dictionary=True, data_page_version="2.0"),
    }
    for part, images in parts.items():
        # A picture that comes twice is one value of a dictionary; a null stands between.
        rows = [*images[:3], None, *images[3:]]
        table = pa.Table.from_pydict(
            {
                "id": list(range(len(rows))),
                "img": [row and {"bytes": row[2], "path": row[1]} for row in rows],
                "class": [row and CLASSES[row[0]] for row in rows],
            },
            schema=schema,
        )
        pq.write_table(table, root / f"{part}.parquet", row_group_size=5, write_batch_size=1, **ways[part])


if __name__ == "__main__":
    parts = pictures()
    for make in (folder, shards, shards_of_the_package, parquet, parquet_otherwise):
        make(parts)
    for directory in sorted(ROOT.iterdir()):
        print(directory.name, sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()), "bytes")
