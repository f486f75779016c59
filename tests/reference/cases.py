"""The table of fixtures: small nets, whole-net cases, training cases. Only data."""

import json

IMAGENET = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}

# kept: layers whose tensors stand whole in the training fixtures: first, middle and last, every kind of operation.
# nudges: moved starts that a training case must survive; a ReLU within rounding of zero shows only in some.
NETS = {
    "tf_efficientnet_b0": {
        "seed": 11, "nudges": 3,
        "kept": ["conv_stem", "bn1", "blocks.0.0.conv_dw", "blocks.0.0.bn2", "blocks.1.0.conv_pwl", "blocks.2.0.se",
                 "blocks.3.0.bn3", "blocks.4.0.conv_dw", "blocks.6.0.bn3", "classifier"],
    },
    "resnet18": {
        "seed": 12, "nudges": 10,
        "kept": ["conv1", "bn1", "layer2.0.conv2", "layer2.0.downsample", "layer3.0.bn1", "layer3.0.downsample.0",
                 "layer4.1.bn2", "fc"],
    },
    "preact_resnet18": {
        "seed": 13, "nudges": 10,
        "kept": ["conv1", "layer1.0.bn1", "layer2.0.conv2", "layer2.0.shortcut", "layer3.0.bn1", "layer3.0.shortcut",
                 "bn.", "linear"],
    },
    # Whole-net cases only: nets that differ from those above in padding or in the kind of block.
    "efficientnet_b0": {
        "seed": 14,
        "kept": ["conv_stem", "bn1", "blocks.1.0.conv_dw", "blocks.1.0.bn2", "blocks.2.0.conv_dw", "blocks.2.0.se",
                 "blocks.6.0.bn3", "classifier"],
    },
    "mobilenetv3_small_100": {
        "seed": 17,
        "kept": ["conv_stem", "bn1", "blocks.0.0.se", "blocks.0.0.bn2", "blocks.1.0.conv_dw", "blocks.2.0.se", "blocks.3.0.bn2",
                 "blocks.4.0.conv_pwl", "blocks.5.0.bn1", "conv_head.bias", "classifier"],
    },
    "mobilenetv3_large_100": {
        "seed": 18,
        "kept": ["conv_stem", "bn1", "blocks.0.0.bn2", "blocks.2.0.se", "blocks.3.1.conv_dw", "blocks.4.0.se", "blocks.6.0.bn1",
                 "conv_head.bias", "classifier"],
    },
    "tf_efficientnet_lite0": {
        "seed": 19,
        "kept": ["conv_stem", "bn1", "blocks.0.0.conv_dw", "blocks.1.0.bn2", "blocks.2.0.conv_dw", "blocks.4.0.bn1", "blocks.6.0.bn3",
                 "bn2", "classifier"],
    },
    "resnet50": {
        "seed": 15,
        "kept": ["conv1", "bn1", "layer1.0.conv1", "layer1.0.downsample", "layer2.0.conv2", "layer2.0.downsample",
                 "layer3.0.bn1", "layer3.1.conv3", "layer4.1.bn3", "fc"],
    },
    "preact_resnet50": {
        "seed": 16,
        "kept": ["conv1", "layer1.0.bn1", "layer1.0.shortcut", "layer2.0.conv2", "layer2.0.shortcut", "layer3.0.bn2",
                 "layer3.1.conv3", "layer4.1.bn3", "bn.", "linear"],
    },
}  # fmt: skip


def layout(arch: str, width: float, depth: float, **data) -> dict:
    """What every case of a net has in common. Sides of 20 px leave 2x2 maps for the last batch norm."""
    return {
        "run": {"steps": 10, "batch_size": 4},
        "data": {"source": "folder", "path": "", "image_size": 20, "shuffle": False, "augment": []} | data,
        "model": {"arch": arch, "width": width, "depth": depth, "stem_stride": 1, "dropout": 0.0, "drop_path": 0.0},
        "ema": {"decay": 0.0},
        "schedule": {"kind": "constant", "warmup_epochs": 0.0},
        "eval": {"every_epochs": 0, "attack": ""},
    }


