"""The commands for .tcz files: `compress` makes one, `inspect` lists its contents, `run` tests its predictions."""

import argparse
from pathlib import Path

from ..text import did_you_mean
from .claims import print_json

DONE = 0
NETS = ("lenet_300_100", "lenet_5", "convnet", "separable_net", "resnet", "resnet20", "vgg", "mobilenet")
MOST_NUMBERS = 2**24  # outputs of a layer, for one batch

_COMPRESS = """\
Prune, cluster and code a net into one small file. The file loads to a net with the same predictions, bit for bit.

MODEL is one of {nets}, which is
trained on --data first, or a .tcz file, whose net is compressed further. The net loses --sparsity
of its weights, gradually while it trains. The rest is clustered into 2^bits values per layer,
which are fine-tuned and written in the shortest coding found. Learning rates are chosen on the
validation split; the test split serves only to report the accuracy at the end.
""".format(nets=", ".join(NETS))

_COMPRESS_EXAMPLES = """\
examples:
  tinycompress compress lenet_300_100 --out net.tcz              UCI digits, 10 % of the weights, 8 values per layer
  tinycompress compress lenet_5 --data mnist --sparsity 0.98 --out net.tcz
  tinycompress compress net.tcz --sparsity 0.95 --out smaller.tcz            compressed further
  tinycompress compress convnet --sparsity 0 --bits 32 --out net.tcz         only trained and coded
"""

_INSPECT = """\
List the contents of a .tcz file: its arrays, how each is coded, and where every byte goes. Damaged files are refused.
"""

_RUN = """\
Test the predictions of a .tcz file's net: the share of images that it gets right, and how long it takes.
"""


class FileProblem(Exception):
    """A file, a net or data do not fit; the message says how to fix it."""


def add_commands(commands, form) -> None:
    """Add the three commands to a parser's subcommands."""
    _add_compress(commands, form)

    inspect = commands.add_parser(
        "inspect", help="list the contents of a .tcz file", description=_INSPECT, formatter_class=form
    )
    inspect.set_defaults(command=_inspect, parser=inspect)
    inspect.add_argument("file", metavar="FILE", help="a .tcz file")
    inspect.add_argument("--json", action="store_true", help="print the arrays and the parts as JSON")
    inspect.add_argument("--figure", metavar="IMAGE", help="draw every byte of the file into this .svg or .png file")

    run = commands.add_parser(
        "run", help="test the predictions of a .tcz file's net", description=_RUN, formatter_class=form
    )
    run.set_defaults(command=_run, parser=run)
    run.add_argument("file", metavar="FILE", help="a .tcz file")
    run.add_argument(
        "--data", metavar="NAME|FILE", default="digits", help="digits (default), mnist, cifar10, …, or an .npz"
    )
    run.add_argument(
        "--split", choices=("train", "val", "test"), default="test", help="images to predict; default: test"
    )
    run.add_argument("--json", action="store_true", help="print the result as JSON")
    run.add_argument("--threads", type=_count, default=1, metavar="N", help="number of threads; default: 1")


