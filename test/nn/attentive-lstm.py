"""ANCLaF's attention over an LSTM's own states, word for word from eqs. 5-7 in PyTorch, for attentive-lstm.test.ts.

Run from the repository root, with torch 2.13:  python test/nn/attentive-lstm.py
It writes attentive-lstm.json beside itself. The loss is the sum of h, each number weighted with its own random one.
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(5)
BATCH, TIME, FEATURES, UNITS = 3, 5, 4, 2


def plain(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{x:.8g}") for x in tensor.detach().flatten().tolist()]}


def attentive(x, cell, attention):
    h, c = torch.zeros(BATCH, UNITS), torch.zeros(BATCH, UNITS)
    states, outputs, weights = [], [], torch.zeros(BATCH, TIME, TIME)
    for t in range(TIME):
        context = torch.zeros(BATCH, 2 * UNITS)
        if states:
            scores = [attention(torch.cat([states[-1], state], 1)) for state in states]
            a = torch.softmax(torch.cat(scores, 1), 1)
            weights[:, t, :t] = a.detach()
            context = sum(a[:, i, None] * state for i, state in enumerate(states))
        h, c = cell(torch.cat([x[:, t], context], 1), (h, c))
        states.append(torch.cat([h, c], 1))
        outputs.append(h)
    return torch.stack(outputs, 1), torch.stack(states, 1), weights


cell, attention = nn.LSTMCell(FEATURES + 2 * UNITS, UNITS), nn.Linear(4 * UNITS, 1)
# Larger than usual, so that the weights differ much and the states' cell half leaves -1..1.
with torch.no_grad():
    for parameter in [*cell.parameters(), attention.weight]:
        parameter *= 3
x = torch.randn(BATCH, TIME, FEATURES, requires_grad=True)
h, states, weights = attentive(x, cell, attention)
scales = torch.randn_like(h)
(h * scales).sum().backward()
inputs = {"x": x, "score": attention.weight, **{f"{name}_l0": tensor for name, tensor in cell.named_parameters()}}
result = {
    "inputs": {name: plain(tensor) for name, tensor in inputs.items()},
    "scales": {"h": plain(scales)},
    "outputs": {"h": plain(h), "states": plain(states), "attention": plain(weights)},
    "gradients": {name: plain(tensor.grad) for name, tensor in inputs.items()},
}
Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
