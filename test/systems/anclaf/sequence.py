"""ANCLaF-S and -SA's combiner in PyTorch, from ZQ to valence and arousal, as the oracle of sequence.test.ts.

Run from the repository root, with torch 2.13:  python test/systems/anclaf/sequence.py
It writes sequence.json beside itself: weights, inputs, outputs, and each parameter's gradient of the mean squared error.
"""

import json
from pathlib import Path

import torch
from torch import nn

torch.manual_seed(11)
BATCH, FRAMES, CHANNELS, SIDE, WIDTH = 2, 4, 5, 4, 3
FEATURE, UNITS = 2 * WIDTH, WIDTH


def plain(tensor):
    return {"shape": list(tensor.shape), "values": [float(f"{x:.8g}") for x in tensor.detach().flatten().tolist()]}


class Combiner(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(CHANNELS, WIDTH, 4, 2, 1), nn.Conv2d(WIDTH, FEATURE, 4, 2, 1)
        self.lstm = nn.LSTM(FEATURE + 2 * UNITS, UNITS)
        self.attention, self.head = nn.Linear(4 * UNITS, 1), nn.Linear(UNITS, 2)

    def score(self, query, state, concat):
        pair = torch.cat([query, state], 1)
        return torch.tanh(pair @ concat["W"].T) @ concat["v"][:, None] if concat else self.attention(pair)

    def forward(self, zq, attend, concat=None):
        frames = zq.flatten(0, 1).permute(0, 3, 1, 2)
        for conv in (self.c1, self.c2):
            frames = nn.functional.leaky_relu(conv(frames), 0.01)
        features = frames.reshape(BATCH, FRAMES, FEATURE)
        h, c = torch.zeros(1, BATCH, UNITS), torch.zeros(1, BATCH, UNITS)
        states, affect, weights = [], [], torch.zeros(BATCH, FRAMES, FRAMES)
        for t in range(FRAMES):
            context = torch.zeros(BATCH, 2 * UNITS)
            if attend and states:
                scores = [self.score(states[-1], state, concat) for state in states]
                a = torch.softmax(torch.cat(scores, 1), 1)
                weights[:, t, :t] = a.detach()
                context = sum(a[:, i, None] * state for i, state in enumerate(states))
            _, (h, c) = self.lstm(torch.cat([features[:, t], context], 1)[None], (h, c))
            states.append(torch.cat([h[0], c[0]], 1))
            affect.append(self.head(h[0]))
        return features, torch.stack(states, 1), weights, torch.stack(affect, 1)


net = Combiner()
with torch.no_grad():
    for parameter in net.parameters():
        parameter *= 2
zq, labels = torch.randn(BATCH, FRAMES, SIDE, SIDE, CHANNELS), torch.randn(BATCH, FRAMES, 2)
luong = {"W": torch.randn(2 * UNITS, 4 * UNITS), "v": torch.randn(2 * UNITS)}
for parameter in luong.values():
    parameter.requires_grad_()
result = {
    "parameters": {f"combiner.{name}": plain(parameter) for name, parameter in net.named_parameters()},
    "concat": {f"combiner.attention.{name}": plain(parameter) for name, parameter in luong.items()},
    "zq": plain(zq),
    "labels": plain(labels),
}
for name, (attend, concat) in {"S": (False, None), "SA": (True, None), "SA-concat": (True, luong)}.items():
    net.zero_grad()
    features, states, weights, affect = net(zq, attend, concat)
    loss = ((affect - labels) ** 2).mean()
    loss.backward()
    result[name] = {
        "outputs": {"features": plain(features), "states": plain(states), "affect": plain(affect), "loss": plain(loss)}
        | ({"attention": plain(weights)} if attend else {}),
        "gradients": {
            f"combiner.{name}": plain(torch.zeros_like(parameter) if parameter.grad is None else parameter.grad)
            for name, parameter in net.named_parameters()
        }
        | ({f"combiner.attention.{name}": plain(parameter.grad) for name, parameter in luong.items()} if concat else {}),
    }
Path(__file__).with_suffix(".json").write_text(json.dumps(result) + "\n")
