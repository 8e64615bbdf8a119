"""Plausible wrong answers to slicing, and how many of the 12 points each earns."""

import numpy as np

from tinycompress.course import wrong


@wrong("cut", points=9, why="narrows the image and the classes, too")
def all_sides(layers, width):
    small = []
    for layer in layers:
        n, m = (max(1, round(width * size)) for size in layer["weight"].shape)
        small.append({key: a[:n, :m] if key == "weight" else a[:m] for key, a in layer.items()})
    return small


@wrong("forward", points=9.4, why="adds eps outside the square root")
def eps_outside(layers, x, eps):
    for layer in layers[:-1]:
        x = (x @ layer["weight"] - layer["mean"]) / (np.sqrt(layer["var"]) + eps)
        x = np.maximum(layer["gamma"] * x + layer["beta"], 0)
    return x @ layers[-1]["weight"] + layers[-1]["bias"]


@wrong("recalibrate", points=7.45, why="measures every layer on outputs of layers with the old statistics")
def behind_old_layers(layers, x, eps):
    measured = []
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        measured.append({**layer, "mean": z.mean(0), "var": z.var(0)})
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
    return [*measured, layers[-1]]


@wrong("recalibrate", points=7.4, why="divides by N - 1")
def by_n_minus_one(layers, x, eps):
    measured = []
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        layer = {**layer, "mean": z.mean(0), "var": z.var(0, ddof=1)}
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
        measured.append(layer)
    return [*measured, layers[-1]]


@wrong("cut", points=9.4, why="cuts off the fraction instead of rounding")
def rounds_down(layers, width):
    return _cut(layers, lambda n: max(1, int(width * n)))


@wrong("cut", points=9.4, why="rounds halves up, unlike Python's `round`")
def rounds_halves_up(layers, width):
    return _cut(layers, lambda n: max(1, int(width * n + 0.5)))


@wrong("cut", points=9.4, why="may keep no channel")
def nothing_left(layers, width):
    return _cut(layers, lambda n: round(width * n))


@wrong("cut", points=9, why="keeps the last channels instead of the first")
def the_last_channels(layers, width):
    flipped = [{key: a[..., ::-1] for key, a in layer.items()} for layer in layers[:-1]]
    for i in range(1, len(flipped)):
        flipped[i]["weight"] = flipped[i]["weight"][::-1]
    return _cut([*flipped, {**layers[-1], "weight": layers[-1]["weight"][::-1]}], lambda n: max(1, round(width * n)))


def _cut(layers, kept):
    small, inputs = [], len(layers[0]["weight"])
    for layer in layers:
        outputs = layer["weight"].shape[1]
        outputs = outputs if layer is layers[-1] else kept(outputs)
        small.append({key: a[:inputs, :outputs] if key == "weight" else a[:outputs] for key, a in layer.items()})
        inputs = outputs
    return small


@wrong("forward", points=9.4, why="applies ReLU to the last layer, too")
def relu_at_the_end(layers, x, eps):
    for layer in layers[:-1]:
        x = (x @ layer["weight"] - layer["mean"]) / np.sqrt(layer["var"] + eps)
        x = np.maximum(layer["gamma"] * x + layer["beta"], 0)
    return np.maximum(x @ layers[-1]["weight"] + layers[-1]["bias"], 0)


@wrong("recalibrate", points=8.85, why="leaves out eps, which matters where a variance is small")
def without_eps(layers, x, eps):
    return _measured(layers, x, lambda var: np.sqrt(var), lambda old, new: new)


@wrong("recalibrate", points=6, why="averages old and new statistics, as training does")
def moving_average(layers, x, eps):
    return _measured(layers, x, lambda var: np.sqrt(var + eps), lambda old, new: 0.1 * old + 0.9 * new)


def _measured(layers, x, root, mixed):
    measured = []
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        layer = {**layer, "mean": mixed(layer["mean"], z.mean(0)), "var": mixed(layer["var"], z.var(0))}
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / root(layer["var"]) + layer["beta"], 0)
        measured.append(layer)
    return [*measured, layers[-1]]


@wrong("recalibrate", points=11.58, why="writes the new statistics into the given net")
def in_place(layers, x, eps):
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        layer["mean"], layer["var"] = z.mean(0), z.var(0)
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
    return layers
