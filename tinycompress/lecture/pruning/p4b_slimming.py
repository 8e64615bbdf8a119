"""Claim P4b: network slimming, in which a net learns which neurons it can do without.

On grey images, the budget "paper" repeats the experiment of Liu et al. 2017, table 1(d): 784-500-300-10 on MNIST, with 84.4 % of
the parameters removed. From a ResNet-20 it removes 35.2 %, the larger of the two shares that they remove from a ResNet-164. As
there, what the blocks pass on stays whole.
"""

from dataclasses import dataclass

import numpy as np

from ... import data
from ... import functional as F
from ...channels import channel_groups
from ...data import Dataset
from ...nn import BatchNorm, Dense, Flatten, Module, ReLU, Sequential
from ...nn.weighted import effective
from ...profiling import stored_bytes
from ...pruning import batch_norm_l1, batch_norm_scale, keep_neurons, prunable, remove_neurons
from ...selection import pick_on_validation, train
from ...workshop import colour
from ...workshop.interval import seed_band
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect, first_seed_drawn
from ..images.shares import accuracy_on
from ..learned import learns
from ..plans import COLOUR, plan_of
from ..rows import paired

WIDTHS = (500, 300)
PUBLISHED = {"whole": 1.43, "slimmed": 1.49}  # % error, on MNIST
MARGIN = -0.5  # points of accuracy that count as no loss
SMALLEST = 1.0  # points of accuracy that matter


@dataclass(frozen=True)
class Plan:
    """All arms train for `before` + `sparse` + `tuned` epochs and have as many learning rates or, when slimming, penalties to
    try.

    gone: the share of the parameters to remove, as in the paper. tuned_lr: the learning rate of fine-tuning. before: epochs of
    the net that is slimmed, if it is the ResNet-20 of `colour` (`stored`) and not trained by this claim. shown: two layers whose
    scales are drawn.
    """

    sparse: int
    tuned: int
    batch_size: int
    lrs: tuple[float, ...]
    penalties: tuple[float, ...]
    tuned_lr: float
    gone: float = 0.844
    before: int = 0
    stored: bool = False
    shown: tuple[int, int] = (0, 1)


PLANS = {
    # A rate of 0.05 leaves fine-tuning unfinished: 0.1 has the lower validation loss, and so has a penalty below 0.01.
    "quick": Plan(sparse=10, tuned=5, batch_size=64, lrs=(0.05, 0.1), penalties=(3e-3, 1e-2), tuned_lr=0.1),
    "quick, many images": Plan(2, 1, batch_size=128, lrs=(0.05, 0.1), penalties=(1e-3, 3e-3), tuned_lr=0.05),
    "full": Plan(30, 15, batch_size=64, lrs=(0.02, 0.05, 0.1), penalties=(3e-3, 1e-2, 3e-2), tuned_lr=0.02),
    "paper": Plan(14, 6, batch_size=128, lrs=(0.05, 0.1), penalties=(3e-4, 1e-3), tuned_lr=0.05),
    # Both layers that are drawn are the first of their block, whose channels are tied to no others.
    f"paper, {COLOUR}": Plan(
        sparse=4,
        tuned=3,
        batch_size=128,
        lrs=(colour.LR,),
        penalties=(1e-3,),
        tuned_lr=colour.LR,
        gone=0.352,
        before=colour.PLAN.epochs,
        stored=True,
        shown=(1, 17),
    ),
}


def measure_p4b(data_name: str, budget: str, seed: int, drawn: bool) -> list[dict]:
    """Test accuracy of the whole net, of the slimmed net, and of a net of the slimmed widths trained from scratch."""
    dataset = data.load(data_name)
    plan = plan_of(PLANS, budget, dataset)

    def kept(name, make, epochs):
        return colour.kept(plan, f"P4b: {name}, seed {seed}", [start], dataset, make, epochs)

    start = _start(data_name, dataset, plan, seed)
    found = {}  # which neurons stay, and the scales that are drawn, for each penalty

    def slimmed(penalty):
        net = start.copy()

        def loss(outputs, labels):
            return F.cross_entropy(outputs, labels) + penalty * batch_norm_l1(net)

        _train(net, dataset, plan, seed, plan.lrs[-1], plan.sparse, loss=loss)
        scales = [np.abs(effective(m, "weight")) for m in net.modules() if isinstance(m, BatchNorm)]
        found[penalty] = slim(net, plan.gone), [np.sort(scales[layer])[::-1] for layer in plan.shown]
        return _train(remove_neurons(net, found[penalty][0]), dataset, plan, seed, plan.tuned_lr, plan.tuned)

    def picked():
        net, penalty = pick_on_validation(slimmed, plan.penalties, dataset)
        return net, penalty, *found[penalty]

    more = plan.sparse + plan.tuned
    small, penalty, stay, scales = kept("slimmed", picked, len(plan.penalties) * more)
    whole, lr = kept("whole", lambda: _whole(start, dataset, plan, seed), more)
    scratch, scratch_lr = kept("from scratch", lambda: _from_scratch(dataset, plan, seed, stay), plan.before + more)
    arms = {"whole": (whole, lr), "slimmed": (small, penalty), "from scratch": (scratch, scratch_lr)}
    parameters = whole.summary().parameters
    return [
        {
            "seed": seed,
            "arm": arm,
            "choice": choice,
            "accuracy": accuracy_on(net, dataset.test),
            "widths": _widths(net),
            "gone": 1 - net.summary().parameters / parameters,
            "disk_ratio": stored_bytes(whole) / stored_bytes(net),
            "epochs": plan.before + more,
            "published": PUBLISHED.get(arm) if (data_name, budget) == ("mnist", "paper") else None,
            "scales": scales if arm == "slimmed" and drawn else [],
            "shown": plan.shown,
        }
        for arm, (net, choice) in arms.items()
    ]


