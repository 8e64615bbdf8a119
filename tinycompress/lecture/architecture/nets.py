"""How long chapter 4 trains at each budget."""

from dataclasses import dataclass

from ...data import Dataset
from ...workshop import colour
from ..plans import COLOUR, plan_of


@dataclass(frozen=True)
class Plan:
    """All arms of a claim train for the same number of epochs in total and choose from the same number of learning rates.

    stored: whether the nets of A4 are those of `colour`, and kept.
    """

    pair_epochs: int = 5  # of the nets of A1 and A2, on pairs of images
    epochs: int = 12  # of the nets of A4
    conv_batch_size: int = 128
    conv_lrs: tuple[float, ...] = (0.1, 0.2)  # both of use to each arm, as validation data of other seeds say
    widths: tuple[int, ...] = (4, 8, 16)  # of the first layer in A4; the next two have twice and four times as many
    dense: int = 12  # of the net of A5 before it is factorised
    more: int = 8  # and after
    ranks: tuple[int, ...] = (2, 4, 8, 16, 32)
    batch_size: int = 64
    lrs: tuple[float, ...] = (0.02, 0.1)
    stored: bool = False


PLANS = {
    "quick": Plan(),
    "quick, many images": Plan(pair_epochs=3, epochs=3, widths=(4, 8, 16), dense=4, more=3, batch_size=128),
    "full": Plan(
        pair_epochs=15,
        epochs=40,
        widths=(4, 8, 16, 32),
        dense=30,
        more=20,
        ranks=(1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48),
    ),
    "paper": Plan(
        pair_epochs=5,
        epochs=10,
        widths=(4, 8, 16, 32),
        dense=10,
        more=8,
        ranks=(1, 2, 4, 8, 16, 32, 64),
        batch_size=128,
    ),
}
WITH_COLOUR = PLANS | {  # of A4
    f"paper, {COLOUR}": Plan(epochs=8, conv_lrs=(colour.PLAN.lr,), widths=(8, 16), stored=True)
}


def plan_for(budget: str, dataset: Dataset, plans: dict[str, Plan] = PLANS) -> Plan:
    return plan_of(plans, budget, dataset)
