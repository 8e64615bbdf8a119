"""The one rule by which every chapter picks how long its nets train."""

from ..data import Dataset

MANY_IMAGES = 10_000


def plan_name(plans: dict[str, object], budget: str, images: int) -> str:
    """Which of a chapter's plans a budget stands for, with so many training images.

    From MANY_IMAGES on, an epoch has many more steps, so fewer of them do: the plan "<budget>, many images", or that of the
    paper where a chapter has none.
    """
    if images < MANY_IMAGES:
        return budget
    return f"{budget}, many images" if f"{budget}, many images" in plans else "paper"


def plan_of(plans: dict[str, object], budget: str, dataset: Dataset):
    """The plan that `plan_name` names."""
    return plans[plan_name(plans, budget, len(dataset.y_train))]