def _start(data_name: str, dataset: Dataset, plan: Plan, seed: int) -> Module:
    """The net that is slimmed: the trained ResNet-20, or an untrained one of dense layers."""
    return colour.trained_resnet(data_name, seed) if plan.stored else build(dataset, WIDTHS, seed)


def build(dataset: Dataset, widths, seed: int) -> Sequential:
    """Dense layers; each hidden one has batch norm, whose scales say how much a neuron is used."""
    rng, layers, inputs = np.random.default_rng(seed), [Flatten()], int(np.prod(dataset.image_shape))
    for outputs in widths:
        layers += [Dense(inputs, outputs, bias=False, rng=rng), BatchNorm(outputs), ReLU()]
        inputs = outputs
    return Sequential(*layers, Dense(inputs, dataset.num_classes, rng=rng), input_shape=dataset.image_shape)


def slim(net: Module, gone: float) -> dict[str, np.ndarray]:
    """The neurons that stay if those with the smallest scales over all layers are removed, few enough to just remove the share
    `gone` of parameters: layer name -> indices.

    Raises ValueError if the layers cannot become that narrow.
    """
    whole = net.summary().parameters
    for share in np.arange(0.99, 0, -0.01):
        stay = keep_neurons(net, float(share), scales_within_blocks, "global")
        if remove_neurons(net, stay).summary().parameters <= (1 - gone) * whole:
            return stay
    raise ValueError(f"slim: even one neuron per layer has more than {1 - gone:.1%} of the parameters; remove less")


def scales_within_blocks(net: Module) -> dict[str, np.ndarray]:
    """`batch_norm_scale` of the neurons that one layer writes. Those between a ResNet's blocks are written by several, and all
    stay: in Liu et al. 2017, section 3, each block selects from them what it reads. Removed by their scales, 4 of 32 were left
    in one stage, and fine-tuning did not repair that."""
    groups = channel_groups(net)
    return {name: scales for name, scales in batch_norm_scale(net).items() if len(groups[name].writers) == 1}


def _whole(start: Module, dataset: Dataset, plan: Plan, seed: int) -> tuple[Module, float]:
    """The net that is not slimmed, trained for equally many epochs, and its learning rate."""

    def arm(lr):
        return _train(start.copy(), dataset, plan, seed, lr, plan.sparse + plan.tuned)

    return pick_on_validation(arm, plan.lrs, dataset)


def _from_scratch(dataset: Dataset, plan: Plan, seed: int, stay: dict[str, np.ndarray]) -> tuple[Module, float]:
    """A new net with the widths that slimming found, trained for equally many epochs, and its learning rate."""
    rates, how = ((colour.PLAN.lr,), colour.from_scratch()) if plan.stored else (plan.lrs, {})

    def arm(lr):
        if plan.stored:
            net = remove_neurons(colour.new_resnet(dataset, 1, np.random.default_rng([seed, 5])), stay)
        else:
            net = build(dataset, [len(neurons) for neurons in stay.values()], seed)
        return _train(net, dataset, plan, seed, lr, plan.before + plan.sparse + plan.tuned, **how)

    return pick_on_validation(arm, rates, dataset)


def _train(net: Module, dataset: Dataset, plan: Plan, seed: int, lr: float, epochs: int, **options) -> Module:
    options |= {"batch_size": plan.batch_size, "augment": colour.augmentation(plan)}
    rng = np.random.default_rng([seed, epochs])
    return train(net, dataset, lr=lr, epochs=epochs, rng=rng, **options)


def _widths(net: Module) -> list[int]:
    return [layer.latent("weight").shape[-1] for layer in prunable(net).values()][:-1]


