"""Plausible wrong answers to counting, and how many of the 10 points each earns."""

from tinycompress.course import wrong


@wrong("cost", points=6, why="counts MACs at the input's pixels, not the output's")
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


@wrong("cost", points=4, why="treats a bias as one more input, which costs a MAC")
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


@wrong("output_shape", points=6, why="divides the size by the stride, and ignores kernel and padding")
def size_over_stride(layer, shape):
    kind = layer["kind"]
    if kind == "dense":
        return (layer["outputs"],)
    if kind == "flatten":
        return (shape[0] * shape[1] * shape[2],)
    if kind == "pool":
        return (shape[0] // layer["size"], shape[1] // layer["size"], shape[2])
    return (-(-shape[0] // layer["stride"]), -(-shape[1] // layer["stride"]), layer["outputs"])
