"""# K-means, and the optimum

150 weights of a net that was trained on the UCI digits are put into 6 clusters. Your `assign` and `update` alternate, from
two starts: centroids spread evenly over the weights' range (as Han et al. start), and six random weights. The dashed line
is the error of your `best_clusters`: no start can get below it.

Look for where each line becomes flat: that is a solution which no step improves, and it lies above the dashed line.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

TURNS, CLUSTERS = 20, 6


def measure(exercise):
    """The mean squared error before each iteration, for two starts, and that of the best clusters; in 1/1000."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (32,), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=10, rng=rng, progress=False)
    weights = np.unique(next(iter(net.parameters())).data.astype(float))
    weights = rng.permutation(weights)[:150]
    starts = {"even": np.linspace(weights.min(), weights.max(), CLUSTERS), "chance": np.sort(weights[:CLUSTERS])}
    found = {"best": error(weights, exercise.best_clusters(weights, CLUSTERS))}
    for name, centroids in starts.items():
        found[name] = []
        for _ in range(TURNS):
            found[name].append(error(weights, centroids))
            centroids = exercise.update(weights, exercise.assign(weights, centroids), centroids)
    return found


def error(weights, centroids):
    return 1000 * float(((weights[:, None] - centroids) ** 2).min(1).mean())


def draw(yours, reference):
    """Plot squared error over iterations."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        ax.axhline(yours["best"], ls="--", color="0.4", label="your best_clusters")
        for name, label, color in (("even", "even start", "claim"), ("chance", "random start", "rival")):
            ax.plot(reference[name], color="0.2", lw=7, alpha=0.3)
            ax.plot(yours[name], color=style.COLORS[color], label=f"your k-means, {label}")
        ax.plot([], [], color="0.2", lw=7, alpha=0.3, label="the solution's k-means")
        ax.set(xlabel="iterations of k-means", ylabel="mean squared error (1/1000)")
        ax.legend()
    return fig
