"""Layer, group and batch norm and multi-head attention in PyTorch, for norms.test.ts and multi-head-attention.test.ts.

Run from the repository root, with torch 2.13:  python test/nn/norms-attention.py
It writes norms-attention.json beside itself. Images are stored channels-last. Each loss is the sum of an output, each
number weighted with its own random one.
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(3)


def plain(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{x:.8g}") for x in tensor.detach().flatten().tolist()]}


def leaf(*shape):
    return torch.randn(*shape, requires_grad=True)


def last(x):
    """Channels second to channels last, and back by `second`."""
    return x.movedim(1, -1)


def second(x):
    return x.movedim(-1, 1)


cases = {}


def case(name, inputs, constants, run):
    """`run` gives named outputs, the first of which the loss is taken of."""
    outputs = run(**inputs, **constants)
    first = next(iter(outputs))
    scales = torch.randn_like(outputs[first])
    (outputs[first] * scales).sum().backward()
    cases[name] = {
        "inputs": {key: plain(tensor) for key, tensor in {**inputs, **constants}.items()},
        "scales": {first: plain(scales)},
        "outputs": {key: plain(tensor) for key, tensor in outputs.items()},
        "gradients": {key: plain(tensor.grad) for key, tensor in inputs.items()},
    }


F = nn.functional
for name, shape, size in [("layerNorm", (2, 3, 5), (5,)), ("layerNorm of two axes", (2, 3, 5), (3, 5))]:
    case(
        name,
        {"x": leaf(*shape), "weight": leaf(*size), "bias": leaf(*size)},
        {},
        lambda x, weight, bias, size=size: {"y": F.layer_norm(x * 3 + 2, size, weight, bias)},
    )
for groups in (1, 2, 6):
    case(
        f"groupNorm {groups}",
        {"x": leaf(2, 3, 5, 6), "weight": leaf(6), "bias": leaf(6)},
        {},
        lambda x, weight, bias, groups=groups: {"y": last(F.group_norm(second(x), groups, weight, bias))},
    )
for name, shape in [("batchNorm2d", (2, 3, 5, 4)), ("batchNorm1d", (6, 4))]:
    for training in (True, False):
        mean, variance = torch.randn(4), torch.rand(4) + 0.5

        def run(x, weight, bias, running_mean, running_var, training=training):
            mean, variance = running_mean.clone(), running_var.clone()
            y = F.batch_norm(second(x * 2 + 1), mean, variance, weight, bias, training)
            return {"y": last(y), "running_mean": mean, "running_var": variance}

        case(
            f"{name}, {'training' if training else 'inference'}",
            {"x": leaf(*shape), "weight": leaf(4), "bias": leaf(4)},
            {"running_mean": mean, "running_var": variance},
            run,
        )

BATCH, L, S, WIDTH, HEADS = 2, 3, 5, 6, 2
for name, padding in [
    ("attention", None),
    ("attention with padding", torch.tensor([[0, 0, 1, 0, 1], [1, 0, 0, 0, 0]])),
]:
    layer = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
    inputs = {"query": leaf(BATCH, L, WIDTH), "key": leaf(BATCH, S, WIDTH), "value": leaf(BATCH, S, WIDTH)}
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)

    def run(query, key, value, padding=None, layer=layer, **_):
        mask = None if padding is None else padding.bool()
        output, attention = layer(query, key, value, key_padding_mask=mask)
        return {"output": output, "attention": attention}

    case(
        name,
        {**inputs, **dict(layer.named_parameters())},
        {} if padding is None else {"padding": padding},
        run,
    )
Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
