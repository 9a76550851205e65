"""An LSTM that attends to its own states with Luong's concat score, in PyTorch, for luong-lstm.test.ts.

Run from the repository root, with torch 2.13:  python test/nn/luong-lstm.py
It writes luong-lstm.json beside itself. The loss is the sum of h, each number weighted with its own random one.
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(7)
BATCH, TIME, FEATURES, UNITS, SIZE = 3, 5, 4, 2, 6


def plain(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{x:.8g}") for x in tensor.detach().flatten().tolist()]}


def attentive(x, cell, W, v):
    h, c = torch.zeros(BATCH, UNITS), torch.zeros(BATCH, UNITS)
    states, outputs, weights = [], [], torch.zeros(BATCH, TIME, TIME)
    for t in range(TIME):
        context = torch.zeros(BATCH, 2 * UNITS)
        if states:
            query = states[-1]
            scores = [torch.tanh(torch.cat([query, state], 1) @ W.T) @ v for state in states]
            a = torch.softmax(torch.stack(scores, 1), 1)
            weights[:, t, :t] = a.detach()
            context = sum(a[:, i, None] * state for i, state in enumerate(states))
        h, c = cell(torch.cat([x[:, t], context], 1), (h, c))
        states.append(torch.cat([h, c], 1))
        outputs.append(h)
    return torch.stack(outputs, 1), torch.stack(states, 1), weights


cell = nn.LSTMCell(FEATURES + 2 * UNITS, UNITS)
W, v = torch.randn(SIZE, 4 * UNITS, requires_grad=True), torch.randn(SIZE, requires_grad=True)
# Larger than usual, so that the weights differ much and the states' cell half leaves -1..1.
with torch.no_grad():
    for parameter in cell.parameters():
        parameter *= 3
x = torch.randn(BATCH, TIME, FEATURES, requires_grad=True)
h, states, weights = attentive(x, cell, W, v)
scales = torch.randn_like(h)
(h * scales).sum().backward()
inputs = {"x": x, "W": W, "v": v, **{f"{name}_l0": tensor for name, tensor in cell.named_parameters()}}
result = {
    "inputs": {name: plain(tensor) for name, tensor in inputs.items()},
    "scales": {"h": plain(scales)},
    "outputs": {"h": plain(h), "states": plain(states), "attention": plain(weights)},
    "gradients": {name: plain(tensor.grad) for name, tensor in inputs.items()},
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
