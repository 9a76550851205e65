"""PyTorch's optimisers on a few parameters: the numbers in test/nn/optimisers.json.

    python test/nn/optimisers.py > test/nn/optimisers.json
"""

import json

import torch

torch.manual_seed(3)
STEPS, SIZE = 6, 7
start = torch.randn(SIZE)
gradients = torch.randn(STEPS, SIZE) * torch.tensor([1, 10, 0.1, 3, 0.01, 1, 1e-4])
OPTIMISERS = {
    "adam": (torch.optim.Adam, dict(lr=0.05)),
    "adam anclaf": (torch.optim.Adam, dict(lr=1e-4, betas=(0.5, 0.999))),
    "adam decay": (torch.optim.Adam, dict(lr=0.05, weight_decay=0.3, eps=1e-3)),
    "adamW": (torch.optim.AdamW, dict(lr=0.05, weight_decay=0.3, betas=(0.8, 0.99))),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.05)),
    "rmsprop decay": (torch.optim.RMSprop, dict(lr=0.05, alpha=0.9, eps=1e-3, weight_decay=0.3)),
}
SCHEDULES = {
    "stepped": lambda o: torch.optim.lr_scheduler.StepLR(o, step_size=2, gamma=0.3),
    "exponential": lambda o: torch.optim.lr_scheduler.ExponentialLR(o, gamma=0.7),
}


def run(make, options, clip=None, schedule=None):
    parameters = torch.nn.Parameter(start.clone())
    optimiser = make([parameters], **options)
    scheduler = schedule(optimiser) if schedule else None
    history = []
    for gradient in gradients:
        parameters.grad = gradient.clone()
        if clip:
            torch.nn.utils.clip_grad_norm_([parameters], clip)
        optimiser.step()
        if scheduler:
            scheduler.step()
        history.append(parameters.tolist())
    return history


cases = {name: run(make, options) for name, (make, options) in OPTIMISERS.items()}
cases["adam clipped"] = run(torch.optim.Adam, dict(lr=0.05), clip=2)
for name, schedule in SCHEDULES.items():
    cases[name] = run(torch.optim.Adam, dict(lr=0.05), schedule=schedule)
print(
    json.dumps(
        {
            "command": "python test/nn/optimisers.py > test/nn/optimisers.json",
            "torch": torch.__version__,
            "start": start.tolist(),
            "gradients": gradients.tolist(),
            "parameters": cases,
        }
    )
)
