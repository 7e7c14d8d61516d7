"""Activations and softmax with their gradients, alone and in small networks that are trained for a few steps.

For a trained network each number comes with a bound on how far any float32 run may be from the float64 one, by the running
error analysis that torch-fixtures.py's `roundoff_of` explains: every value that a float32 program rounds gets a perturbation,
and autograd says how much the numbers change with it. Sizes are in units of u = 2^-24, for the arithmetic that WGSL asks for.
"""

import copy
import sys

import torch
import torch.nn.functional as F
from torch import nn

from .common import decimals, in_float64, shortest, ten_digits

MODULES = {
    "relu": lambda: nn.ReLU(),
    "leakyRelu": lambda: nn.LeakyReLU(0.2),
    "gelu": lambda: nn.GELU(),
    "geluTanh": lambda: nn.GELU(approximate="tanh"),
    "sigmoid": lambda: nn.Sigmoid(),
    "tanh": lambda: nn.Tanh(),
    "silu": lambda: nn.SiLU(),
    "softmax": lambda: nn.Softmax(1),
    "logSoftmax": lambda: nn.LogSoftmax(1),
}
ELEMENTWISE = ["leakyRelu", "gelu", "geluTanh", "sigmoid", "tanh", "silu"]


def words(tensor):
    """Numbers as JSON cannot hold them all: NaN and the infinities too."""
    return [{"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(v), str(v)) for v in tensor.tolist()]


def elementwise_case(generator, kind):
    written, x = decimals((40,), -6, 6, generator)
    # At 0, where approximations change, and far out.
    more = [0.0, -0.0, 1e-3, -1e-3, 0.625, -0.625, 1.312, -1.312, 12.5, -12.5, 30.0, -30.0, 100.0, -100.0]
    x = torch.cat([x, torch.tensor(more)])
    dy_written, dy = decimals((len(x),), -1, 1, generator)

    def work(dtype):
        leaf = x.to(dtype).requires_grad_()
        y = MODULES[kind]()(leaf)
        y.backward(dy.to(dtype))
        return [y, leaf.grad]

    y, dx = in_float64(work)
    far = torch.tensor([1e4, -1e4, 1e30, -1e30, float("inf"), float("-inf"), float("nan")], requires_grad=True)
    far_y = MODULES[kind]()(far)
    far_y.sum().backward()
    extremes = {"x": words(far), "y": words(far_y), "dx": words(far.grad)}
    return {"kind": kind, "x": written + more, "dy": dy_written, "y": y, "dx": dx, "extremes": extremes}


def softmax_case(generator, rows, columns, magnitude):
    written, x = decimals((rows, columns), -magnitude, magnitude, generator)
    dy_written, dy = decimals((rows, columns), -1, 1, generator)

    def work(dtype):
        leaf = x.to(dtype).requires_grad_()
        y = F.softmax(leaf, 1)
        y.backward(dy.to(dtype))
        return [y, leaf.grad]

    y, dx = in_float64(work)
    return {"rows": rows, "columns": columns, "x": written, "dy": dy_written, "y": y, "dx": dx}


def exp_size(a):
    """Relative size of exp(a)'s error."""
    return 2 * (3 + 2 * a.abs())


def sigmoid_size(x):
    return torch.sigmoid(-x) * exp_size(x) + 6


def distribution_size(x):
    """Absolute size of the normal distribution's error; see distributionError in src/ops/reference-activation.ts."""
    tail = torch.special.ndtr(-x.abs())
    r = -torch.log(2 * tail)
    return torch.where(x.abs() < 1.31, torch.full_like(x, 4), tail * (exp_size(r) + 32 * r) + 1.1e-8 * 2**24 + 1)


def gate_sizes(w, q, w_size, q_size):
    """Absolute size of the error of σ(w)·(1 + q·σ(-w))."""
    s, t = torch.sigmoid(w), torch.sigmoid(-w)
    inner = 1 + q * t
    inner_size = q.abs() * t * (sigmoid_size(-w) + s * w_size * w.abs() + q_size + 2) + 2 * inner.abs()
    return s * inner_size + (s * inner).abs() * (sigmoid_size(w) + t * w_size * w.abs() + 2)


GELU = (8 / torch.pi) ** 0.5


def activate(kind, x, rounded):
    """f(x) as float32 rounds it, and how dy becomes dx."""
    d = x.detach()
    if kind == "relu":
        return x.clamp(min=0), lambda dy: dy * (x > 0)
    if kind == "leakyRelu":
        slope = torch.where(x > 0, torch.ones_like(d), torch.full_like(d, 0.2))
        return rounded(x * slope, 3 * (d * slope).abs()), lambda dy: rounded(dy * slope, 3 * (dy * slope).abs())
    if kind == "gelu":
        cdf, pdf = torch.special.ndtr(x), torch.exp(-x * x / 2) / (2 * torch.pi) ** 0.5
        y = rounded(x * cdf, d.abs() * (distribution_size(d) + 2 * cdf.detach()))
        slope = cdf + x * pdf
        size = distribution_size(d) + (d * pdf).abs() * (exp_size(d * d / 2) + 2 * d * d + 6) + 2 * slope.abs()
    elif kind == "geluTanh":
        w, q = GELU * (x + 0.044715 * x**3), x * GELU * (1 + 3 * 0.044715 * x * x)
        wd = w.detach()
        relative = torch.sigmoid(-wd) * 10 * wd.abs() + sigmoid_size(wd) + 2
        y = rounded(x * torch.sigmoid(w), (d * torch.sigmoid(wd)).abs() * relative)
        slope, size = torch.sigmoid(w) * (1 + q * torch.sigmoid(-w)), gate_sizes(wd, q.detach(), 10, 12)
    elif kind == "silu":
        y = rounded(x * torch.sigmoid(x), (d * torch.sigmoid(d)).abs() * (sigmoid_size(d) + 2))
        slope, size = torch.sigmoid(x) * (1 + x * torch.sigmoid(-x)), gate_sizes(d, d, 0, 0)
    elif kind == "sigmoid":
        y = rounded(torch.sigmoid(x), torch.sigmoid(d) * sigmoid_size(d))
        slope, size = y * (1 - y), 6 * (y * (1 - y)).abs()
    elif kind == "tanh":
        share = 2 * torch.sigmoid(-2 * d.abs())
        y = rounded(torch.tanh(x), share * (exp_size(2 * d) + 16) + 8 * torch.tanh(d).abs())
        slope, size = 1 - y * y, 8 * (1 - y * y).abs()
    return y, lambda dy: rounded(dy * slope, dy.abs() * size + 2 * (dy * slope).abs())


def normalise(kind, x, rounded):
    """softmax and its logarithm over rows."""
    columns = x.shape[1]
    p = torch.softmax(x, 1)
    distance = (x.max(1, keepdim=True).values - x).detach()
    e_size = 2 * distance + exp_size(distance)
    sum_size = (p * e_size).sum(1, keepdim=True).detach() + 2 * columns
    if kind == "softmax":
        y = rounded(p, p * (e_size + sum_size + 5))

        def pullback(dy):
            total = (dy * y).sum(1, keepdim=True)
            size = y * (2 * columns + 2) * (dy * y).abs().sum(1, keepdim=True) + 4 * (y * (dy - total)).abs()
            return rounded(y * (dy - total), size)

        return y, pullback
    log_p = torch.log_softmax(x, 1)
    log_sum = (log_p + distance).abs().max(1, keepdim=True).values
    y = rounded(log_p, 2 * distance + sum_size + (6 * log_sum).clamp(min=8) + 2 * log_p.abs())

    def log_pullback(dy):
        total = dy.abs().sum(1, keepdim=True)
        size = y.exp() * total * (exp_size(y) + 2 * columns + 2) + 2 * (dy.abs() + total)
        return rounded(dy - y.exp() * dy.sum(1, keepdim=True), size)

    return y, log_pullback


def roundoff_of(layers, parameters, batches, lr):
    """Losses, and bounds on them and on the parameters in the end."""
    nodes = []

    def rounded(value, size):
        perturbation = torch.zeros_like(value, requires_grad=True)
        nodes.append((perturbation, size.detach()))
        return value + perturbation

    def bound_of(number):
        derivatives = torch.autograd.grad(number, [p for p, _ in nodes], retain_graph=True, allow_unused=True)
        return sum((d.abs() * size).sum().item() for d, (_, size) in zip(derivatives, nodes) if d is not None) * 2**-24

    theta = [parameter.detach().double() for parameter in parameters]
    losses, bounds = [], []
    for x, targets in batches:
        rows, value, pullbacks, gradients, at = len(x), x, [], [None] * len(theta), 0
        for layer in layers:
            kind = layer["kind"]
            if kind != "linear":
                if kind in ("relu", "leakyRelu"):
                    for near in value[value.abs() < 1e-3]:
                        assert near.abs().item() > bound_of(near), "too close to the kink: take another seed"
                value, pullback = (normalise if kind in ("softmax", "logSoftmax") else activate)(kind, value, rounded)
                pullbacks.append(pullback)
                continue
            h, w, place, bias = value, theta[at], at, layer["bias"]
            z, terms = h @ w.T, h.abs() @ w.abs().T
            size = 2 * h.shape[1] * terms
            if bias:
                z, size = z + theta[at + 1], size + 2 * (terms + theta[at + 1].abs())
            value, at = rounded(z, size), at + (2 if bias else 1)

            def pullback(dz, h=h, w=w, place=place, bias=bias):
                gradients[place] = rounded(dz.T @ h, 2 * rows * (dz.abs().T @ h.abs()))
                if bias:
                    gradients[place + 1] = rounded(dz.sum(0), 2 * rows * dz.abs().sum(0))
                return rounded(dz @ w, 2 * len(w) * (dz.abs() @ w.abs()))

            pullbacks.append(pullback)
        log_p, by_log = normalise("logSoftmax", value, rounded)
        hot = F.one_hot(targets, value.shape[1]).double()
        row_loss = -(log_p * hot).sum(1)
        loss = rounded(row_loss.mean(), (2 * rows + 5) * row_loss.mean().abs())
        losses.append(loss.item())
        bounds.append(bound_of(loss))
        d = by_log(rounded(-hot / rows, 5 * hot / rows))
        for pullback in reversed(pullbacks):
            d = pullback(d)
        theta = [value - lr * gradient for value, gradient in zip(theta, gradients)]
        theta = [rounded(value, 2 * value.abs()) for value in theta]
    for value in theta:
        smallest = value.flatten()[value.abs().argmin()]
        assert smallest.abs().item() > bound_of(smallest), "a weight whose sign is open: take another seed"
    return losses, bounds, [[bound_of(number) for number in summary(value)] for value in theta]


def summary(parameter):
    """What is kept of a parameter: its first and last three values, its sum and its sum of absolute values."""
    flat = parameter.flatten().double()
    return [*flat[:3], *flat[-3:], flat.sum(), flat.abs().sum()]


BATCH, STEPS, LR = 8, 5, 0.5


def trained(seed, layers, inputs, targets):
    torch.manual_seed(seed)

    def module(layer):
        if layer["kind"] == "linear":
            return nn.Linear(layer["inputs"], layer["outputs"], bias=layer["bias"])
        return MODULES[layer["kind"]]()

    model = nn.Sequential(*[module(layer) for layer in layers])
    exact = copy.deepcopy(model).double()

    def learn(network, x):
        optimizer = torch.optim.SGD(network.parameters(), lr=LR)
        losses = []
        for rows, classes in zip(x.split(BATCH), targets.split(BATCH)):
            optimizer.zero_grad()
            loss = F.cross_entropy(network(rows), classes)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    batches = list(zip(inputs.double().split(BATCH), targets.split(BATCH)))
    written_out, bounds, parameter_bounds = roundoff_of(layers, list(model.parameters()), batches, LR)
    losses, losses64 = learn(model, inputs), learn(exact, inputs.double())
    assert torch.allclose(losses64, torch.tensor(written_out, dtype=torch.float64), rtol=1e-12, atol=1e-14)
    shares = (losses.double() - losses64).abs() / torch.tensor(bounds)
    kinds = [layer["kind"] for layer in layers]
    print(f"{kinds}: bounds {bounds[0]:.1e} … {bounds[-1]:.1e}, PyTorch's float32 at {shares.max():.3f}", file=sys.stderr)

    def upwards(values):
        # One in a hundred more, for the three digits kept and for terms of second order.
        return [float(f"{1.01 * value:.3g}") for value in values]

    parameters = [
        {
            "name": name,
            "float32": ten_digits(torch.stack(summary(value))),
            "float64": ten_digits(torch.stack(summary(value64))),
            "bound": upwards(bound),
        }
        for (name, value), value64, bound in zip(model.named_parameters(), exact.parameters(), parameter_bounds)
    ]
    return {
        "seed": seed,
        "layers": layers,
        "losses": {"float32": shortest(losses), "float64": ten_digits(losses64), "bound": upwards(bounds)},
        "parameters": parameters,
    }


def trajectories(generator):
    features, classes = 12, 4
    integers = torch.randint(-8, 9, (BATCH * STEPS, features), generator=generator)
    targets = (integers.float() @ torch.randn(features, classes, generator=generator)).argmax(1)
    inputs = integers.float().div(8)

    def linear(fan_in, fan_out, bias=True):
        return {"kind": "linear", "inputs": fan_in, "outputs": fan_out, "bias": bias}

    def deep(kind):
        return [linear(12, 9), {"kind": kind}, linear(9, 6, bias=False), {"kind": kind}, linear(6, 4)]

    runs = [trained(seed, deep(kind), inputs, targets) for seed, kind in enumerate(["relu", *ELEMENTWISE])]
    runs += [
        trained(21, [linear(12, 4), {"kind": "softmax"}], inputs, targets),
        trained(22, [linear(12, 7), {"kind": "silu"}, linear(7, 4, bias=False), {"kind": "logSoftmax"}], inputs, targets),
        trained(23, [linear(12, 8, bias=False), {"kind": "tanh"}, linear(8, 4, bias=False)], inputs, targets),
    ]
    return {
        "batchSize": BATCH,
        "lr": LR,
        "features": features,
        "inputs": integers.flatten().tolist(),
        "targets": targets.tolist(),
        "runs": runs,
    }


def make():
    generator = torch.Generator()
    generator.manual_seed(13)
    return {
        "elementwise": [elementwise_case(generator, kind) for kind in ELEMENTWISE],
        "softmax": [
            softmax_case(generator, 1, 1, 1),
            softmax_case(generator, 5, 10, 20),
            softmax_case(generator, 3, 33, 3),
        ],
        "trajectories": trajectories(generator),
    }
