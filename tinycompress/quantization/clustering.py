"""Weight clustering: the weights of a layer share a few values, and each stores only the index of its value."""

import numpy as np

from ..guards import all_or_nothing
from ..nn import Module, Parameter
from ..nn.weighted import effective, weighted_layers
from ..tensor import Tensor, record
from ..text.names import keywords
from .fake import _per_layer
from .kmeans import kmeans_1d

MOST_CLUSTERS = 256


class Clustered(Module):
    """Parametrization: each weight is the centroid that it is assigned to. Exact zeros (pruned weights) stay 0 and
    belong to no cluster.

    assignments: integers from 0, of the weight's shape. centroids: (k,), trained with the sum of their members'
    gradients (Han et al. 2016, equation 3). The latent weights get no gradient. Raises ValueError for more than 256
    centroids or none, and for an assignment beyond the last one.
    """

    trains_latent = False

    def __init__(self, assignments: np.ndarray, centroids: np.ndarray):
        assignments = np.asarray(assignments)
        self.centroids = Parameter(np.array(centroids, np.float32))
        least, most = assignments.min(initial=0), assignments.max(initial=0)
        if not 1 <= self.centroids.size <= MOST_CLUSTERS or not 0 <= least <= most < self.centroids.size:
            raise ValueError(
                f"Clustered: the assignments go from {least} to {most}, and there are {self.centroids.size} centroids; expected "
                f"1 to {MOST_CLUSTERS} centroids and assignments from 0 to below that"
            )
        self.assignments = assignments.astype(np.uint8)

    def forward(self, latent):
        alive, k = latent.data != 0, self.centroids.size

        def of_centroids(g):
            sums = np.bincount(self.assignments.ravel(), weights=(g * alive).ravel(), minlength=k)
            return sums.astype(g.dtype)

        values = self.centroids.data[self.assignments] * alive
        return record(values.astype(latent.dtype, copy=False), (self.centroids, of_centroids))

    def take(self, kept, axis: int) -> "Clustered":
        """The parametrization of the smaller weight that keeps the indices `kept` along `axis`."""
        return Clustered(self.assignments.take(kept, axis), self.centroids.data)

    def extra_repr(self) -> str:
        return f"{self.centroids.size} values"


@keywords(bits="k, the number of values: 2**bits", clusters="k", n_clusters="k")
def cluster_weights(
    model: Module, k: int | dict[str, int] = 16, init="optimal", rng: np.random.Generator | None = None
) -> Module:
    """Parametrize every layer's weight with a `Clustered` of at most k values, found by k-means. Works in place;
    returns the model.

    k: 1 to 256, for all layers, or layer name -> k; layers not named stay as they are. Weights that are exactly 0 are
    left out and stay 0. init: "optimal", the k values of least squared error; or a start of Lloyd's algorithm:
    "linear", "density", "random" (with `rng`), see `quantization.kmeans`, or layer name -> centroids. Training the
    model afterwards fine-tunes the centroids. Raises ValueError for an unknown layer, another k, and an init that lacks a layer.

    >>> from tinycompress import models
    >>> net = cluster_weights(models.mlp((8, 8, 1), (32,), 10, rng=0), k=4)
    >>> len(np.unique(net[1].weight.data))
    4
    """
    chosen = _per_layer(model, k)
    if unfit := [number for number in chosen.values() if number not in range(1, MOST_CLUSTERS + 1)]:
        raise ValueError(f"cluster_weights: k must be a whole number from 1 to {MOST_CLUSTERS}, got {unfit[0]!r}")
    if isinstance(init, dict) and (missing := [name for name in chosen if name not in init]):
        raise ValueError(f"cluster_weights: init has no centroids for layer {missing[0]}, only for {[*init]}")
    with all_or_nothing(model):
        for name, k_of_layer in chosen.items():
            layer = weighted_layers(model)[name]
            weight = effective(layer, "weight")
            assignments = np.zeros(weight.shape, np.uint8)
            alive = weight != 0
            centroids = np.zeros(1, np.float32)
            if alive.any():
                start = init[name] if isinstance(init, dict) else init
                if isinstance(init, dict):  # a layer with fewer distinct weights has fewer centroids
                    k_of_layer = min(k_of_layer, np.size(start))
                clusters = kmeans_1d(weight[alive].astype(np.float32), k_of_layer, start, rng)
                assignments[alive], centroids = clusters.assignments, clusters.centroids
            step = Clustered(assignments, centroids)
            step.centroids.requires_grad = layer.latent("weight").requires_grad
            layer.parametrize("weight", step)
    return model


