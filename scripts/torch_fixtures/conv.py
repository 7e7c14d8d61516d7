"""conv.json: convolutions and pools with all their gradients, what Conv2d starts from, and ten steps of a small LeNet.

Numbers as in ops.json and trajectories.json: inputs are short decimals, results that round are PyTorch's float64 ones, and
for the LeNet every number has a bound on how far any float32 run may be from the float64 one.
"""

import copy
import sys

import torch
import torch.nn.functional as F
from torch import nn

from torch_fixtures.common import decimals, in_float64, sha256, shortest, ten_digits


def conv_case(generator, shape, out_channels, kernel, stride=1, padding=0, dilation=1, bias=True, relu=False, u8=False):
    """y = conv2d(x) and its gradients for a given dy; x may be bytes, y may be rectified."""
    if u8:
        x_written = torch.randint(0, 256, shape, generator=generator).flatten().tolist()
        x = torch.tensor(x_written, dtype=torch.uint8).reshape(shape)
    else:
        x_written, x = decimals(shape, -1, 1, generator)
    kernel = [kernel, kernel] if isinstance(kernel, int) else kernel
    w_written, w = decimals((out_channels, shape[1], *kernel), -1, 1, generator)
    b_written, b = decimals((out_channels,), -1, 1, generator)

    def forward(x, w, b):
        z = F.conv2d(x, w, b if bias else None, stride, padding, dilation)
        assert not relu or z.abs().min() > 1e-4, "a pre-activation too close to the kink: draw others"
        return F.relu(z) if relu else z

    out = list(forward(x.float(), w, b).shape)
    dy_written, dy = decimals(out, -1, 1, generator)

    def work(dtype):
        leaves = [x.to(dtype).div(255) if u8 else x.to(dtype), w.to(dtype), b.to(dtype)]
        for leaf in leaves:
            leaf.requires_grad_()
        y = forward(*leaves)
        y.backward(dy.to(dtype))
        return [y, *(leaf.grad for leaf in leaves if leaf.grad is not None)]

    y, dx, dw, *db = in_float64(work)
    return {
        "shape": list(shape),
        "out": out,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "relu": relu,
        "u8": u8,
        "x": x_written,
        "weight": w_written,
        "bias": b_written if bias else None,
        "dy": dy_written,
        "y": y,
        "dx": dx,
        "dWeight": dw,
        "dBias": db[0] if bias else None,
    }


def conv_cases(generator):
    return [
        conv_case(generator, (1, 1, 1, 1), 1, 1),
        conv_case(generator, (2, 1, 5, 5), 2, 3),
        conv_case(generator, (1, 2, 4, 5), 2, 3, padding=1),
        conv_case(generator, (1, 1, 7, 6), 2, 3, stride=2, padding=1),
        conv_case(generator, (1, 2, 7, 4), 2, [2, 3], stride=[3, 1], padding=[0, 2]),
        conv_case(generator, (1, 1, 7, 6), 1, 3, dilation=2, padding=2),
        conv_case(generator, (1, 2, 7, 9), 1, [3, 2], stride=[1, 2], dilation=[2, 3], padding=[1, 2]),
        conv_case(generator, (2, 3, 3, 2), 4, 1),
        conv_case(generator, (2, 3, 3, 4), 2, 1, stride=2, bias=False),
        conv_case(generator, (1, 2, 4, 5), 2, [2, 4], padding="same"),
        conv_case(generator, (1, 1, 6, 5), 2, 3, padding="same", dilation=[1, 2], bias=False),
        conv_case(generator, (2, 1, 4, 4), 2, 5, padding=2, u8=True),
        conv_case(generator, (1, 2, 4, 4), 3, 3, padding=1, relu=True),
        conv_case(generator, (1, 3, 4, 5), 2, 3, padding=1, relu=True, u8=True),
    ]


