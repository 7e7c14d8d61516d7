"""Learning rates that PyTorch's schedulers give, count by count, for every schedule of ours and some compositions.

A schedule is written as ours is made: {"kind": "stepLr", "options": {"stepSize": 3}}. Where some count steps and some epochs,
`stepsPerEpoch` says how many steps an epoch has, and the rates are those of the steps.
"""

import math
import re
import warnings

import torch
from torch.optim import lr_scheduler

COUNTS = 40
NAMES = {"t0": "T_0", "tMult": "T_mult", "tMax": "T_max"}


def kind_name(kind):
    return re.sub(r"Lr", "LR", kind[0].upper() + kind[1:])


def keywords(options):
    snake = {name: NAMES.get(name) or re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), name) for name in options}
    return {snake[name]: value for name, value in options.items() if name != "every"}


def make_scheduler(optimizer, spec):
    kind, options = spec["kind"], spec.get("options", {})
    if kind == "sequentialLr":
        members = [make_scheduler(optimizer, member) for member in spec["schedules"]]
        return lr_scheduler.SequentialLR(optimizer, members, spec["milestones"])
    if kind == "chainedScheduler":
        return lr_scheduler.ChainedScheduler([make_scheduler(optimizer, member) for member in spec["schedules"]])
    if kind == "oneCycleLr":
        options = {**options, "cycleMomentum": False}
    return getattr(lr_scheduler, kind_name(kind))(optimizer, **keywords(options))


def make_optimizer(base):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in base]
    return torch.optim.SGD(groups, lr=1)


def rates(optimizer):
    return [group["lr"] for group in optimizer.param_groups]


def case(kind, options=None, base=(0.1,), counts=COUNTS, **more):
    """The rates at counts 0, 1, 2 …, a list for each parameter group."""
    spec = {"kind": kind, "options": options or {}, **more}
    optimizer = make_optimizer(base)
    scheduler = make_scheduler(optimizer, spec)
    lrs = []
    for count in range(counts):
        lrs.append(rates(optimizer))
        optimizer.step()
        if count < counts - 1:
            scheduler.step()
    return {**spec, "base": list(base), "lrs": list(map(list, zip(*lrs)))}


def mixed_case(members, steps_per_epoch, base=(0.1,), epochs=6):
    """Schedulers of one optimizer of which some are stepped after each step, some after each epoch."""
    optimizer = make_optimizer(base)
    schedulers = [(make_scheduler(optimizer, member), member["options"]["every"]) for member in members]
    lrs = []
    for _ in range(epochs):
        for _ in range(steps_per_epoch):
            lrs.append(rates(optimizer))
            optimizer.step()
            for scheduler, every in schedulers:
                if every == "step":
                    scheduler.step()
        for scheduler, every in schedulers:
            if every == "epoch":
                scheduler.step()
    spec = {"kind": "chainedScheduler", "options": {}, "schedules": members, "stepsPerEpoch": steps_per_epoch}
    return {**spec, "base": list(base), "lrs": list(map(list, zip(*lrs)))}


def plateau_case(options, metrics, base=(0.1,)):
    """The rates after each metric."""
    optimizer = make_optimizer(base)
    scheduler = make_scheduler(optimizer, {"kind": "reduceLrOnPlateau", "options": options})
    lrs, bad, cooldown = [], [], []
    for metric in metrics:
        optimizer.step()
        scheduler.step(math.nan if metric is None else metric)
        lrs.append(rates(optimizer))
        bad.append(scheduler.num_bad_epochs)
        cooldown.append(scheduler.cooldown_counter)
    return {
        "options": options,
        "base": list(base),
        "metrics": metrics,
        "lrs": list(map(list, zip(*lrs))),
        "badEpochs": bad,
        "cooldown": cooldown,
    }


