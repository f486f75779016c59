#!/usr/bin/env python3
"""Holds the referee to timm's nets and to the optimizers of PyTorch and timm; prints `ok` a line, exits 1 at the first difference.

The CIFAR net has no counterpart in timm; it is checked by its known parameter count.
"""

import copy

import timm
import torch
from timm.layers import convert_splitbn_model
from timm.optim import RMSpropTF

from nets import NetSpec, build, load_weights
from training import OPTIMIZER, OPTIMIZER_BY_KIND, Optimizer


PREACT_PARAMETERS = [
    ("preact_resnet18", 100, 11_218_340),
    ("preact_resnet18", 10, 11_172_170),
    ("preact_resnet50", 100, 23_697_572),
    ("preact_resnet50", 10, 23_513_162),
]


def same(what: str, a, b, limit: float = 1e-10) -> None:
    error = ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item()
    if not error <= limit:
        raise SystemExit(f"{what}: relative difference {error:.2e}")
    print(f"ok {what} ({error:.1e})")


def randomize(net) -> None:
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.ndim == 1 and tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * 0.2)


def check_net(arch: str, stem: str | None = None, **settings) -> None:
    """Weights of timm's net under strict names, logits alike in running and in training mode, two domains as SplitBatchNorm2d."""
    theirs = timm.create_model(arch, num_classes=7, **settings).double()
    if stem:
        theirs.get_submodule(stem).stride = (1, 1)
    ours = build(NetSpec(arch, 7, stem_stride=1 if stem else 2, domains=2)).double()
    for module in theirs.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Weights that come from timm were trained with its eps; the momentum is the recipe's.
            assert module.eps == ours.spec.bn_eps, (arch, module.eps, ours.spec.bn_eps)
            module.momentum = ours.spec.bn_momentum
    split = convert_splitbn_model(copy.deepcopy(theirs), 2).double()
    randomize(split)
    state = {n: t for n, t in split.state_dict().items() if not n.endswith("num_batches_tracked")}
    assert set(state) == set(ours.state_dict()), set(state) ^ set(ours.state_dict())
    load_weights(ours, state)
    for size in (64, 65):
        main = {n: t for n, t in ours.state_dict().items() if ".aux_bn." not in n}
        theirs.load_state_dict(main, strict=True)
        x = torch.randn(4, 3, size, size, dtype=torch.float64)
        label = f"{arch} {size} px stem {ours.spec.stem_stride}"
        same(f"{label} running", ours(x, [(4, 0)]), theirs.eval()(x))
        same(f"{label} training", ours(x, [(2, 0), (2, 1)], training=True, update=True), split.train()(x))
    for name, value in split.state_dict().items():
        if "running" in name and not torch.allclose(value, ours.state_dict()[name], rtol=1e-10):
            raise SystemExit(f"{arch}: {name} differs after two training passes")


def check_optimizer(kind: str, theirs, **table) -> None:
    torch.manual_seed(1)
    net = build(NetSpec("resnet18", 3, width=0.125)).double()
    twin = copy.deepcopy(net)
    table = OPTIMIZER | OPTIMIZER_BY_KIND[kind] | dict(kind=kind, decay_bias=True, decay_bn=True) | table
    ours, theirs = Optimizer(net, table), theirs(twin.parameters())
    for _ in range(5):
        for p, q in zip(net.parameters(), twin.parameters()):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        ours.step(table["lr"])
        theirs.step()
    a, b = (torch.cat([p.flatten() for p in n.parameters()]) for n in (net, twin))
    same(f"{kind} {table['lr']} nesterov={table['nesterov']}", a, b)


def main() -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        check_net("tf_efficientnet_b0")
        check_net("tf_efficientnet_b0", stem="conv_stem")
        check_net("tf_efficientnet_b2")
        check_net("efficientnet_b0")
        check_net("efficientnet_b0", stem="conv_stem")
        check_net("tf_efficientnet_lite0")
        check_net("tf_efficientnet_lite3")
        check_net("mobilenetv3_large_100")
        check_net("mobilenetv3_small_100")
        check_net("mobilenetv3_small_100", stem="conv_stem")
        check_net("resnet18")
        check_net("resnet18", stem="conv1")
        check_net("resnet50")
    for arch, classes, count in PREACT_PARAMETERS:
        found = sum(p.numel() for p in build(NetSpec(arch, classes)).parameters())
        if found != count:
            raise SystemExit(f"{arch}: {found} parameters, expected {count}")
        print(f"ok {arch} parameters")
    for nesterov in (False, True):
        check_optimizer("sgd", lambda p: torch.optim.SGD(p, 0.1, 0.9, weight_decay=5e-4, nesterov=nesterov),
                        lr=0.1, nesterov=nesterov)  # fmt: skip
    check_optimizer("adamw", lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.05), lr=1e-2)
    check_optimizer("rmsprop", lambda p: RMSpropTF(p, 0.02, 0.9, eps=1e-3, momentum=0.9, weight_decay=1e-2),
                    lr=0.02, weight_decay=1e-2)  # fmt: skip


if __name__ == "__main__":
    main()
