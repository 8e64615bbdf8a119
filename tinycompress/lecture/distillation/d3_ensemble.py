"""Claim D3: one student that learns the average of an ensemble."""

from dataclasses import replace

from ... import data
from ...distillation import DistillationLoss, Ensemble, teacher_targets
from ...selection import pick_on_validation
from ...workshop.style import COLORS, figure
from ..claim import Claim, Effect
from ..learned import learns
from ..rows import paired
from .d4_temperature import CLAIMED_T
from .drawing import draw_error_bars
from .nets import PLANS, plan_for, scores, train_student, with_fewer_images

MOST_EPOCHS = 100  # so that many nets can train


def measure_d3(data_name: str, budget: str, seed: int) -> list[dict]:
    """Train small nets, then again as students of their average and of one other net; test all of them."""
    dataset = data.load(data_name)
    plan = plan_for(budget, dataset)
    dataset, plan = with_fewer_images(dataset, plan, plan.shares[0], seed)
    plan = replace(plan, epochs=min(plan.epochs, MOST_EPOCHS))

    def net(start, **options):  # nets with the same start have the same initial weights
        def arm(lr):
            return train_student(dataset, plan, plan.student, [seed, start], lr, **options)

        return pick_on_validation(arm, plan.lrs, dataset)

    members = [net(start) for start in range(plan.members)]
    nets = [("one member", start, *chosen) for start, chosen in enumerate(members)]
    members = [member for member, _ in members]
    for start in range(plan.members):
        teachers = {"student of the average": members, "student of one member": [members[start - 1]]}
        for arm, ensemble in teachers.items():
            targets = teacher_targets(Ensemble(*ensemble, temperature=CLAIMED_T), *dataset.train)
            nets.append((arm, start, *net(start, targets=targets, loss=DistillationLoss(CLAIMED_T, 1))))
    for average in ("probabilities", "logits"):
        nets.append((f"average of {average}", None, Ensemble(*members, average=average), None))
    row = {
        "seed": seed,
        "epochs": plan.epochs,
        "images": len(dataset.x_train),
        "members": plan.members,
        "tried": len(plan.lrs),
    }
    return [row | {"arm": arm, "start": start, "lr": lr} | scores(net, dataset) for arm, start, net, lr in nets]


def gain_of_average(rows):
    """Per seed, accuracy of the averaged probabilities minus the mean accuracy of the nets that are averaged."""
    return paired(rows, "average of probabilities", "one member", "accuracy")


def gain_of_student(rows):
    """Per seed, mean accuracy of the students of the average minus that of its members, which began alike."""
    return paired(rows, "student of the average", "one member", "accuracy")


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
    ax.set_title(f"left: one net answers; right: {count} nets answer")
    return fig


CLAIM = Claim(
    id="D3",
    chapter="distillation",
    title="An ensemble in one net",
    measure=measure_d3,
    plans=PLANS,
    rests_on=(learns(),),
    effects=(
        Effect(
            name="test accuracy, average of the nets' probabilities minus one net",
            of=gain_of_average,
            unit="points",
            smallest=1.0,
            decides=("N12",),
        ),
        Effect(
            name="test accuracy, one student of the average minus one net of the same size on labels",
            of=gain_of_student,
            unit="points",
            smallest=1.0,
        ),
    ),
    figure=d3,
    note="All nets have the same size, learn from the same few images and train for the same number of epochs. The average runs "
    "all members for each image; its student is a single net, and every member trains again as one. A student of one member "
    "shows how much of the gain comes from averaging.",
    source="Hinton et al. 2015, sections 4 and 5; Buciluă et al. 2006, Model Compression",
)