class Pull:
    """A penalty that pulls the weights of each layer towards k values during training:

        pull = Pull(model, k=8, strength=1.0)
        fit(model, train, loss=lambda outputs, y: cross_entropy(outputs, y) + pull(), ...)
        cluster_weights(model, k=8, init=pull.centroids)

    hard: strength / 2 * sum (w - nearest centroid)², where the centroids follow their members (k-means).
    soft: -log of a mixture of k Gaussians, whose means, widths and shares follow the weights (soft weight-sharing:
    Nowlan & Hinton 1992, equation 2; Ullrich et al. 2017). Between two updates it is replaced by a parabola that
    touches it from above (expectation maximization). This has the same form as the hard penalty, the sum of
    a / 2 * (w - target)², with a = strength for a weight of one of the narrowest Gaussians.

    k: for all layers, or layer name -> k; layers not named are left alone.
    strength: each step moves a weight by the fraction learning rate * strength of its distance to the target, so keep
    this product below 1. every: the centroids are updated once per this many calls. widths: the smallest and the
    largest width of a Gaussian, as multiples of the root mean square distance between weights and centroids after the
    initial k-means. Without the upper bound all Gaussians end up around 0, some narrow and some wide, since weights
    are distributed this way. Weights that are exactly 0 (pruned) are left out.
    """

    def __init__(
        self,
        model: Module,
        k: int | dict[str, int],
        strength: float,
        soft: bool = False,
        every: int = 20,
        widths: tuple[float, float] = (0.1, 0.5),
    ):
        self.k = _per_layer(model, k)
        self.layers = {name: weighted_layers(model)[name] for name in self.k}
        self.strength, self.soft, self.every, self.widths = strength, soft, every, widths
        self.centroids = {name: self._start(name, effective(layer, "weight")) for name, layer in self.layers.items()}
        self._mixtures, self._mean_error, self._calls = {}, {}, 0

    def __call__(self) -> Tensor:
        """The penalty of the current weights, a scalar."""
        if self._calls % self.every == 0:
            self.update()
        self._calls += 1
        return sum(self._parabola(name, layer.weight) for name, layer in self.layers.items())

    def update(self) -> None:
        """Move the centroids to their members, and set every weight's target to its centroid."""
        self._targets = {}
        for name, layer in self.layers.items():
            weight = effective(layer, "weight")
            targets, tightness = np.zeros_like(weight), np.zeros_like(weight)
            alive = weight != 0
            if alive.any():
                update = self._expect_and_maximise if self.soft else self._k_means
                targets[alive], tightness[alive] = update(name, weight[alive])
            self._targets[name] = targets, tightness

    def _start(self, name, weight):
        alive = weight[weight != 0].astype(np.float32)
        return kmeans_1d(alive, self.k[name], "linear").centroids if alive.size else np.zeros(1, np.float32)

    def _parabola(self, name, weight: Tensor) -> Tensor:
        targets, tightness = self._targets[name]
        away = weight.data - targets
        force = self.strength * tightness * away
        return record(np.asarray(0.5 * (force * away).sum(), weight.dtype), (weight, lambda g: g * force))

    def _k_means(self, name, w):
        clusters = kmeans_1d(w, len(self.centroids[name]), init=self.centroids[name], iterations=1)
        self.centroids[name] = clusters.centroids
        return clusters.centroids[clusters.assignments], 1.0

    def _expect_and_maximise(self, name, w):
        """Take one step of expectation maximization; returns the target and the curvature of each weight's parabola."""
        if name not in self._mixtures:
            clusters = kmeans_1d(w, self.k[name], "linear")
            k, self._mean_error[name] = len(clusters.centroids), clusters.inertia / w.size + 1e-12
            self._mixtures[name] = clusters.centroids, np.full(k, self._mean_error[name]), np.full(k, 1 / k)
        narrowest, widest = (width**2 * self._mean_error[name] for width in self.widths)
        means, variances, shares = self._mixtures[name]
        # (k, weights): sums over the few Gaussians then add long rows.
        log_p = np.log(shares / np.sqrt(variances))[:, None] - 0.5 * (w - means[:, None]) ** 2 / variances[:, None]
        p = np.exp(log_p - log_p.max(0))
        p /= p.sum(0)
        members = p.sum(1) + 1e-6
        means = (p @ w) / members
        variances = (p * (w - means[:, None]) ** 2).sum(1) / members
        variances = np.clip(variances, narrowest, widest)
        self._mixtures[name] = means, variances, members / members.sum()
        self.centroids[name] = np.sort(means).astype(np.float32)
        tightness = (1 / variances) @ p
        return ((means / variances) @ p) / tightness, narrowest * tightness
