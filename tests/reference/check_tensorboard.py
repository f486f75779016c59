"""Trains a few steps with a built `dualprop` and reads the run folder back with TensorBoard's own reader.

Curves, images and histograms have to be there under their names, with the values of metrics.jsonl, and TensorBoard's HParams
plugin has to show the run with its configuration, its figures and its end, also after a resume. Needs tensorboard, numpy, pillow.
"""

import argparse
import io
import json
import subprocess
import tempfile
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

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
        quiet = dict(check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(command, **quiet)
        check(run)
        check_hparams(run, steps=2)
        subprocess.run([*command, "--resume", "--set", "run.steps=3"], **quiet)
        check_hparams(run, steps=3)


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


def check_hparams(run: Path, steps: int) -> None:
    """The HParams plugin's own answers to what its page asks."""
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(run.parent))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(run.parent))
    context = backend_context.Context(TBContext(data_provider=provider))
    request = RequestContext()
    experiment = get_experiment.Handler(request, context, "", api_pb2.GetExperimentRequest()).run()
    names = {info.name for info in experiment.hparam_infos}
    config = tomllib.loads((run / "config.toml").read_text())
    assert {"run.batch_size", "method.kind", "model.width", "data.shuffle", "data.mean"} <= names, names
    shown = [info.name.tag for info in experiment.metric_infos]
    assert "val/main/top1" in shown and "val/aux attacked/top1" in shown, shown
    statuses = [api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING, api_pb2.STATUS_UNKNOWN]
    ask = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=10, allowed_statuses=statuses)
    ask.col_params.extend(api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos)
    ask.col_params.extend(api_pb2.ColParams(hparam=name) for name in sorted(names))
    groups = list_session_groups.Handler(request, context, "", ask).run().session_groups
    assert len(groups) == 1 and len(groups[0].sessions) == 1, groups
    values = groups[0].hparams
    assert values["run.batch_size"].number_value == 8 and values["model.width"].number_value == 0.125, values
    assert values["data.shuffle"].bool_value is True and values["method.kind"].string_value == config["method"]["kind"], values
    session = groups[0].sessions[0]
    assert session.status == api_pb2.STATUS_SUCCESS and session.end_time_secs >= session.start_time_secs > 1e9, session
    figures = {value.name.tag: value for value in session.metric_values}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    for domain in ("main", "aux"):
        for how in ("", " attacked"):
            rows = [row for row in lines if row["split"] == "val" and row["domain"] == domain and (row["attack"] is not None) == bool(how)]
            value = figures[f"val/{domain}{how}/top1"]
            assert value.training_step == rows[-1]["step"] == steps, (value, rows)
            assert np.isclose(value.value, rows[-1]["top1"]), (value, rows)
    print(f"TensorBoard's HParams table has the run with {len(values)} keys and {len(figures)} figures of step {steps}")


if __name__ == "__main__":
    main()
