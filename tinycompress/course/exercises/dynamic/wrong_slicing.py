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


@wrong("forward", points=10, why="adds eps outside the square root")
def eps_outside(layers, x, eps):
    for layer in layers[:-1]:
        x = (x @ layer["weight"] - layer["mean"]) / (np.sqrt(layer["var"]) + eps)
        x = np.maximum(layer["gamma"] * x + layer["beta"], 0)
    return x @ layers[-1]["weight"] + layers[-1]["bias"]


@wrong("recalibrate", points=8, why="measures every layer on outputs of layers with the old statistics")
def behind_old_layers(layers, x, eps):
    measured = []
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        measured.append({**layer, "mean": z.mean(0), "var": z.var(0)})
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
    return [*measured, layers[-1]]


@wrong("recalibrate", points=7, why="divides by N - 1")
def by_n_minus_one(layers, x, eps):
    measured = []
    for layer in layers[:-1]:
        z = x @ layer["weight"]
        layer = {**layer, "mean": z.mean(0), "var": z.var(0, ddof=1)}
        x = np.maximum(layer["gamma"] * (z - layer["mean"]) / np.sqrt(layer["var"] + eps) + layer["beta"], 0)
        measured.append(layer)
    return [*measured, layers[-1]]
