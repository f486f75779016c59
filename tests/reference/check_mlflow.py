"""Trains a few steps with a built `dualprop` into an MLflow file store and reads it back with MLflow's own client.

The run has to be there with its configuration and its curves, each point once, with the values of metrics.jsonl, also after a
resume and beside the runs of others. Needs mlflow or mlflow-skinny.
"""

import argparse
import json
import math
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path

os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

from mlflow import MlflowClient  # noqa: E402: it reads the environment when it is imported

from check_tensorboard import CONFIG  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True, type=Path)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store, config = Path(folder) / "ml runs", Path(folder) / "config.toml"
        config.write_text(CONFIG)

        def train(name: str, *more: str) -> Path:
            run = Path(folder) / name
            keys = [f"run.name={name}", f"run.mlflow={store}"]
            sets = [word for key in keys for word in ("--set", key)]
            command = [args.binary.resolve(), "train", config, "--out", run, "--device", args.device, *sets, *more]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return run

        first = train("first")
        check(store, first, 2)
        train("first", "--set", "run.steps=3", "--resume")
        check(store, first, 3)
        second = train("second", "--set", "run.seed=1")
        for run, steps in ((first, 3), (second, 2)):
            check(store, run, steps)


def check(store: Path, run: Path, steps: int) -> None:
    client = MlflowClient(tracking_uri=store.as_uri())
    experiment = client.get_experiment_by_name("dualprop")
    runs = {found.info.run_name: found for found in client.search_runs([experiment.experiment_id])}
    found = runs[run.name]
    assert found.info.status == "FINISHED" and found.info.end_time >= found.info.start_time, found.info
    config = tomllib.loads((run / "config.toml").read_text())
    assert found.data.params["run.name"] == run.name and found.data.params["method.kind"] == config["method"]["kind"]
    assert float(found.data.params["model.width"]) == config["model"]["width"], found.data.params
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    points = 0
    for name in found.data.metrics:
        history = client.get_metric_history(found.info.run_id, name)
        split, *rest = name.split("/")
        if not rest:
            # The first steps of a start have no rate yet.
            of_steps = [point.step for point in history]
            assert of_steps == sorted(set(of_steps)) and of_steps[-1] <= steps, (name, of_steps)
            assert name != "lr" or of_steps == list(range(1, steps + 1)), of_steps
            continue
        domain, figure = rest
        is_attacked = domain.endswith(" attacked")
        rows = [
            row
            for row in lines
            if row["split"] == split
            and row["domain"] == domain.removesuffix(" attacked")
            and (split == "train" or (row["attack"] is not None) == is_attacked)
        ]
        expected = [(row["step"], row[figure]) for row in rows]
        got = [(point.step, point.value) for point in history]
        assert len(got) == len(expected), (name, got, expected)
        for (step, value), (of_step, of_row) in zip(got, expected):
            assert step == of_step and math.isclose(value, of_row, rel_tol=1e-5, abs_tol=1e-7), (name, got, expected)
        points += len(got)
    assert {"train/main/loss", "val/main/top1", "val/aux attacked/top1", "lr"} <= set(found.data.metrics), found.data.metrics
    print(f"MLflow reads {run.name} with {len(found.data.params)} parameters, {len(found.data.metrics)} curves, {points} points")


if __name__ == "__main__":
    main()
