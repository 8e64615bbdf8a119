"""What a net costs, on paper (30 minutes, 6 points).

Before a net is trained, two numbers say much about it: the number of weights, which must be stored and read, and the
number of multiply-accumulates (MACs) per image, which must be computed. A 3×3 convolution from 16 to 32 channels has
3 * 3 * 16 * 32 = 4608 weights. It uses all of them at every output pixel: with 7×7 pixels, 225,792 MACs. A depthwise filter
sees only its own channel: 3 * 3 * 16 = 144 weights. A separable convolution is a depthwise convolution followed by a 1×1
convolution (Howard et al. 2017): 144 + 16 * 32 = 656 weights. Biases count as weights, but cost no MACs. A net is a list of
dicts:

    {"kind": "conv", "kernel": 3, "stride": 1, "padding": 1, "outputs": 32, "bias": True}
    {"kind": "separable", "kernel": 3, "stride": 1, "padding": 1, "outputs": 32, "bias": True}
        stride and padding belong to the depthwise part, which has no bias; the 1×1 part has one if "bias" is True
    {"kind": "pool", "size": 2}       a window of 2×2, moved by 2; pixels left over at the right and bottom are dropped
    {"kind": "flatten"}
    {"kind": "dense", "outputs": 10, "bias": True}
"""


def output_shape(layer: dict, shape: tuple) -> tuple:
    """The shape of one image after the layer: (height, width, channels), or (features,) after flatten and dense.

    shape: the image's shape before the layer. "padding" is the number of zero pixels added at each side. Windows that do
    not fit completely are dropped. Raises ValueError for a convolution whose kernel is larger than the padded image.
    """
    ### BEGIN SOLUTION
    kind = layer["kind"]
    if kind == "dense":
        return (layer["outputs"],)
    height, width, channels = shape
    if kind == "flatten":
        return (height * width * channels,)
    if kind == "pool":
        return (height // layer["size"], width // layer["size"], channels)
    kernel, stride, padding = layer["kernel"], layer["stride"], layer["padding"]
    if kernel > min(height, width) + 2 * padding:
        raise ValueError(f"a kernel of {kernel} does not fit into {height}×{width} pixels with a padding of {padding}")
    rows, columns = ((n + 2 * padding - kernel) // stride + 1 for n in (height, width))
    return (rows, columns, layer["outputs"])
    ### END SOLUTION


def cost(layer: dict, shape: tuple, after: tuple) -> tuple[int, int]:
    """(weights, MACs per image) of a layer. shape, after: an image's shapes before and after it, as in `output_shape`."""
    ### BEGIN SOLUTION
    kind = layer["kind"]
    if kind in ("pool", "flatten"):
        return 0, 0
    inputs, outputs = shape[-1], layer["outputs"]
    weights = inputs * outputs
    if kind == "conv":
        weights *= layer["kernel"] ** 2
    if kind == "separable":
        weights += layer["kernel"] ** 2 * inputs
    pixels = 1 if kind == "dense" else after[0] * after[1]
    return weights + outputs * layer["bias"], weights * pixels
    ### END SOLUTION


def total(layers: list, shape: tuple) -> tuple[int, int]:
    """(weights, MACs per image) of the whole net. shape: an image's shape, (height, width, channels)."""
    ### BEGIN SOLUTION
    weights = macs = 0
    for layer in layers:
        after = output_shape(layer, shape)
        more = cost(layer, shape, after)
        weights, macs, shape = weights + more[0], macs + more[1], after
    return weights, macs
    ### END SOLUTION
