"""Claim D3: one student that learns the average of an ensemble."""

from ... import data
from ...distillation import DistillationLoss, Ensemble, teacher_targets
from ...selection import pick_on_validation
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from ..rows import paired
from .d4_temperature import CLAIMED_T
from .drawing import draw_error_bars
from .nets import PLANS, plan_for, scores, train_student, with_fewer_images


def measure_d3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Train small nets, then the first few again as students of their average or of one other net; test all of them."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    dataset, plan = with_fewer_images(dataset, plan, plan.shares[0], seed)

    def net(start, **options):  # nets with the same start have the same initial weights
        def arm(lr):
            return train_student(dataset, plan, plan.student, [seed, start], lr, **options)

        return pick_on_validation(arm, plan.lrs, dataset)

    members = [net(start) for start in range(plan.members)]
    nets = [("one member", start, *chosen) for start, chosen in enumerate(members)]
    members = [member for member, _ in members]
    for start in range(plan.starts):
        others = {"student of the average": members, "student of one member": [members[start - 1]]}
        for arm, teachers in others.items():
            targets = teacher_targets(Ensemble(*teachers, temperature=CLAIMED_T), *dataset.train)
            nets.append((arm, start, *net(start, targets=targets, loss=DistillationLoss(CLAIMED_T, 1))))
    for average in ("probabilities", "logits"):
        nets.append((f"average of {average}", None, Ensemble(*members, average=average), None))
    row = {
        "seed": seed,
        "epochs": plan.epochs,
        "images": len(dataset.x_train),
        "members": plan.members,
        "starts": plan.starts,
        "tried": len(plan.lrs),
    }
    return [row | {"arm": arm, "start": start, "lr": lr} | scores(net, dataset) for arm, start, net, lr in nets]


def effect_d3(rows):
    """Per seed, accuracy of the students of the average minus that of the members with the same initial weights."""
    compared = [row for row in rows if row["start"] is not None and row["start"] < row["starts"]]
    return paired(compared, "student of the average", "one member", "accuracy")


def d3(rows):
    """Test errors of small nets, of small nets that learned from others, and of averages of all nets."""
    fig = figure(width=13, height=6.5)
    (ax,) = fig.axes
    count = rows[0]["members"]
    bars = (
        ("one member", "rival", "one net\non labels"),
        ("student of one member", "more", "student of\none such net"),
        ("student of the average", "claim", f"student of\n{count} averaged"),
        ("average of logits", "ideal", f"all {count} nets,\nlogits averaged"),
        ("average of probabilities", "reference", f"all {count} nets,\nprobabilities\naveraged"),
    )
    draw_error_bars(ax, rows, bars)
    ax.axvline(2.5, color=COLORS["ideal"], linewidth=1.5, linestyle=":")
    ax.set_title(f"left: one small net per image; right: {count} nets per image")
    return fig


CLAIM = Claim(
    id="D3",
    chapter="distillation",
    title="An ensemble in one net",
    measure=measure_d3,
    plans=PLANS,
    effects=(
        Effect(
            name="test accuracy, student of the average minus one member (a net of the same size)",
            of=effect_d3,
            unit="points",
            decides=("N12",),
        ),
    ),
    figure=d3,
    note="All nets have the same size and train for the same number of epochs. The average runs all members for each "
    "image; the student is a single net. A student of one member shows how much of the gain comes from averaging.",
    source="Hinton et al. 2015, sections 4 and 5; Buciluă et al. 2006, Model Compression",
)
