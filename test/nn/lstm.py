"""PyTorch's nn.LSTM, its outputs and gradients, as the oracle of lstm.test.ts.

Run from the repository root, with torch 2.13:  python test/nn/lstm.py
It writes lstm.json beside itself. The loss is the sum of all outputs, each weighted with its own random numbers.
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(3)
BATCH, TIME, FEATURES, UNITS = 3, 4, 5, 6


def plain(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{x:.8g}") for x in tensor.detach().flatten().tolist()]}


def case(start):
    layer = nn.LSTM(FEATURES, UNITS, batch_first=True)
    inputs = {"x": torch.randn(BATCH, TIME, FEATURES)}
    if start:
        inputs |= {"h0": torch.randn(BATCH, UNITS), "c0": torch.randn(BATCH, UNITS)}
    for tensor in inputs.values():
        tensor.requires_grad_()
    state = (inputs["h0"][None], inputs["c0"][None]) if start else None
    h, (last_h, last_c) = layer(inputs["x"], state)
    outputs = {"h": h, "lastH": last_h[0], "lastC": last_c[0]}
    scales = {name: torch.randn_like(tensor) for name, tensor in outputs.items()}
    sum((tensor * scales[name]).sum() for name, tensor in outputs.items()).backward()
    inputs |= dict(layer.named_parameters())
    return {
        "inputs": {name: plain(tensor) for name, tensor in inputs.items()},
        "scales": {name: plain(tensor) for name, tensor in scales.items()},
        "outputs": {name: plain(tensor) for name, tensor in outputs.items()},
        "gradients": {name: plain(tensor.grad) for name, tensor in inputs.items()},
    }


cases = {"from zeros": case(False), "from a given state": case(True)}
Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
