"""Questions that readers answer before they see what a claim measured. The measurement says which answer is right."""

import math
from dataclasses import dataclass

from ..claim import Finding, Result


@dataclass(frozen=True)
class Question:
    """A question about one effect of a claim.

    effect: the effect's name, or words that no other effect's name of the claim contains.
    choices: answers, each with the number below which the measured effect must lie for it to be right. They go from the
        smallest number to infinity, so exactly one is right whatever is measured. A log2 ratio counts as the ratio.
    Raises ValueError for choices in another order.
    """

    text: str
    effect: str
    choices: dict[str, float]

    def __post_init__(self):
        bounds = list(self.choices.values())
        if len(bounds) < 2 or bounds[-1] != math.inf or bounds != sorted(set(bounds)):
            raise ValueError(
                f"question {self.text!r}: the choices' bounds must rise and end with infinity; got {bounds}"
            )

    def finding(self, result: Result) -> Finding:
        """What the claim finds on the effect. Raises LookupError if no effect, or more than one, is meant."""
        by_name = {finding.effect.name: finding for finding in result.findings}
        found = [name for name in by_name if name == self.effect] or [name for name in by_name if self.effect in name]
        if len(found) != 1:
            raise LookupError(
                f"claim {result.claim.id} has {len(found)} effects called {self.effect!r}: {list(by_name)}"
            )
        return by_name[found[0]]

    def right(self, result: Result) -> str | None:
        """The choice that the measurement supports; None if it was not measured."""
        finding = self.finding(result)
        if finding.mean is None:
            return None
        return right_choice(2**finding.mean if finding.effect.unit == "log2 ×" else finding.mean, self.choices)


def right_choice(value: float, choices: dict[str, float]) -> str:
    """The first choice whose number is above the value. Raises ValueError if there is none."""
    for choice, bound in choices.items():
        if value < bound:
            return choice
    raise ValueError(f"{value} is not below any of {choices}")


ACCURACY = {
    "lower by a point or more": -1.0,
    "the same, within a point": 1.0,
    "higher by 1 to 5 points": 5.0,
    "higher by more than 5 points": math.inf,
}
COST = {
    "more than 5 points lower": -5.0,
    "1 to 5 points lower": -1.0,
    "the same, within a point": 1.0,
    "higher": math.inf,
}
CLOCK = {
    "slower": 0.95,
    "equally fast, within 5 %": 1.05,
    "faster, but less than four times": 4.0,
    "at least four times as fast": math.inf,
}

QUESTIONS = {
    "P1": Question(
        "90 % of the weights and more are removed, with equally many epochs of training in total. Remove them a little at a "
        "time instead of all at once. Then test accuracy is, on average,",
        "a little at a time minus all at once",
        ACCURACY,
    ),
    "P3": Question(
        "Half of a layer's weights are 0, here and there. A sparse format (CSR) stores and multiplies only the others. "
        "Compared with the dense product, that takes",
        "CSR product over that of the dense one, 50 % removed",
        {"at most half the time": 0.55, "less time": 0.95, "the same time, within 5 %": 1.05, "more time": math.inf},
    ),
    "P4": Question(
        "Now half of the neurons are removed, or three quarters, each of them whole. On the clock, the smaller net is, on "
        "average,",
        "speed-up of the smaller net on the clock",
        CLOCK,
    ),
    "P6": Question(
        "Train, prune, and set the weights that are left back to their first values: a winning ticket. Train it again. "
        "Compared with new random first values under the same mask, its test accuracy is",
        "winning ticket minus the same net re-initialised",
        ACCURACY,
    ),
    "D1": Question(
        "A student sees all training images. With the teacher's outputs in place of the labels, its test accuracy is",
        "with all images, on the teacher's outputs minus on labels",
        ACCURACY,
    ),
    "D2": Question(
        "A student never sees a 3. It learns the other digits from its teacher's outputs. Of the 3s in the test set it "
        "recognises",
        "recall of the left-out class, distilled minus labels",
        {
            "none, just like a student on labels": 5.0,
            "up to a third more than one on labels": 33.0,
            "one to two thirds more": 67.0,
            "over two thirds more": math.inf,
        },
    ),
    "Q4": Question(
        "Every weight is 0 or 1, up to one scale. Trained for as many epochs as a float net, this net makes",
        "float minus binary as 0 and 1",
        {
            "over 10 points more errors": -10.0,
            "1 to 10 points more errors": -1.0,
            "as many errors, within a point": 1.0,
            "fewer errors": math.inf,
        },
    ),
    "Q5": Question(
        "Prune, cluster and code a net as far as one point of accuracy allows. Compared with 32 bits per weight, the file is "
        "smaller by a factor of",
        "bytes of the float32 file over those of the finished file",
        {"less than 8": 8.0, "8 to 20": 20.0, "20 to 60": 60.0, "more than 60": math.inf},
    ),
    "Q6": Question(
        "8 bits per weight in place of 32 are a quarter of the bytes. The products, on average over the layers tried, are",
        "speed-up over float32, 8 bits",
        CLOCK,
    ),
    "A2": Question(
        "Do two channels show the same digit? Depthwise convolutions alone are right in half of the cases, which is chance. "
        "With pointwise convolutions added, the net is right in",
        "depthwise and pointwise minus depthwise alone",
        {"50 to 55 %": 5.0, "55 to 90 %": 40.0, "more than 90 %": math.inf},
    ),
    "A4": Question(
        "Separable convolutions replace all standard ones; the widths stay. The net is then several times smaller, and its "
        "test accuracy is, on average over widths,",
        "separable minus standard of the same widths",
        COST,
    ),
    "Y1": Question(
        "Sure images leave at the first exit, so an image takes several times fewer multiplications on average. One image at "
        "a time, and compared with the net without exits, this is",
        "speed-up over the net without exits",
        CLOCK,
    ),
    "Y2": Question(
        "One set of weights serves four widths. Compared with a net of its own for each width, test accuracy is",
        "one set of weights minus one net per width",
        COST,
    ),
    "C1": Question(
        "Over all methods of the lecture: how many times more does counting promise than the clock shows?",
        "times less counted work over times less time",
        {"about as much as the clock shows": 1.2, "up to twice as much": 2.0, "2 to 5 times": 5.0, "more": math.inf},
    ),
    "C2": Question(
        "Compressed, a net is right about other images than before. Compared with a second net trained from another start, "
        "the images that change sides are",
        "test images that change sides, compressed minus the teacher from another start",
        {"fewer, by a point or more": -1.0, "as many, within a point": 1.0, "more, by a point or more": math.inf},
    ),
}