def _add_compress(commands, form) -> None:
    compress = commands.add_parser(
        "compress",
        help="prune, cluster and code a net into one small file",
        description=_COMPRESS,
        epilog=_COMPRESS_EXAMPLES,
        formatter_class=form,
    )
    compress.set_defaults(command=_compress, parser=compress)
    compress.add_argument("model", metavar="MODEL", help=f"{', '.join(NETS)}, or a .tcz file")
    compress.add_argument("--out", metavar="FILE", required=True, help="the .tcz file to write")
    compress.add_argument(
        "--data", metavar="NAME|FILE", default="digits", help="digits (default), mnist, cifar10, …, or an .npz"
    )
    compress.add_argument(
        "--sparsity", type=_share, default=0.9, metavar="S", help="share of weights to remove; default: 0.9"
    )
    compress.add_argument(
        "--bits",
        type=int,
        choices=(*range(1, 9), 32),
        default=3,
        help="2^bits values per layer; 32: no clustering; default: 3",
    )
    compress.add_argument("--epochs", type=_count, default=15, metavar="N", help="epochs per stage; default: 15")
    compress.add_argument("--distil", action="store_true", help="also learn from the uncompressed net's outputs")
    compress.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random numbers; default: 0")
    compress.add_argument(
        "--coding",
        choices=("smallest", "fixed", "huffman", "arithmetic"),
        default="smallest",
        help="coding of the arrays; default: the smallest for each",
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more; got {text!r}")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"must be a share from 0 to below 1; got {text!r}")
    return value


def _compress(arguments) -> int:
    from ..quantization import tcz
    from ..recipe import Recipe, compress
    from ..training import evaluate

    out, dataset = _target(arguments.out), _data(arguments.data)
    start = _model(arguments.model, dataset)
    recipe = Recipe(
        net=arguments.model if start is None else "",
        kept=1 - arguments.sparsity,
        k=None if arguments.bits == 32 else 2**arguments.bits,
        dense=arguments.epochs,
        prune=arguments.epochs,
        tune=max(1, arguments.epochs // 3),
        lrs=(0.02, 0.1),
        batch_size=64 if len(dataset.y_train) < 10_000 else 128,
        distil=arguments.distil,
    )
    accuracies = {}

    def note(stage, net, coding):
        size = len(tcz.to_bytes(net, coding))
        print(
            f"{stage:10}  {size:>10,} bytes, {_percent(evaluate(net, dataset.val).accuracy)} of the validation images right"
        )
        if stage == "float32":
            accuracies["before"] = evaluate(net, dataset.test).accuracy

    try:
        net = compress(recipe, dataset, arguments.seed, note, start)
        found = tcz.save(net, out, arguments.coding)
    except (ValueError, OSError) as error:
        raise FileProblem(f"{arguments.model}: {error}") from error
    after = evaluate(tcz.load(out, max_elements=found.float_bytes), dataset.test).accuracy
    print(f"\n{found}\n")
    print(f"{out}: {_percent(after)} of the test images are right; {_percent(accuracies['before'])} before")
    return DONE


def _target(name: str) -> Path:
    """The file to write, after a check that its folder takes it: better refused now than after the training."""
    from ..files import check_room

    out = Path(name)
    if out.is_dir():
        raise FileProblem(f"--out {out}: this is a folder; give the name of a file")
    if not out.absolute().parent.is_dir():
        raise FileProblem(f"--out {out}: the folder {out.absolute().parent} does not exist")
    try:
        check_room(out.absolute().parent)
    except OSError as error:
        raise FileProblem(f"--out {out}: its folder cannot be written ({error.strerror})") from error
    return out


def _inspect(arguments) -> int:
    from ..quantization import tcz

    if arguments.figure and Path(arguments.figure).suffix not in (".svg", ".png"):
        raise FileProblem(f"--figure {arguments.figure}: give a name that ends in .svg or .png")
    found = _readable(tcz.inspect, arguments.file)
    if arguments.json:
        print_json({"bytes": found.nbytes, "float32_bytes": found.float_bytes} | _plain(found))
    else:
        print(found, end="\n\n")
        for kind, count in found.bytes_by_kind().items():
            print(f"{kind:13}{count:>10,} bytes  {_percent(count / found.nbytes)}")
    if arguments.figure:
        _draw(found, arguments.file, Path(arguments.figure))
    return DONE


def _plain(found) -> dict:
    """The file's arrays and parts as plain values."""
    from dataclasses import asdict

    return {"arrays": [asdict(array) for array in found.arrays], "parts": [asdict(part) for part in found.parts]}


def _draw(found, file, image: Path) -> None:
    from ..files import replace_file
    from ..lecture.quantization.bytes_drawn import draw_bytes
    from ..workshop import style

    with style.applied():
        fig = style.figure(width=8, height=9.6)
        parts = [[part.array, part.kind, part.offset, part.nbytes] for part in found.parts]
        draw_bytes(fig.axes[0], Path(file).read_bytes(), parts)
    try:
        replace_file(image, style.svg(fig) if image.suffix == ".svg" else style.png(fig))
    except OSError as error:
        raise FileProblem(f"--figure {image}: {error.strerror}") from error


def _run(arguments) -> int:
    import time

    from ..kernels import set_num_threads
    from ..quantization import tcz
    from ..training import predict

    net, dataset = _readable(tcz.load, arguments.file), _data(arguments.data)
    x, y = getattr(dataset, arguments.split)
    shape = getattr(net, "input_shape", None)
    if shape is not None and tuple(shape) != dataset.image_shape:
        raise FileProblem(
            f"{arguments.file} expects images of {_by(shape)}, but those of {dataset.name} are "
            f"{_by(dataset.image_shape)}; give the data that it was trained on with --data"
        )
    set_num_threads(arguments.threads)
    batch = max(1, min(512, MOST_NUMBERS // max(1, tcz.largest_activation(net))))
    try:
        predict(net, x[:batch], batch)  # compiles the kernels, fills the caches
        start = time.perf_counter()
        outputs = predict(net, x, batch)
        seconds = time.perf_counter() - start
    except (ValueError, TypeError) as error:
        raise FileProblem(f"{arguments.file} cannot take the images of {dataset.name}: {error}") from error
    right = int((outputs.argmax(1) == y).sum())
    if arguments.json:
        result = {"data": dataset.name, "split": arguments.split, "images": len(y), "right": right}
        print_json(result | {"milliseconds": 1000 * seconds, "threads": arguments.threads})
        return DONE
    print(
        f"{right:,} of {len(y):,} {arguments.split} images of {dataset.name} right ({_percent(right / len(y))}), "
        f"in {1000 * seconds:.3g} ms"
    )
    return DONE


def _data(name: str):
    from ..data import load

    try:
        return load(name)
    except (OSError, ValueError) as error:
        raise FileProblem(f"--data {name}: {error}") from error


def _model(name: str, dataset):
    """The net of a .tcz file; None for the name of a net, which has yet to be trained."""
    if name in NETS:
        return None
    if not name.endswith(".tcz"):
        hint = did_you_mean(name, NETS) or "."
        raise FileProblem(f"no net is called {name!r}{hint} The nets are {', '.join(NETS)}; or give a .tcz file")
    from ..quantization import tcz

    net = _readable(tcz.load, name)
    shape = getattr(net, "input_shape", None)
    if shape is not None and tuple(shape) != dataset.image_shape:
        raise FileProblem(
            f"{name} expects images of {_by(shape)}, but those of {dataset.name} are {_by(dataset.image_shape)}"
        )
    return net


def _readable(read, file):
    try:
        return read(file)
    except (ValueError, OSError) as error:
        raise FileProblem(str(error)) from error


def _by(shape) -> str:
    return "×".join(map(str, shape))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