def holds_p4b(rows) -> str:
    """The share of the parameters that is removed."""
    return f"{100 * np.mean([row['gone'] for row in rows if row['arm'] == 'slimmed']):.1f} % of the parameters removed"


def ratios_p4b(rows):
    chosen = [row for row in rows if row["arm"] == "slimmed"]
    return {
        "theory": float(np.mean([1 / (1 - row["gone"]) for row in chosen])),
        "disk": float(np.mean([row["disk_ratio"] for row in chosen])),
    }


ROLES = {"whole": "reference", "slimmed": "claim", "from scratch": "ideal"}


def p4b(rows):
    """The batch-norm scales after training and where they were cut, and the error of the three nets."""
    fig = figure(ncols=2, width=16, height=6)
    curve, errors = fig.axes
    one = next(row for row in rows if row["scales"])
    for i, (layer, scales, role) in enumerate(
        zip(one.get("shown", (0, 1)), one["scales"], ("claim", "rival"), strict=True)
    ):
        kept = one["widths"][layer]
        places = np.arange(len(scales)) + 1
        curve.plot(places, scales, color=COLORS[role])
        curve.plot(kept, scales[kept - 1], "o", color=COLORS[role], markersize=12)
        words = f"layer {layer + 1}: {kept} of {len(scales)} neurons stay (dot)"
        look = {"color": COLORS[role], "ha": "right", "backgroundcolor": "white"}
        curve.text(0.97, 0.95 - 0.09 * i, words, transform=curve.transAxes, **look)
    curve.set(
        xlabel="neurons, by their scale",
        ylabel="scale of batch norm",
        ylim=(0, 1.25 * max(max(scales) for scales in one["scales"])),
    )
    curve.set_title("scales after training, one net")

    for place, (arm, role) in enumerate(ROLES.items()):
        chosen = [row for row in rows if row["arm"] == arm]
        mean, low, high = seed_band(np.array([100 - row["accuracy"] for row in chosen]))
        spread = None if np.isnan(low) else [[mean - low], [high - mean]]
        errors.errorbar(place, mean, spread, fmt="o", color=COLORS[role], capsize=6, markersize=12)
        beside = {"xytext": (14, 0), "textcoords": "offset points", "va": "center"}
        errors.annotate(f"{mean:.2f} %", (place, mean), color=COLORS[role], **beside)
        if published := chosen[0]["published"]:
            errors.plot([place - 0.25, place], [published] * 2, color=COLORS["rival"])
            beside |= {"xytext": (-4, 0), "ha": "right", "fontsize": 13}
            errors.annotate("paper", (place - 0.25, published), color=COLORS["rival"], **beside)
    gone = np.mean([row["gone"] for row in rows if row["arm"] == "slimmed"])
    labels = ["whole net", f"slimmed,\n−{100 * gone:.1f} % parameters", "same widths,\nfrom scratch"]
    errors.set_xticks(range(len(ROLES)), labels)
    errors.set(ylabel="test error", xlim=(-0.6, 2.6), ylim=(0, 1.08 * errors.get_ylim()[1]))
    errors.yaxis.set_major_formatter("{x:g} %")
    errors.set_title(f"{rows[0]['epochs']} epochs each")
    return fig


CLAIM = Claim(
    id="P4b",
    chapter="pruning",
    title="A net learns which neurons it needs",
    question="If the least important neurons are removed and the net is fine-tuned, little is lost.",
    tasks=first_seed_drawn,
    measure=measure_p4b,
    plans=PLANS,
    rests_on=(learns(),),
    effects=(
        Effect(
            name="test accuracy, slimmed net minus the whole net",
            of=lambda rows: paired(rows, "slimmed", "whole", "accuracy"),
            unit="points",
            margin=MARGIN,
            holds=holds_p4b,
        ),
        Effect(
            name="test accuracy, slimmed net minus a net of the same widths, trained from scratch",
            of=lambda rows: paired(rows, "slimmed", "from scratch", "accuracy"),
            unit="points",
            smallest=SMALLEST,
        ),
    ),
    figure=p4b,
    ratios=ratios_p4b,
    note="Network slimming: the sum of batch norm's scales is part of the loss, so neurons compete for them; those with the "
    'smallest scales over all layers are removed. "Little" is less than half a point. Grey: a net with '
    "the widths that slimming found, trained from scratch for the same number of epochs. If it is as good, the "
    "widths matter, and not the weights that they were found with. From a ResNet-20, only neurons within a block are "
    "removed, and there is one penalty to try, and one rate for each way to train.",
    source="Liu et al. 2017, Learning Efficient Convolutional Networks through Network Slimming; Liu et al. 2019, "
    "Rethinking the Value of Network Pruning",
)
