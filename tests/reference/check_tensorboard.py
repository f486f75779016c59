"""Trains a few steps with a built `dualprop` and reads the run folder back with TensorBoard's own reader.

Curves, images and histograms have to be there under their names, with the values of metrics.jsonl. Needs tensorboard, numpy, pillow.
"""

import argparse
import io
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

CONFIG = """
[run]
steps = 2
batch_size = 8
[data]
image_size = 32
train_limit = 16
[model]
arch = "preact_resnet18"
width = 0.125
depth = 0.5
[eval]
every_epochs = 1
limit = 8
attack = "fgsm:eps=1"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        (Path(folder) / "config.toml").write_text(CONFIG)
        command = [args.binary.resolve(), "train", Path(folder) / "config.toml", "--out", run, "--device", args.device]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check(run)


def check(run: Path) -> None:
    board = EventAccumulator(str(run), size_guidance={"images": 0, "histograms": 0, "scalars": 0})
    board.Reload()
    tags = board.Tags()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["split"] == "train" and line["domain"] == "main"]
    found = [event.value for event in board.Scalars("train/main/loss")]
    assert np.allclose(found, losses, rtol=1e-6), (found, losses)
    sheets = ["gallery/clean", "gallery/attacked"] + [
        f"gallery/attention {domain}{attacked}" for domain in ("main", "aux") for attacked in ("", " attacked")
    ]
    assert sorted(tags["images"]) == sorted(sheets), tags["images"]
    for name in sheets:
        event = board.Images(name)[-1]
        image = Image.open(io.BytesIO(event.encoded_image_string))
        assert (image.width, image.height) == (event.width, event.height) and image.mode == "RGB", name
        assert np.asarray(image).std() > 0, f"{name} is of one colour"
    layers = {json.loads(line)["layer"] for line in (run / "bn_stats.jsonl").read_text().splitlines()}
    names = {f"bn {d}/{layer}/{what}" for d in ("main", "aux") for layer in layers for what in ("running_mean", "running_var")}
    assert set(tags["histograms"]) == names, set(tags["histograms"]) ^ names
    for name in names:
        histogram = board.Histograms(name)[-1].histogram_value
        assert sum(histogram.bucket) == histogram.num and histogram.min <= histogram.max, name
        assert len(histogram.bucket) == len(histogram.bucket_limit), name
    print(f"TensorBoard reads {len(tags['scalars'])} curves, {len(sheets)} images and {len(names)} histograms")


if __name__ == "__main__":
    main()
