"""The process that loads one hand-in and predicts: `python -m tinycompress.challenge.worker FILE IMAGES CLASSES LEAVE_AT MIB`.

It prints one JSON object: {"refused": why}, or "classes" (one per image), "exits" (the exit of each image; empty without
exits), "costs" (multiplications up to each exit) and "weights" (how many are not 0). Nothing of a file is executed; this
process is apart so that a file which costs too much time or memory ends it and nothing else.
"""

import json
import sys

import numpy as np

from ..dynamic import EarlyExit
from ..kernels import set_num_threads
from ..nn import Module, MultiExit, Sequential
from ..nn.weighted import effective
from ..pruning import prunable
from ..quantization import TczError, tcz
from ..training import predict

MOST_NUMBERS = 2**22  # in the largest output of a layer, for one batch
MOST_EXITS = 255
MOST_PADDING = 64  # pixels on each side; more is never useful, and costs memory that no output shows


class Refused(Exception):
    """A hand-in that cannot be judged; the message is for the student."""


def limit_memory(mebibytes: int) -> None:
    """Let this process have no more address space than this. Windows has no such limit, and macOS does not keep to it."""
    try:
        import resource
    except ImportError:
        return
    try:
        resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    except (ValueError, OSError):  # macOS
        return


def predictions(data: bytes, x: np.ndarray, num_classes: int, leave_at: float) -> dict:
    """What the net in a .tcz file says to images (N, H, W, C), and what it costs. Raises Refused."""
    try:
        net = tcz.from_bytes(data)
    except TczError as error:
        raise Refused(f"the file cannot be loaded: {error}") from error
    net = _fitting(net, x.shape[1:])
    exits = np.zeros(0, int)
    batch = max(1, min(512, MOST_NUMBERS // max(1, tcz.largest_activation(net))))
    with np.errstate(all="ignore"):
        try:
            if isinstance(net, MultiExit):
                stops = EarlyExit(net, leave_at)
                outputs, left = zip(*(stops.run(x[i : i + batch]) for i in range(0, len(x), batch)), strict=True)
                outputs, exits = np.concatenate(outputs), np.concatenate(left)
            else:
                outputs = predict(net, x, batch)
        except (ValueError, TypeError, IndexError, OverflowError, ZeroDivisionError) as error:
            raise Refused(f"the net cannot take these images: {error}") from error
    if outputs.shape != (len(x), num_classes):
        raise Refused(
            f"the net gives outputs {outputs.shape}, but one per class, {(len(x), num_classes)}, are expected"
        )
    if not np.isfinite(outputs).all():
        raise Refused("the net predicts numbers that are not finite")
    weights = sum(int(np.count_nonzero(effective(layer, "weight"))) for layer in prunable(net).values())
    found = {"classes": outputs.argmax(1).tolist(), "exits": exits.tolist(), "costs": costs(net), "weights": weights}
    return found


def _fitting(net: Module, shape: tuple[int, ...]) -> Module:
    """The net with these images as its input. Raises Refused for one made for others, or with sizes out of all proportion."""
    made_for = getattr(net, "input_shape", None)
    if made_for is not None and tuple(made_for) != shape:
        raise Refused(f"the net expects images of shape {tuple(made_for)}, but those of this challenge have {shape}")
    if isinstance(net, MultiExit):
        if len(net.stages) > MOST_EXITS:
            raise Refused(f"the net has {len(net.stages)} exits; at most {MOST_EXITS} are allowed")
        net.input_shape = shape
    elif made_for is None:
        net = Sequential(net, input_shape=shape)
    for name, layer in net.named_modules():
        padding = getattr(layer, "padding", 0)
        if not isinstance(padding, str) and np.max(padding) > MOST_PADDING:
            raise Refused(f"layer {name} pads by {np.max(padding)} pixels; at most {MOST_PADDING} are allowed")
    try:
        largest = tcz.largest_activation(net)
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused(f"the layers do not fit together: {error}") from error
    if largest > MOST_NUMBERS:
        raise Refused(f"a layer's output has {largest:,} numbers per image; at most {MOST_NUMBERS:,} are allowed")
    return net.eval()


def costs(net: Module) -> list[float]:
    """Multiplications per image by nonzero weights up to each exit, (exits,); of a net without exits one number."""
    if not isinstance(net, MultiExit):
        return [_multiplications(net, net.input_shape)[0]]
    total, found, shape = 0.0, [], net.input_shape
    for stage, head in zip(net.stages, net.heads, strict=True):
        own, shape = _multiplications(stage, shape)
        total += own + _multiplications(head, shape)[0]
        found.append(total)
    return found


def _multiplications(net: Module, shape: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
    """Those of one part for an input of this shape, and the shape of its output."""
    kept = {name: float(np.mean(effective(layer, "weight") != 0)) for name, layer in prunable(net).items()}
    layers = net.summary(shape).layers
    return sum((layer.macs or 0) * kept.get(layer.name, 1.0) for layer in layers), (
        layers[-1].output_shape if layers else shape
    )


def main(file: str, images: str, num_classes: str, leave_at: str, mebibytes: str) -> None:
    """Judge the file and print the JSON object."""
    limit_memory(int(mebibytes))
    set_num_threads(1)
    try:
        with open(file, "rb") as stream:
            found = predictions(stream.read(), np.load(images, allow_pickle=False), int(num_classes), float(leave_at))
    except Refused as why:
        found = {"refused": str(why)}
    except (MemoryError, RecursionError):
        found = {"refused": f"the net needs more than the {mebibytes} MiB of memory that a hand-in may use"}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