def pool_case(generator, shape, kernel, stride=None, padding=0, ties=False):
    """Max and average pool of the same images, with their gradients for the same dy."""
    if ties:
        x_written = torch.randint(-1, 3, shape, generator=generator).flatten().tolist()
        x = torch.tensor(x_written, dtype=torch.float32).reshape(shape)
    else:
        x_written, x = decimals(shape, -1, 1, generator)
    y, index = F.max_pool2d(x, kernel, stride, padding, return_indices=True)
    dy_written, dy = decimals(y.shape, -1, 1, generator)

    def work(dtype):
        results = []
        for pool in [F.max_pool2d, F.avg_pool2d]:
            leaf = x.to(dtype).clone().requires_grad_()
            made = pool(leaf, kernel, stride, padding)
            made.backward(dy.to(dtype))
            results += [made, leaf.grad]
        return results

    largest, largest_dx, mean, mean_dx = in_float64(work)
    return {
        "shape": list(shape),
        "kernel": kernel,
        "stride": kernel if stride is None else stride,
        "padding": padding,
        "x": x_written,
        "dy": dy_written,
        "index": index.flatten().tolist(),
        "max": largest,
        "maxDx": largest_dx,
        "avg": mean,
        "avgDx": mean_dx,
    }


def special_pools():
    """What a max pool makes of NaN and infinities: one window of 2 × 3, written as PyTorch's strings."""
    rows = []
    for text in ["nan 1 2 3 4 5", "1 2 3 4 5 nan", "nan 1 nan 2 inf nan", "-inf -inf -inf -inf -inf -inf", "-inf inf 1 inf 2 3", "1 nan nan 2 3 4"]:
        x = torch.tensor([float(word) for word in text.split()]).reshape(1, 1, 2, 3)
        y, index = F.max_pool2d(x, [2, 3], return_indices=True)
        rows.append({"x": text, "y": str(y.item()), "index": index.item()})
    return rows


def inits():
    rows = []
    for in_channels, out_channels, kernel, bias in [(1, 6, 5, True), (6, 16, 5, True), (1, 16, 3, True), (3, 5, [2, 7], True), (7, 2, 1, False), (17, 33, 3, True)]:
        torch.manual_seed(3)
        layer = nn.Conv2d(in_channels, out_channels, kernel, bias=bias)
        following = torch.rand(1).item()  # how far the generator got
        rows.append({"in": in_channels, "out": out_channels, "kernel": kernel, "bias": bias, "weight": sha256(layer.weight), "biasSum": sha256(layer.bias) if bias else None, "next": following})
    return {"seed": 3, "layers": rows}