LAYOUTS = {
    "tf_efficientnet_b0": layout("tf_efficientnet_b0", 0.1, 0.3),
    "resnet18": layout("resnet18", 0.0625, 1.0, **IMAGENET),
    "preact_resnet18": layout("preact_resnet18", 0.0625, 1.0, **IMAGENET),
    "efficientnet_b0": layout("efficientnet_b0", 0.1, 0.3),
    "mobilenetv3_small_100": layout("mobilenetv3_small_100", 0.1, 0.3, **IMAGENET),
    "mobilenetv3_large_100": layout("mobilenetv3_large_100", 0.1, 0.3, **IMAGENET),
    "tf_efficientnet_lite0": layout("tf_efficientnet_lite0", 0.1, 0.3),
    "resnet50": layout("resnet50", 0.0625, 0.5, **IMAGENET),
    "preact_resnet50": layout("preact_resnet50", 0.0625, 0.5, **IMAGENET),
}

OPTIMIZERS = {
    "sgd": {"optimizer": {"kind": "sgd", "lr": 0.01}},
    "rmsprop": {"optimizer": {"kind": "rmsprop", "lr": 0.005}},
    "adamw": {"optimizer": {"kind": "adamw", "lr": 0.001}},
}
# Two steps of 1.5 meet the border of a ball of radius 2.
ATTACK = {"kind": "pgd", "epsilon": 2.0, "step": 1.5, "iterations": 2, "random_start": False}
MIXUP = {"lambda": 0.3, "pairing": "reverse"}


def method(kind: str, /, **attack) -> dict:
    return {"method": {"kind": kind, "attack": ATTACK | attack, "mixup": MIXUP}}


def merge(*tables: dict) -> dict:
    """Later tables win, key by key."""
    out = {}
    for table in tables:
        for key, value in table.items():
            out[key] = merge(out.get(key, {}), value) if isinstance(value, dict) else value
    return out


def toml_value(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items()) + "}"
    return "[" + ", ".join(map(toml_value, value)) + "]" if isinstance(value, list) else json.dumps(value)


def to_toml(tables: dict, prefix: str = "") -> str:
    text = ""
    for name, table in tables.items():
        plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
        text += f"[{prefix}{name}]\n" + "".join(f"{k} = {toml_value(v)}\n" for k, v in plain.items()) + "\n"
        text += to_toml({k: v for k, v in table.items() if isinstance(v, dict)}, f"{prefix}{name}.")
    return text


NET_CASES = {
    "tf_efficientnet_b0_even": {
        "net": "tf_efficientnet_b0", "size": 40, "segments": [(4, 0), (4, 1)], "seed": 21, "only_kept": False,
        "config": {"model": {"stem_stride": 2}, "data": IMAGENET},
    },
    "tf_efficientnet_b0_odd": {
        "net": "tf_efficientnet_b0", "size": 33, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 22, "only_kept": True,
        "config": {},
    },
    "resnet18_even": {
        "net": "resnet18", "size": 32, "segments": [(4, 0), (4, 1)], "seed": 23, "only_kept": False, "config": {},
    },
    "resnet18_odd": {
        "net": "resnet18", "size": 37, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 24, "only_kept": True,
        "config": {"model": {"stem_stride": 2}},
    },
    "preact_resnet18_even": {
        "net": "preact_resnet18", "size": 16, "segments": [(4, 0), (4, 1)], "seed": 25, "only_kept": False, "config": {},
    },
    "preact_resnet18_odd": {
        "net": "preact_resnet18", "size": 21, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 26, "only_kept": True, "config": {},
    },
    "efficientnet_b0_even": {
        "net": "efficientnet_b0", "size": 40, "segments": [(4, 0), (4, 1)], "seed": 31, "only_kept": False,
        "config": {"model": {"stem_stride": 2}, "data": IMAGENET},
    },
    "efficientnet_b0_odd": {
        "net": "efficientnet_b0", "size": 33, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 32, "only_kept": True,
        "config": {},
    },
    "mobilenetv3_small_100_even": {
        "net": "mobilenetv3_small_100", "size": 40, "segments": [(4, 0), (4, 1)], "seed": 41, "only_kept": False, "config": {},
    },
    "mobilenetv3_large_100_odd": {
        "net": "mobilenetv3_large_100", "size": 33, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 42, "only_kept": True,
        "config": {},
    },
    # ReLU6 turns within rounding of 0 and 6: on these images no input of one lies nearer than 8e-6 to either.
    "tf_efficientnet_lite0_even": {
        "net": "tf_efficientnet_lite0", "size": 24, "segments": [(4, 0), (4, 1)], "seed": 283, "only_kept": False, "config": {},
    },
    "tf_efficientnet_lite0_odd": {
        "net": "tf_efficientnet_lite0", "size": 21, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 184, "only_kept": True,
        "config": {},
    },
    "resnet50_even": {
        "net": "resnet50", "size": 32, "segments": [(4, 0), (4, 1)], "seed": 33, "only_kept": False, "config": {},
    },
    "resnet50_odd": {
        "net": "resnet50", "size": 37, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 34, "only_kept": True,
        "config": {"model": {"stem_stride": 2}},
    },
    "preact_resnet50_even": {
        "net": "preact_resnet50", "size": 16, "segments": [(4, 0), (4, 1)], "seed": 35, "only_kept": False, "config": {},
    },
    "preact_resnet50_odd": {
        "net": "preact_resnet50", "size": 21, "segments": [(3, 0), (4, 1), (2, 2)], "seed": 36, "only_kept": True, "config": {},
    },
}  # fmt: skip

