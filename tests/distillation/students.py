"""Small teachers and students, and images from which they can learn, for the tests of distillation."""

import numpy as np

import tinycompress as tc
from tinycompress import functional as F
from tinycompress import models, optim

CLASSES = 5


def softmax(z, T=1.0):
    e = np.exp(z / T - (z / T).max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def blobs(rng, n=60, shape=(6, 6, 1)):
    """Random images whose class can be learned: each class has its own bright pixel."""
    labels = np.arange(n) % CLASSES
    x = rng.random((n, *shape)).astype(np.float32)
    x[np.arange(n), labels, labels] += 2
    return x, labels


def fit(model, data, loss=F.cross_entropy, epochs=3, lr=0.05, seed=1):
    return tc.fit(
        model,
        data,
        optimizer=optim.SGD(model.parameters(), lr, momentum=0.9),
        epochs=epochs,
        rng=np.random.default_rng(seed),
        batch_size=16,
        loss=loss,
        progress=False,
    )


def net(seed, widths=(12, 8)):
    return models.mlp((6, 6, 1), widths, CLASSES, rng=np.random.default_rng(seed))
