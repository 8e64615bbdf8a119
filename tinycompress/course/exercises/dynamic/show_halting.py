"""# What a price does

Six exits with losses that fall and costs that rise, for 200 images: easy ones, on which already the first exit does well, and
hard ones. Gradient descent by your derivative finds the h of each image for several prices. Left: the mean loss over the mean
cost. Right: at which exit images stop, easy and hard ones apart, at a middle price.

Look for the order on the right: nobody said which images are hard. The price alone made the easy ones leave early.
"""

import numpy as np

from tinycompress.workshop import style

PRICES = (0.01, 0.03, 0.1, 0.3, 1.0)


def measure(exercise):
    """Mean loss and cost for each price, and where easy and hard images stop at the price 0.1."""
    rng = np.random.default_rng(0)
    hard = np.arange(200) % 2
    exits = np.arange(6)[:, None]
    losses = np.exp(-exits * np.where(hard, 0.4, 2.0)) * rng.uniform(0.8, 1.2, (6, 200))
    costs = np.arange(1.0, 7.0)
    found = {"loss": [], "cost": []}
    for price in PRICES:
        logits = np.zeros((6, 200))
        for _ in range(300):
            h = 1 / (1 + np.exp(-logits))
            _, grad = exercise.loss_and_gradient(h, exercise.stop_probabilities(h), losses, costs, price)
            logits = np.clip(logits - 200 * 2.0 * np.asarray(grad) * h * (1 - h), -6, 6)
        p = exercise.stop_probabilities(1 / (1 + np.exp(-logits)))
        found["loss"].append(float((p * losses).sum(0).mean()))
        found["cost"].append(float((p * costs[:, None]).sum(0).mean()))
        if price == 0.1:
            at = exercise.stops(p, 0.5)
            found["easy"], found["hard"] = (np.bincount(at[hard == k], minlength=6).tolist() for k in (0, 1))
    return found


def draw(yours, reference):
    """Plot loss over cost, and the exits of easy and hard images."""
    with style.applied():
        fig = style.figure(2)
        trade, exits = fig.axes
        trade.plot(reference["cost"], reference["loss"], color="0.2", lw=8, alpha=0.3, label="the solution")
        trade.plot(yours["cost"], yours["loss"], "o-", label="yours, for five prices")
        trade.set(xlabel="mean cost", ylabel="mean loss", ylim=(0, None))
        trade.legend()
        places = np.arange(6)
        exits.bar(places - 0.2, yours["easy"], 0.4, label="easy images")
        exits.bar(places + 0.2, yours["hard"], 0.4, label="hard images")
        exits.set(xlabel="exit", ylabel="images that stop there", title="at the price 0.1")
        exits.legend()
    return fig