def make():
    warnings.simplefilter("ignore")  # SequentialLR itself uses what is deprecated
    member = lambda kind, **options: {"kind": kind, "options": options}
    cases = [
        case("constantLr"),
        case("constantLr", {"factor": 0.5, "totalIters": 4}, base=(0.1, 0.003)),
        case("constantLr", {"factor": 1, "totalIters": 7}),
        case("linearLr"),
        case("linearLr", {"startFactor": 0.01, "totalIters": 30}),
        case("linearLr", {"startFactor": 1, "endFactor": 0.25, "totalIters": 13}, base=(0.1, 0.003)),
        case("stepLr", {"stepSize": 7}),
        case("stepLr", {"stepSize": 1, "gamma": 0.9}, base=(0.1, 0.003)),
        case("multiStepLr", {"milestones": [1, 9, 10, 30]}),
        case("multiStepLr", {"milestones": [12, 24], "gamma": 0.3}),
        case("exponentialLr", {"gamma": 0.97}, base=(0.1, 0.003)),
        case("polynomialLr", {"totalIters": 30, "power": 0.9}),
        case("polynomialLr"),
        case("cosineAnnealingLr", {"tMax": 39}),
        case("cosineAnnealingLr", {"tMax": 8, "etaMin": 0.001}, base=(0.1, 0.003)),
        case("cosineAnnealingLr", {"tMax": 1}, counts=6),
        case("cosineAnnealingWarmRestarts", {"t0": 6}),
        case("cosineAnnealingWarmRestarts", {"t0": 3, "tMult": 2, "etaMin": 0.002}, base=(0.1, 0.003), counts=60),
        case("cosineAnnealingWarmRestarts", {"t0": 1, "tMult": 3}),
        case("oneCycleLr", {"maxLr": 0.5, "totalSteps": 40}),
        case("oneCycleLr", {"maxLr": [0.5, 0.02], "epochs": 4, "stepsPerEpoch": 10, "annealStrategy": "linear"}, base=(0.1, 0.003)),
        case("oneCycleLr", {"maxLr": 0.5, "totalSteps": 40, "threePhase": True, "pctStart": 0.37, "divFactor": 10, "finalDivFactor": 100}),
        case("oneCycleLr", {"maxLr": 0.5, "totalSteps": 20, "threePhase": True, "annealStrategy": "linear", "pctStart": 0.5}, counts=20),
        case("oneCycleLr", {"maxLr": 0.5, "totalSteps": 12, "pctStart": 0.0}, counts=12),
        case("oneCycleLr", {"maxLr": 0.5, "totalSteps": 12, "pctStart": 1.0}, counts=12),
        case("oneCycleLr", {"maxLr": 0.5, "totalSteps": 1}, counts=1),
        case(
            "sequentialLr",
            schedules=[member("constantLr", factor=0.1, totalIters=2, every="epoch"), member("exponentialLr", gamma=0.9)],
            milestones=[5],
            base=(0.1, 0.003),
        ),
        case(
            "sequentialLr",
            schedules=[
                member("linearLr", startFactor=0.1, totalIters=8, every="epoch"),
                member("cosineAnnealingLr", tMax=20, etaMin=0.001),
                member("stepLr", stepSize=3, gamma=0.5),
            ],
            milestones=[8, 25],
        ),
        case(
            "chainedScheduler",
            schedules=[member("constantLr", factor=0.1, totalIters=2), member("exponentialLr", gamma=0.9)],
            base=(0.1, 0.003),
        ),
        case(
            "chainedScheduler",
            schedules=[
                member("linearLr", startFactor=0.1, totalIters=10, every="epoch"),
                member("cosineAnnealingLr", tMax=39),
                member("multiStepLr", milestones=[5, 20], gamma=0.5),
            ],
        ),
        mixed_case(
            [member("linearLr", startFactor=0.1, totalIters=10, every="step"), member("stepLr", stepSize=2, gamma=0.5, every="epoch")],
            steps_per_epoch=7,
        ),
    ]
    falling = [1.0, 0.9, 0.95, 0.91, 0.9, 0.8999, 0.8, 0.85, 0.81, 0.82, 0.83, 0.79, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8]
    rising = [0.1, 0.5, 0.4, 0.5, 0.50004, 0.50006, 0.6, None, 0.7, 0.65, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6]
    flat = [0.7] * 30
    plateaus = [
        plateau_case({"patience": 2}, falling),
        plateau_case({"patience": 0, "factor": 0.5, "cooldown": 2}, falling, base=(0.1, 0.003)),
        plateau_case({"patience": 1, "threshold": 0.05, "thresholdMode": "abs"}, falling),
        plateau_case({"mode": "max", "patience": 1, "factor": 0.3}, rising),
        plateau_case({"mode": "max", "patience": 1, "threshold": 1e-5, "thresholdMode": "abs"}, rising),
        plateau_case({"patience": 1, "minLr": 0.0007}, flat),
        plateau_case({"patience": 0, "minLr": [0.01, 0.001], "factor": 0.7, "eps": 1e-3}, flat, base=(0.1, 0.003)),
        plateau_case({}, flat),
    ]
    return {"cases": cases, "plateaus": plateaus}
