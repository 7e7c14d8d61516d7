"""batch_norm.json: three training batches of BatchNorm1d and BatchNorm2d, the last of them smaller, with all gradients and
the running statistics afterwards, and what an evaluation makes of the last batch.

Numbers as in ops.json: inputs are short decimals, results are PyTorch's float64 ones.
"""

import torch
from torch import nn

from torch_fixtures.common import decimals, in_float64


def case(generator, shape, batches, low=-1, high=1, **options):
    """One layer over batches of rows of `shape`; weight and bias stay as they are given."""
    kind = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
    features = shape[0]
    w_written, w = decimals((features,), 0.5, 1.5, generator)
    b_written, b = decimals((features,), -1, 1, generator)
    affine = options.get("affine", True)
    given = [(decimals((rows, *shape), low, high, generator), decimals((rows, *shape), -1, 1, generator)) for rows in batches]

    def work(dtype):
        layer = kind(features, **options).to(dtype)
        if affine:
            layer.weight.data.copy_(w)
            layer.bias.data.copy_(b)
        results = []
        for (_, x), (_, dy) in given:
            leaf = x.to(dtype).requires_grad_()
            layer.zero_grad()
            y = layer(leaf)
            y.backward(dy.to(dtype))
            results += [y, leaf.grad, *(p.grad.clone() for p in layer.parameters())]
        assert layer.num_batches_tracked.item() == len(batches)
        layer.eval()
        return [*results, layer.running_mean, layer.running_var, layer(given[-1][0][1].to(dtype))]

    *results, running_mean, running_var, evaluated = in_float64(work)
    names = ["y", "dx", "dWeight", "dBias"] if affine else ["y", "dx"]
    steps = []
    for i, ((x_written, _), (dy_written, _)) in enumerate(given):
        made = dict(zip(names, results[i * len(names) :]))
        made = {"dWeight": [], "dBias": [], **made}
        steps.append({"rows": batches[i], "x": x_written, "dy": dy_written, **made})
    return {
        "shape": list(shape),
        "options": options,
        "weight": w_written if affine else [],
        "bias": b_written if affine else [],
        "batches": steps,
        "runningMean": running_mean,
        "runningVar": running_var,
        "evaluated": evaluated,
    }


def states():
    """The keys and shapes of a state_dict; one that is all float32 is loaded, the count of batches too."""
    layer = nn.BatchNorm2d(3)
    shapes = [[name, list(value.shape)] for name, value in layer.state_dict().items()]
    layer.load_state_dict({name: torch.full(shape, 5.0) for name, shape in shapes})
    assert layer.num_batches_tracked.dtype == torch.int64 and layer.num_batches_tracked.item() == 5
    return shapes


def make():
    generator = torch.Generator()
    generator.manual_seed(11)
    cases = [
        case(generator, (3,), [8, 8, 3]),
        case(generator, (5,), [6, 6, 4], low=2, high=4, momentum=0.375, eps=1e-3),
        case(generator, (2,), [4, 4, 3], affine=False),
        case(generator, (3, 4, 2), [4, 4, 1]),
        case(generator, (1, 3, 3), [3, 3, 2], momentum=0.25),
        case(generator, (2, 1, 1), [5, 5, 4]),
        case(generator, (2, 2, 3), [3, 3, 2], affine=False, eps=0.01),
    ]
    return {"cases": cases, "state": states()}