def roundoff_of(layers, batches, lr, u8):
    """As roundoff_of in torch-fixtures.py, which explains it, for convolutions (by their windows), 2 × 2 max pools and linear layers."""
    nodes = []

    def rounded(value, size):
        perturbation = torch.zeros_like(value, requires_grad=True)
        nodes.append((perturbation, size.detach()))
        return value + perturbation

    def bound_of(number):
        derivatives = torch.autograd.grad(number, [p for p, _ in nodes], retain_graph=True, allow_unused=True)
        return sum((d.abs() * size).sum().item() for d, (_, size) in zip(derivatives, nodes) if d is not None) * 2**-24

    theta = [p.detach().double() for layer in layers for p in layer.parameters()]
    losses, bounds = [], []
    for x, targets in batches:
        count = len(x)
        scaling = 3 if u8 else 0
        h, back, at = x, [], 0
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                w, b = theta[at].flatten(1), theta[at + 1]
                columns = F.unfold(h, layer.kernel_size, padding=layer.padding)
                terms = w.abs() @ columns.abs()
                z = w @ columns + b[:, None]
                z = rounded(z, (2 * w.shape[1] + scaling) * terms + 2 * (terms + b.abs()[:, None]))
                back.append((layer, at, columns, h.shape, scaling))
                side = h.shape[2] + 2 * layer.padding[0] - layer.kernel_size[0] + 1
                h, at = z.unflatten(2, (side, side)), at + 2
            elif isinstance(layer, nn.Linear):
                w, b = theta[at], theta[at + 1]
                terms = h.abs() @ w.abs().T
                back.append((layer, at, h))
                h, at = rounded(h @ w.T + b, (2 * h.shape[1] + scaling) * terms + 2 * (terms + b.abs())), at + 2
            elif isinstance(layer, nn.ReLU):
                for near in h[h.abs() < 1e-3]:
                    assert near.abs().item() > bound_of(near), "a pre-activation too close to the kink: take another seed"
                mask = h > 0
                back.append((layer, mask))
                h = h * mask
            elif isinstance(layer, nn.MaxPool2d):
                four = F.unfold(h.flatten(0, 1).unsqueeze(1), 2, stride=2).topk(2, 1).values
                gaps = (four[:, 0] - four[:, 1])[four[:, 0] > 0]
                assert (gaps > 1e-4).all(), "two largest too close to each other: take another seed"
                shape = h.shape
                h, index = F.max_pool2d(h, 2, return_indices=True)
                back.append((layer, index, shape))
            else:
                back.append((layer, h.shape))
                h = h.flatten(1)
            scaling = 0 if isinstance(layer, (nn.Conv2d, nn.Linear)) else scaling
        z = h

        log_p = torch.log_softmax(z, 1)
        p, hot = log_p.exp(), F.one_hot(targets, z.shape[1]).double()
        with torch.no_grad():
            distance = z.max(1, keepdim=True).values - z
            exp_size = 2 * distance + 2 * (3 + 2 * distance)
            sum_size = (p * exp_size).sum(1, keepdim=True) + 2 * z.shape[1]
            log_sum = (log_p + distance).abs().max(1, keepdim=True).values
            log_p_size = 2 * distance + sum_size + (6 * log_sum).clamp(min=8) + 2 * log_p.abs()
            p_size = torch.maximum(exp_size + sum_size + 5, log_p_size + 2 * (3 + 2 * log_p.abs()) + 7)
            d_size = (p * p_size + 7 * (p - hot).abs() + 5 * hot) / count
            row_size = (log_p_size * hot).sum(1)
        row_loss = rounded(-(log_p * hot).sum(1), row_size)
        loss = rounded(row_loss.mean(), (2 * count + 5) * row_loss.mean())
        losses.append(loss.item())
        bounds.append(bound_of(loss))

        d = rounded((p - hot) / count, d_size)
        gradients = [torch.empty(0)] * len(theta)
        for layer, *saved in reversed(back):
            if isinstance(layer, nn.Conv2d):
                at, columns, shape, scaling = saved
                w, d = theta[at].flatten(1), d.flatten(2)
                products = lambda a, b: torch.einsum("nol,nkl->ok", a, b)
                terms = count * d.shape[2]
                gradients[at] = rounded(products(d, columns), (2 * terms + scaling) * products(d.abs(), columns.abs())).view_as(theta[at])
                gradients[at + 1] = rounded(d.sum((0, 2)), 2 * terms * d.abs().sum((0, 2)))
                if at > 0:
                    dcolumns = rounded(w.T @ d, 2 * len(w) * (w.abs().T @ d.abs()))
                    fold = lambda c: F.fold(c, shape[2:], layer.kernel_size, padding=layer.padding)
                    taps = layer.kernel_size[0] * layer.kernel_size[1]
                    d = rounded(fold(dcolumns), 2 * taps * fold(dcolumns.abs()))
            elif isinstance(layer, nn.Linear):
                at, h = saved
                gradients[at] = rounded(d.T @ h, 2 * count * (d.abs().T @ h.abs()))
                gradients[at + 1] = rounded(d.sum(0), 2 * count * d.abs().sum(0))
                w = theta[at]
                d = rounded(d @ w, 2 * len(w) * (d.abs() @ w.abs()))
            elif isinstance(layer, nn.ReLU):
                d = d * saved[0]
            elif isinstance(layer, nn.MaxPool2d):
                index, shape = saved
                zeros = torch.zeros(*shape[:2], shape[2] * shape[3], dtype=d.dtype)
                d = zeros.scatter(2, index.flatten(2), d.flatten(2)).view(shape)
            else:
                d = d.reshape(saved[0])
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


