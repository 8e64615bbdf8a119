"""Plausible wrong answers to counting, and how many of the 6 points each earns."""

from tinycompress.course import wrong


@wrong("cost", points=4.2, why="counts MACs at the input's pixels, not the output's")
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


@wrong("cost", points=5.3, why="treats a bias as one more input, which costs a MAC")
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


@wrong("output_shape", points=4.1, why="divides the size by the stride, and ignores kernel and padding")
def size_over_stride(layer, shape):
    kind = layer["kind"]
    if kind == "dense":
        return (layer["outputs"],)
    if kind == "flatten":
        return (shape[0] * shape[1] * shape[2],)
    if kind == "pool":
        return (shape[0] // layer["size"], shape[1] // layer["size"], shape[2])
    return (-(-shape[0] // layer["stride"]), -(-shape[1] // layer["stride"]), layer["outputs"])


@wrong("output_shape", points=3.5, why="looks at the height alone, which is enough for square images")
def square_images(layer, shape):
    kind = layer["kind"]
    if kind == "dense":
        return (layer["outputs"],)
    if kind == "flatten":
        return (shape[0] ** 2 * shape[2],)
    if kind == "pool":
        return (shape[0] // layer["size"], shape[0] // layer["size"], shape[2])
    if layer["kernel"] > shape[0] + 2 * layer["padding"]:
        raise ValueError
    size = (shape[0] + 2 * layer["padding"] - layer["kernel"]) // layer["stride"] + 1
    return (size, size, layer["outputs"])


@wrong("cost", points=4.2, why="squares the output's height, which is enough for square images")
def square_outputs(layer, shape, after):
    kind = layer["kind"]
    if kind in ("pool", "flatten"):
        return 0, 0
    weights = shape[-1] * layer["outputs"]
    if kind == "conv":
        weights *= layer["kernel"] ** 2
    if kind == "separable":
        weights += layer["kernel"] ** 2 * shape[-1]
    return weights + layer["outputs"] * layer["bias"], weights * (1 if kind == "dense" else after[0] ** 2)


@wrong("cost", points=3.5, why="counts the bias of every layer, with or without one")
def always_a_bias(layer, shape, after):
    return _cost(layer, shape, after, lambda layer: layer["outputs"])


@wrong("cost", points=5.5, why="gives a separable layer two biases, one for each part")
def two_biases(layer, shape, after):
    return _cost(layer, shape, after, lambda layer: layer["bias"] * (layer["outputs"] + _depthwise(layer, shape)))


def _depthwise(layer, shape):
    return shape[-1] if layer["kind"] == "separable" else 0


def _cost(layer, shape, after, biases):
    kind = layer["kind"]
    if kind in ("pool", "flatten"):
        return 0, 0
    weights = shape[-1] * layer["outputs"]
    if kind == "conv":
        weights *= layer["kernel"] ** 2
    if kind == "separable":
        weights += layer["kernel"] ** 2 * shape[-1]
    return weights + biases(layer), weights * (1 if kind == "dense" else after[0] * after[1])


@wrong("total", points=5.2, why="gives every layer the shape of the image")
def no_shape_carried(layers, shape):
    weights = macs = 0
    for layer in layers:
        if layer["kind"] == "dense":
            weights, macs = weights + layer["outputs"] * (1 + shape[0] * shape[1] * shape[2]), macs + layer["outputs"]
    return weights, macs