# One pass of an attack that trains; cutout stands for a policy, and the referee's augmented view is the mirrored image.
MORE_METHODS = {
    "adversarial_finetune": {},
    "advprop_fine_grained": {"data": {"augment": ["cutout"]}},
    "fast_advprop": {"run": {"batch_size": 8}, "method": {"adversarial_share": 0.5, "attack": {"iterations": 1}}},
}
BRANCHES = [
    {"source": "attack", "domain": "aux", "weight": 0.5, "share": 0.5},
    {"source": "clean"},
    {"source": "mixup", "domain": "aux", "share": 0.5},
]
METHODS = ["vanilla", "advprop", "mixprop", "adversarial", "adversarial_mix", "mixup"]


def training_cases() -> dict:
    cases = {}

    def add(name: str, net: str, *tables: dict) -> None:
        cases[name] = {"net": net, "config": merge(*tables)}

    b0, sgd = "tf_efficientnet_b0", OPTIMIZERS["sgd"]
    for kind in METHODS:
        for optimizer, table in OPTIMIZERS.items():
            add(f"b0_{kind}_{optimizer}", b0, method(kind), table)
    for net in ("resnet18", "preact_resnet18"):
        for kind in ("vanilla", "advprop", "mixprop", "adversarial_mix"):
            if (net, kind) == ("preact_resnet18", "adversarial_mix"):
                continue  # hundreds of image sets, and a ReLU within rounding of zero in each
            add(f"{net}_{kind}_sgd", net, method(kind), sgd)
    for net, short in (("tf_efficientnet_b0", "b0"), ("resnet18", "resnet18"), ("preact_resnet18", "preact_resnet18")):
        for kind, more in MORE_METHODS.items():
            # Nets of ReLUs part sooner: smaller steps keep float32 and float64 together.
            for optimizer, table in OPTIMIZERS.items():
                small = {} if net == b0 else {"optimizer": {"lr": 0.2 * table["optimizer"]["lr"]}}
                add(f"{short}_{kind}_{optimizer}", net, method(kind), table, small, more)
    add("branches", b0, method("vanilla"), sgd, {"run": {"batch_size": 8}, "method": {"branch": BRANCHES}})
    add("attack_through_main", b0, method("advprop", through="main"), sgd)
    advprop, mixprop = method("advprop"), method("mixprop")
    for name, attack in {
        "gd": {"kind": "gd", "epsilon": 1.0, "step": 1.5},
        "fgsm": {"kind": "fgsm", "epsilon": 2.5},
        "ifgsm": {"kind": "ifgsm", "epsilon": 3.0, "step": 1.0, "random_start": True},
        "mifgsm": {"kind": "mifgsm", "epsilon": 3.0, "step": 1.0, "random_start": True, "decay": 0.5},
        "pgd3": {"epsilon": 2.0, "step": 1.0, "iterations": 3},
        "running": {"bn_stats": "running"},
        "cross_entropy": {"loss": "cross_entropy"},
    }.items():
        table = method("advprop", **attack)
        if name in ("ifgsm", "mifgsm"):  # the number of iterations follows from epsilon
            del table["method"]["attack"]["iterations"]
        add(f"attack_{name}", b0, table, sgd)
    add("attack_adversarial_running", b0, method("adversarial", bn_stats="running"), sgd)
    add("accumulate_advprop", b0, advprop, sgd, {"run": {"batch_size": 6, "accumulate": 2}})
    add("accumulate_mixprop", b0, mixprop, sgd, {"run": {"batch_size": 6, "accumulate": 2}})
    add("ema_warmup", b0, advprop, sgd, {"ema": {"decay": 0.3, "warmup": True}})
    add("ema_constant", b0, method("vanilla"), sgd, {"ema": {"decay": 0.8, "warmup": False}})
    add("decay_nothing_extra", b0, mixprop, sgd, {"optimizer": {"weight_decay": 0.1}})
    add("decay_bias", b0, mixprop, OPTIMIZERS["rmsprop"], {"optimizer": {"weight_decay": 0.1, "decay_bias": True}})
    add("decay_bn", b0, mixprop, sgd, {"optimizer": {"weight_decay": 0.1, "decay_bn": True}})
    add("decay_all_adamw", b0, mixprop, OPTIMIZERS["adamw"],
        {"optimizer": {"weight_decay": 5.0, "decay_bn": True, "decay_bias": True}})  # fmt: skip
    add("nesterov", b0, method("vanilla"), sgd, {"optimizer": {"nesterov": True}})
    add("clip_norm", b0, method("vanilla"), sgd, {"optimizer": {"clip_norm": 0.5}})
    add("rmsprop_eps", b0, method("vanilla"), OPTIMIZERS["rmsprop"],
        {"optimizer": {"eps": 0.1, "decay": 0.7, "momentum": 0.8}})  # fmt: skip
    add("adamw_eps", b0, method("vanilla"), OPTIMIZERS["adamw"],
        {"optimizer": {"eps": 0.01, "decay": 0.95, "momentum": 0.8}})  # fmt: skip
    add("aux_weight", b0, method("advprop"), sgd, {"method": {"aux_weight": 0.5}, "loss": {"label_smoothing": 0.0}})
    # The edges of frozen stages: behind the stem, within the blocks, before the classifier alone.
    for net, short, stages in ((b0, "b0", (1, 5, 9)), ("resnet18", "resnet18", (1, 3)), ("preact_resnet18", "preact_resnet18", (2,))):
        for frozen in stages:
            add(f"freeze_{short}_{frozen}", net, method("advprop"), sgd, {"model": {"freeze": frozen}})
    add("freeze_vanilla", b0, method("vanilla"), OPTIMIZERS["rmsprop"], {"model": {"freeze": 4}, "optimizer": {"clip_norm": 0.5}})
    add("freeze_mixprop_ema", b0, method("mixprop"), OPTIMIZERS["adamw"], {"model": {"freeze": 3}, "ema": {"decay": 0.8}})
    add("freeze_moving_statistics", b0, method("advprop"), sgd, {"model": {"freeze": 6, "freeze_bn": False}})
    for kind in ("advprop", "mixprop"):
        add(f"bn_eval_{kind}", b0, method(kind), sgd, {"model": {"freeze": 2, "bn_eval": True}})
    add("bn_eval_resnet18", "resnet18", method("advprop"), OPTIMIZERS["adamw"], {"model": {"bn_eval": True}, "ema": {"decay": 0.8}})
    add("freeze_fast_advprop", b0, method("fast_advprop"), sgd, MORE_METHODS["fast_advprop"], {"model": {"freeze": 5}})
    for optimizer, table in OPTIMIZERS.items():
        add(f"lr_decay_{optimizer}", b0, method("advprop"), table, {"model": {"lr_decay": 0.6, "freeze": 1}})
    add("schedule_cosine", b0, method("vanilla"), sgd, {"schedule": {"kind": "cosine", "warmup_epochs": 0.0}})
    add("schedule_exponential", b0, method("vanilla"), sgd,
        {"schedule": {"kind": "exponential", "warmup_epochs": 1.5, "decay_rate": 0.5, "decay_epochs": 1.2}})  # fmt: skip
    add("schedule_step", b0, method("vanilla"), sgd,
        {"schedule": {"kind": "step", "warmup_epochs": 0.0, "milestones": [2, 4]}})  # fmt: skip
    return cases


CASES = {"nets": NET_CASES, "training": training_cases()}