def lenet(seed, steps, lr):
    """A small LeNet on bytes, in float32 and from the same weights in float64."""
    generator = torch.Generator()
    generator.manual_seed(seed)
    batch, side = 6, 8
    images = torch.randint(0, 256, (2 * batch, 1, side, side), generator=generator)
    teacher = torch.randn(side * side, 3, generator=generator)
    targets = ((images.float() - 127.5).flatten(1) @ teacher).argmax(1)

    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3),
    )
    exact = copy.deepcopy(model).double()
    order = [slice(0, batch), slice(batch, 2 * batch)] * (steps // 2)

    def learn(network, x):
        optimizer = torch.optim.SGD(network.parameters(), lr=lr)
        losses = []
        for picked in order:
            optimizer.zero_grad()
            loss = F.cross_entropy(network(x[picked]), targets[picked])
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses)

    x64 = images.double().div(255)
    batches = [(x64[picked], targets[picked]) for picked in order]
    written_out, bounds, parameter_bounds = roundoff_of(list(model), batches, lr, u8=True)
    losses, losses64 = learn(model, images.float().div(255)), learn(exact, x64)
    # The analysis is of this very run.
    assert torch.allclose(losses64, torch.tensor(written_out, dtype=torch.float64), rtol=1e-12, atol=1e-14)
    shares = (losses.double() - losses64).abs() / torch.tensor(bounds)
    moved = f"losses {losses[0]:.3f} … {losses[-1]:.3f}, bounds {bounds[0]:.1e} … {bounds[-1]:.1e}"
    print(f"LeNet: {moved}, PyTorch's float32 at {shares.max():.3f} of them", file=sys.stderr)

    def upwards(values):
        # One in a hundred more, for the three digits kept and for terms of second order.
        return [float(f"{1.01 * value:.3g}") for value in values]

    parameters = []
    for (name, value), value64, bound in zip(model.named_parameters(), exact.parameters(), parameter_bounds):
        parameters.append(
            {
                "name": name,
                "float32": ten_digits(torch.stack(summary(value))),
                "float64": ten_digits(torch.stack(summary(value64))),
                "bound": upwards(bound),
            }
        )
    return {
        "seed": seed,
        "batchSize": batch,
        "lr": lr,
        "shape": [1, side, side],
        "inputs": images.flatten().tolist(),
        "targets": targets.tolist(),
        "losses": {"float32": shortest(losses), "float64": ten_digits(losses64), "bound": upwards(bounds)},
        "parameters": parameters,
    }


def lenet_of_some_seed():
    for seed in range(1, 60):
        try:
            return lenet(seed, steps=10, lr=0.25)
        except AssertionError as refused:
            print(f"seed {seed}: {refused}", file=sys.stderr)
    raise SystemExit("no seed without a number near a kink")


def make():
    generator = torch.Generator()
    generator.manual_seed(12)
    return {
        "conv": conv_cases(generator),
        "pools": [
            pool_case(generator, (1, 2, 4, 6), [2, 2]),
            pool_case(generator, (1, 2, 5, 5), [3, 2], [2, 1], [1, 1]),
            pool_case(generator, (2, 1, 5, 6), [2, 2], [2, 3], ties=True),
            pool_case(generator, (1, 2, 5, 4), [3, 3], [1, 1], [1, 1], ties=True),
        ],
        "specialPools": special_pools(),
        "init": inits(),
        "lenet": lenet_of_some_seed(),
    }
