"""ANCLaF's losses and their gradients in PyTorch, as the oracle of losses.test.ts.

Weights and images come from the hash of oracle.py, so only results are stored: losses, and every STRIDE-th number of the
gradients. Run from the repository root, with numpy and torch 2.13:  python test/systems/anclaf/losses_oracle.py
It writes losses-oracle.json beside itself.
"""
import json
from pathlib import Path

import torch
from oracle import build, hashed, images

STRIDE = 37
SIZES = {"image": 16, "generator": 2, "discriminator": 3, "depth": 3, "combiner": 5}
BATCH = 4


def affect_losses(p, y, w):
    share = w / w.sum(0)
    mean = lambda x: (x * share).sum(0)
    mp, my = mean(p), mean(y)
    cov, vp, vy = mean((p - mp) * (y - my)), mean((p - mp) ** 2), mean((y - my) ** 2)
    return {
        "rmse": ((p - y) ** 2 * w).mean(0).sqrt().sum(),
        "cor": (1 - cov / (vp * vy).sqrt()).sum(),
        "ccc": (1 - 2 * cov / (vp + vy + (mp - my) ** 2)).sum(),
        "icc": (1 - 2 * cov / (vp + vy)).sum(),
    }


def affect_case(n):
    p = torch.from_numpy(2 * hashed(2 * n, 2001) - 1).reshape(n, 2).requires_grad_()
    y = torch.from_numpy(2 * hashed(2 * n, 2002) - 1).reshape(n, 2)
    w = torch.from_numpy(0.5 + hashed(2 * n, 2003)).reshape(n, 2)
    found = affect_losses(p, y, w)
    return {
        name: {"value": loss.item(), "gradient": torch.autograd.grad(loss, p, retain_graph=True)[0].flatten().tolist()}
        for name, loss in found.items()
    }


def gradients(loss, nets, parts):
    """The gradient with respect to each part as one vector; what the loss does not reach counts as 0."""
    result = {}
    for part in parts:
        own = list(nets[part].parameters())
        grads = torch.autograd.grad(loss, own, retain_graph=True, allow_unused=True)
        flat = torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for p, g in zip(own, grads)])
        result[part] = {"norm": flat.norm().item(), "values": [float(f"{x:.7g}") for x in flat[::STRIDE].tolist()]}
    return result


nets = build(SIZES)
G, D, C = nets["generator"], nets["discriminator"], nets["combiner"]
clean, distorted = images(BATCH, SIZES["image"]), images(BATCH, SIZES["image"], 1001)
labels = torch.from_numpy(2 * hashed(2 * BATCH, 1002) - 1).reshape(BATCH, 2)
weights = torch.from_numpy(0.5 + hashed(2 * BATCH, 1003)).reshape(BATCH, 2)
alpha = torch.from_numpy(hashed(BATCH, 1004)).reshape(BATCH, 1, 1, 1)
quadrant = torch.tensor([3, 0, 2, 1])
entropy = torch.nn.functional.cross_entropy

fake = G(distorted)[1].detach()
between = (alpha * clean + (1 - alpha) * fake).requires_grad_()
slope = torch.autograd.grad(D(between)[0].sum(), between, create_graph=True)[0]
critic = {
    "real": -D(clean)[0].mean(),
    "fake": D(fake)[0].mean(),
    "penalty": ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean(),
    "quadrant": entropy(D(clean)[1], quadrant),
}


def generator_losses(cycle):
    z, image = G(distorted)
    score, logits = D(image)
    planes = logits.detach().softmax(1)[:, :, None, None].expand(-1, -1, *z.shape[2:])
    affect = C(torch.cat([z, planes], 1))[1]
    return {
        "adversarial": -score.mean(),
        "reconstruction": (clean - (G(image)[1] if cycle else image)).abs().mean(),
        "quadrant": entropy(logits, quadrant),
        **affect_losses(affect, labels, weights),
    }


def reported(losses, parts):
    return {
        name: {"value": loss.item(), "gradients": gradients(loss, nets, parts)} for name, loss in losses.items()
    }


cases = {
    "sizes": SIZES,
    "batch": BATCH,
    "stride": STRIDE,
    "affect": affect_case(7),
    "critic": reported(critic, ["discriminator"]),
    "direct": reported(generator_losses(False), ["generator", "combiner"]),
    "cycle": reported({"reconstruction": generator_losses(True)["reconstruction"]}, ["generator", "combiner"]),
}
Path(__file__).with_name("losses-oracle.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")
