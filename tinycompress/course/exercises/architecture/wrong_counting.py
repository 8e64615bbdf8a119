"""Plausible wrong answers to counting, and what each is worth of the 10 points."""

from tinycompress.course import wrong


@wrong("cost", points=6, why="counts at the input's pixels")
def input_pixels(layer, shape, after):
    kind = layer["kind"]
    if kind in ("pool", "flatten"):
        return 0, 0
    weights = shape[-1] * layer["outputs"]
    if kind == "conv":
        weights *= layer["kernel"] ** 2
    if kind == "separable":
        weights += layer["kernel"] ** 2 * shape[-1]
    pixels = 1 if kind == "dense" else shape[0] * shape[1]
    return weights + layer["outputs"] * layer["bias"], weights * pixels


@wrong("cost", points=4, why="a bias is an input more, and costs a MAC")
def bias_costs(layer, shape, after):
    kind = layer["kind"]
    if kind in ("pool", "flatten"):
        return 0, 0
    weights = shape[-1] * layer["outputs"]
    if kind == "conv":
        weights *= layer["kernel"] ** 2
    if kind == "separable":
        weights += layer["kernel"] ** 2 * shape[-1]
    weights += layer["outputs"] * layer["bias"]
    return weights, weights * (1 if kind == "dense" else after[0] * after[1])


@wrong("output_shape", points=6, why="the size over the stride, whatever the kernel and the padding")
def size_over_stride(layer, shape):
    kind = layer["kind"]
    if kind == "dense":
        return (layer["outputs"],)
    if kind == "flatten":
        return (shape[0] * shape[1] * shape[2],)
    if kind == "pool":
        return (shape[0] // layer["size"], shape[1] // layer["size"], shape[2])
    return (-(-shape[0] // layer["stride"]), -(-shape[1] // layer["stride"]), layer["outputs"])
