"""The rule by which all chapters pick how long their nets train."""

from ..data import Dataset

MANY_IMAGES = 10_000


def plan_name(plans: dict[str, object], budget: str, images: int) -> str:
    """The name of the chapter's plan for a budget and this many training images.

    With MANY_IMAGES or more, an epoch has many more steps, so fewer epochs are enough: the plan is then "<budget>, many
    images" or, if the chapter has no such plan, "paper".
    """
    if images < MANY_IMAGES:
        return budget
    return f"{budget}, many images" if f"{budget}, many images" in plans else "paper"


def plan_of(plans: dict[str, object], budget: str, dataset: Dataset):
    """The plan that `plan_name` picks for this data set."""
    return plans[plan_name(plans, budget, len(dataset.y_train))]
