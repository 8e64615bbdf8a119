"""A first valid hand-in: train a net, compress it until it keeps the rules, save it. Then make it better.

    python start.py

takes less than a minute on digits, and some minutes on MNIST, of which it uses only IMAGES of the training images. Everything
here may be changed: a hand-in is only the file that it writes. Choose by the validation images (data.val); data.test is the
public half, by which you see how you stand, and the images that decide are others.
"""

# %% The rules and the data
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

import tinycompress as tc
from tinycompress.challenge.judge import Refused, judge
from tinycompress.challenge.rules import read_rules
from tinycompress.quantization import tcz
from tinycompress.recipe import Recipe, compress

IMAGES = 10_000  # for training; all of them, with patience, give a better net
MANY = 5_000  # training images, of which fewer epochs are enough
FOLDER = Path(__file__).parent if "__file__" in globals() else Path(".")
SHARES = (0.5, 0.2, 0.1, 0.05)  # of the weights to keep; the first net that keeps the rules is saved


def some_of(data, count=None):
    """The data with at most `count` (IMAGES) training and validation images each, drawn at random."""
    count, rng = count or IMAGES, np.random.default_rng(0)
    train, val = (np.sort(rng.permutation(len(y))[:count]) for y in (data.y_train, data.y_val))
    x_train, y_train, x_val, y_val = data.x_train[train], data.y_train[train], data.x_val[val], data.y_val[val]
    return replace(data, x_train=x_train, y_train=y_train, x_val=x_val, y_val=y_val)


# %% Train a plain net. More epochs, another net, augmentation: `help(tc.models)`, `help(tc.data.shift)`
def train_plain(data, epochs):
    """A small convolutional net, trained on the labels."""
    rng = np.random.default_rng(0)
    widths = (8, 16) if len(data.y_train) < MANY else (16, 32)
    net = tc.models.convnet(data.image_shape, data.num_classes, widths, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=epochs, rng=rng, schedule=tc.optim.cosine)
    return net


# %% Compress it: prune, learn from the plain net, cluster. The chapters of the lecture have more: `help(tc.pruning)`, …
def compressed(net, data, kept, epochs):
    """The net with this share of its weights, of 8 values per layer."""
    recipe = Recipe(
        kept=kept, k=8, prune=epochs, tune=max(1, epochs // 2), distil=True, lrs=(0.05,), centroid_lrs=(0.001,)
    )
    return compress(recipe, data, seed=0, net=net)


# %% Is it a valid hand-in, by the validation images?
def keeps(content, data, rules):
    """Whether the file's net keeps the rules on the validation images, and its accuracy there."""
    x, y = data.val
    answer = judge(content, x, data.num_classes, rules)
    accuracy = float((answer.classes == y).mean())
    fits = answer.work.mean() <= (rules.most_multiplications or np.inf)
    return fits and accuracy >= (rules.least_accuracy or 0), accuracy


def main(folder=FOLDER, epochs=None, out="first.tcz"):
    """Write the first net that keeps the rules to `out`; returns its path, or None if none does."""
    folder = Path(folder)
    rules, data = read_rules(folder), some_of(tc.data.load(folder / "data.npz"))
    epochs = epochs or (20 if len(data.y_train) < MANY else 3)
    print(rules.goal())
    net = train_plain(data, epochs)
    for kept in SHARES:
        content = tcz.to_bytes(compressed(net, data, kept, epochs))
        try:
            good, accuracy = keeps(content, data, rules)
        except Refused as why:
            print(f"{100 * kept:3.0f} % of the weights: {why}")
            continue
        print(
            f"{100 * kept:3.0f} % of the weights: {len(content):,} bytes, {100 * accuracy:.2f} % of the validation images"
        )
        if good:
            (folder / out).write_bytes(content)
            print(f"{out} is written. Now: tinycompress challenge check {out}")
            return folder / out
    print("No share of weights keeps the rules: train longer, or start from another net", file=sys.stderr)
    return None


if __name__ == "__main__":
    main()
