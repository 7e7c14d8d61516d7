"""What torch.nn.init fills tensors with, by name; and models whose layers are initialised in two ways."""

import torch
from torch import nn

from .common import sha256

# Weights of linear layers and convolutions; fewer than 16 elements, a multiple of 16, and neither.
SHAPES = [[3, 5], [4, 4], [10, 7], [64, 33], [6, 3, 3, 3], [1, 2, 2], [2, 1]]

BY_FANS = {
    "kaimingUniform": (
        nn.init.kaiming_uniform_,
        [
            {},
            {"a": 0.3, "mode": "fan_out"},
            {"nonlinearity": "relu"},
            {"nonlinearity": "tanh", "mode": "fan_out"},
            {"nonlinearity": "selu"},
            {"nonlinearity": "sigmoid"},
            {"a": 5**0.5},
        ],
    ),
    "kaimingNormal": (nn.init.kaiming_normal_, [{}, {"a": 0.3, "mode": "fan_out"}, {"nonlinearity": "relu"}]),
    "xavierUniform": (nn.init.xavier_uniform_, [{}, {"gain": 5 / 3}]),
    "xavierNormal": (nn.init.xavier_normal_, [{}, {"gain": 0.1}]),
}
BY_NUMBERS = {
    "uniform": (nn.init.uniform_, [[], [-0.3, 0.7]]),
    "normal": (nn.init.normal_, [[], [0.5, 0.02], [-3.0, 0.0]]),
    "constant": (nn.init.constant_, [[0.1]]),
    "zeros": (nn.init.zeros_, [[]]),
    "ones": (nn.init.ones_, [[]]),
}


def filled(fill, shape, seed):
    torch.manual_seed(seed)
    tensor = torch.full(shape, float("nan"))
    fill(tensor)
    # What is left over shows in what comes next.
    following = torch.cat([torch.empty(3).normal_(), torch.rand(1)])
    flat = tensor.flatten()
    return {"shape": shape, "first": flat[:3].tolist(), "sha256": sha256(tensor), "next": following.tolist()}


def cases():
    rows = []
    for name, (fill, all_options) in BY_FANS.items():
        for options in all_options:
            results = [filled(lambda t: fill(t, **options), shape, 7) for shape in SHAPES]
            rows.append({"name": name, "options": options, "results": results})
    for name, (fill, all_numbers) in BY_NUMBERS.items():
        for numbers in all_numbers:
            results = [filled(lambda t: fill(t, *numbers), shape, 7) for shape in [*SHAPES, [5], [40]]]
            rows.append({"name": name, "numbers": numbers, "results": results})
    return rows


def long_normals():
    """Many numbers, so that rounding in any other way would show; and the ends of short and uneven ones."""
    rows = []
    for seed, count, mean, std in [(0, 200000, 0.0, 1.0), (1, 100003, 0.5, 0.3), (2, 16, 0.0, 1.0), (3, 31, 1e4, 1e-3), (4, 15, 2.0, 3.0)]:
        torch.manual_seed(seed)
        values = torch.empty(count).normal_(mean, std)
        rows.append({"seed": seed, "count": count, "mean": mean, "std": std, "first": values[:3].tolist(), "sha256": sha256(values)})
    return rows


def models():
    """The same layers: initialised one by one as they are made, and all together by `apply`."""

    def hashes(model):
        return [{"name": name, "sha256": sha256(value)} for name, value in model.named_parameters()]

    torch.manual_seed(5)
    first = nn.Linear(20, 17)
    nn.init.xavier_normal_(first.weight)
    nn.init.zeros_(first.bias)
    second = nn.Linear(17, 9, bias=False)
    nn.init.kaiming_uniform_(second.weight, nonlinearity="relu")
    one_by_one = nn.Sequential(first, nn.ReLU(), second, nn.Linear(9, 3))

    torch.manual_seed(5)
    together = nn.Sequential(nn.Linear(20, 17), nn.Sequential(nn.ReLU(), nn.Linear(17, 9, bias=False)), nn.Linear(9, 3))

    def initialise(module):
        if isinstance(module, nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, 0.1, 0.2)

    together.apply(initialise)
    return {"seed": 5, "oneByOne": hashes(one_by_one), "together": hashes(together)}


def make():
    return {"cases": cases(), "normals": long_normals(), "models": models()}
