"""Names: what `dir` of a module shows, and what the library says to a name from PyTorch, Keras or scikit-learn."""

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn, TypeVar

from . import did_you_mean

Decorated = TypeVar("Decorated", bound=Callable)

_SAVED = (
    "net.save(path) and net.load(path) keep a net's numbers; tc.quantization.tcz.save(net, path) makes a small file"
)
_ONE_DEVICE = "everything runs on the CPU, so there is no device to choose"
_SCHEDULE = "pass a schedule to fit: tc.fit(…, schedule=tc.optim.cosine), or steps, warmup, one_cycle"
_ARRAYS = "make arrays with NumPy: tc.Tensor(np.zeros(shape)), or np.random.default_rng(0).standard_normal(shape)"
_METHOD = "a method of tensors: "
_DISTIL = (
    "tc.fit(student, (x, tc.distillation.teacher_targets(teacher, data)), loss=tc.distillation.DistillationLoss(4, 0.9), "
    "…), where x is data.x_train"
)
_QUANTIZE = (
    "quantization.quantize_weights(net.copy(), bits=4), a grid, or quantization.cluster_weights(net.copy(), k=16), k-means; "
    "then fit to adapt; 8-bit integers: quantization.to_integers(net, x)"
)
_LOADER = (
    "fit(net, data.train, batch_size=64, …) makes the batches itself; in a loop of your own, "
    "for rows in np.array_split(rng.permutation(len(x)), len(x) // 64): x[rows], y[rows]"
)
_COSTS = "net.summary(), which has .parameters and .macs"
_DATA = 'tc.data.load("digits"), or "mnist", "fashion_mnist", "cifar10", or the path of an .npz'
_SIZE = "tc.profiling.stored_bytes(net); with codes: tc.quantization.tcz.save(net, path)"
_SCORE = "tc.evaluate(net, (x, y)).accuracy"
_SEED = "there is no global seed: pass rng=np.random.default_rng(0), or rng=0 to models and fit"

ELSEWHERE = {
    "tinycompress": {
        **dict.fromkeys(("arange", "empty", "eye", "full", "ones", "rand", "randn", "zeros"), _ARRAYS),
        **{name: f"{_METHOD}t.{name}()" for name in ("abs", "exp", "log", "max", "mean", "min", "sqrt", "sum", "var")},
        **{name: f"tc.functional.{name}" for name in ("cross_entropy", "relu", "sigmoid", "softmax", "tanh")},
        **dict.fromkeys(("count_macs", "count_parameters", "flops", "macs", "num_params"), _COSTS),
        **dict.fromkeys(("model_size", "size"), _SIZE),
        "DataLoader": _LOADER,
        "accuracy": "tc.evaluate(net, data).accuracy",
        "argmax": "t.data.argmax(axis)",
        "cat": "tc.concatenate",
        "callbacks": "fit writes a checkpoint=path after each epoch; for anything else, call fit(…, epochs=1) in a loop",
        "compile": "nothing is compiled before fit; for prediction, tc.inference.optimize(net, x)",
        "cuda": _ONE_DEVICE,
        "datasets": _DATA,
        "device": _ONE_DEVICE,
        "distil": _DISTIL,
        "distill": _DISTIL,
        "flatten": "tc.functional.flatten",
        "float32": "np.float32",
        "from_numpy": "tc.Tensor(array)",
        "grad": "loss.backward(), then p.grad of each parameter",
        "jit": "for prediction, tc.inference.optimize(net, x)",
        "layers": "tc.nn",
        "load": _SAVED,
        "losses": "tc.functional.cross_entropy, kl_div and mse_loss",
        **dict.fromkeys(("manual_seed", "random", "seed", "seed_everything", "set_seed"), _SEED),
        "matmul": "a @ b",
        "metrics": "tc.evaluate(net, data).accuracy",
        **dict.fromkeys(
            ("export_onnx", "onnx"), "no other format is written; net.state_dict() gives the arrays by name"
        ),
        "prune": "tc.pruning.prune_weights(net, share), or tc.pruning.remove_neurons(net, share)",
        "quantize": f"tc.{_QUANTIZE}",
        "save": _SAVED,
        "sparsity": "tc.pruning.sparsity(net)",
        "summary": "net.summary()",
        "train": "tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
        "transforms": "images are scaled by tc.data.load; tc.fit(…, augment=tc.data.shift), tc.models.normalized(net, x)",
        "utils": "tc.data for data, tc.optim for clip_grad_norm, tc.pruning to prune",
    },
    "tinycompress.tensor": {"()": "tc.Tensor(array)"},
    "tinycompress.nn": {
        **dict.fromkeys(
            ("Embedding", "GRU", "LSTM", "LayerNorm", "MultiheadAttention"),
            "nets are made of dense and convolution layers; derive one of your own from nn.Module",
        ),
        "AdaptiveAvgPool2d": "nn.GlobalAvgPool()",
        "BatchNorm1d": "nn.BatchNorm(features)",
        "BatchNorm2d": "nn.BatchNorm(channels)",
        "BatchNormalization": "nn.BatchNorm(channels)",
        "CrossEntropyLoss": "tc.functional.cross_entropy, which fit uses by default",
        "DepthwiseConv2D": "nn.DepthwiseConv2d(channels, kernel_size, rng=rng)",
        "Conv2D": "nn.Conv2d(in_channels, out_channels, kernel_size, rng=rng)",
        "Identity": "nn.Sequential(), which has no layers",
        "KLDivLoss": "tc.functional.kl_div(logits, target_logits), or tc.distillation.DistillationLoss",
        "Linear": "nn.Dense(in_features, out_features, rng=rng)",
        "LogSoftmax": "tc.functional.log_softmax",
        "MSELoss": "tc.functional.mse_loss, as in fit(…, loss=tc.functional.mse_loss)",
        "MaxPooling2D": "nn.MaxPool2d(size)",
        "Normalization": "nn.Normalize.of(data.x_train), or tc.models.normalized(net, data.x_train)",
        "NLLLoss": "tc.functional.cross_entropy, which takes logits",
        "ModuleList": "a list of modules as an attribute; its modules are found",
        "Softmax": "tc.functional.softmax; nets end in logits, and cross_entropy applies the softmax",
        "functional": "tc.functional",
        "load": _SAVED,
        "utils": "tc.pruning.prune_weights(net, share); tc.optim.clip_grad_norm",
    },
    "tinycompress.nn.init": dict.fromkeys(
        ("kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_", "zeros_"),
        'nn.Dense(…, init="he_normal"), or another of nn.INITS',
    ),
    "tinycompress.functional": {
        "adaptive_avg_pool2d": "nn.GlobalAvgPool(), or x.mean((1, 2))",
        "linear": "functional.dense(x, weight, bias), with a weight (in, out)",
        "nll_loss": "functional.cross_entropy(logits, labels), which includes log_softmax",
        "one_hot": "np.eye(classes)[labels]; cross_entropy takes the labels themselves",
    },
    "tinycompress.optim": {
        "CosineAnnealingLR": _SCHEDULE,
        "OneCycleLR": "tc.fit(…, schedule=tc.optim.one_cycle()); the optimiser's rate is the highest one",
        "RMSprop": "tc.optim.Adam",
        "StepLR": _SCHEDULE,
        "clip_grad_norm_": "tc.optim.clip_grad_norm(net.parameters(), max_norm), or tc.fit(…, clip_grad_norm=1.0)",
        "lr_scheduler": _SCHEDULE,
    },
    "tinycompress.data": {
        "DataLoader": _LOADER,
        "MNIST": _DATA,
        "TensorDataset": "a pair (x, y), which fit and evaluate take",
        "load_digits": _DATA,
        "load_mnist": _DATA,
        **dict.fromkeys(
            ("random_split", "train_test_split"), "the splits of a data set, data.train, data.val and data.test"
        ),
    },
    **dict.fromkeys(
        (f"tinycompress.data.{name}" for name in ("cifar10", "digits", "fashion_mnist", "mnist")), {"()": _DATA}
    ),
    "tinycompress.pruning": {
        "l1_unstructured": "pruning.prune_weights(net, share)",
        "ln_structured": "pruning.remove_neurons(net, share)",
        "global_unstructured": 'pruning.prune_weights(net, share, scope="global")',
        "random_unstructured": "pruning.prune_weights(net, share, importance), where importance(net) gives scores per layer",
        "remove": "net.copy().bake(), which makes the masks part of the weights",
        **dict.fromkeys(
            ("prune_channels", "prune_filters", "prune_neurons", "remove_channels", "remove_filters"),
            "pruning.remove_neurons(net, share)",
        ),
        **dict.fromkeys(("magnitude_prune", "prune"), "pruning.prune_weights(net, share)"),
    },
    "tinycompress.pruning.gradual": {"()": "pruning.prune_gradually"},
    "tinycompress.distillation": {
        "KDLoss": "tc.distillation.DistillationLoss(temperature, alpha)",
        "distil": _DISTIL,
        "distill": _DISTIL,
        "kd_loss": "tc.distillation.DistillationLoss(temperature, alpha), called with (logits, teacher's logits, labels)",
    },
    "tinycompress.quantization": {
        **dict.fromkeys(
            ("convert", "int8", "prepare", "prepare_qat", "quantize", "quantize_dynamic", "to_int8"), f"tc.{_QUANTIZE}"
        ),
        "load": "tc.quantization.tcz.load(path)",
        "save": "tc.quantization.tcz.save(net, path)",
    },
    "tinycompress.quantization.kmeans": {"()": "quantization.cluster_weights(net, k=16)"},
    "tinycompress.architecture": {"svd": "tc.architecture.factorise(net, ranks)"},
    "tinycompress.inference": {"compile": "tc.inference.optimize(net, x)"},
    "tinycompress.profiling": {
        **dict.fromkeys(("count", "count_macs", "count_parameters", "flops", "macs", "parameters"), _COSTS),
        "benchmark": 'tc.profiling.latency({"net": lambda: net(x)})',
        "size": _SIZE,
    },
    "a tensor": {
        **dict.fromkeys(("argmax", "argmin", "argsort", "tolist"), "that of its array: t.data"),
        **dict.fromkeys(("cpu", "cuda", "to"), _ONE_DEVICE),
        "clone": "t.detach(), or tc.Tensor(t.data.copy())",
        "dim": "t.ndim",
        "flatten": "tc.functional.flatten(t)",
        "float": "t.data.astype(np.float32)",
        "numel": "t.size",
        "permute": "t.transpose(0, 3, 1, 2)",
        "requires_grad_": "tc.Tensor(array, requires_grad=True)",
        "softmax": "tc.functional.softmax(t)",
        "squeeze": "t.reshape(shape)",
        "unsqueeze": "t.reshape(shape)",
        "view": "t.reshape(shape)",
    },
    "a module": {
        **dict.fromkeys(("cpu", "cuda", "to"), _ONE_DEVICE),
        **dict.fromkeys(("append", "add"), "net.layers.append(layer), before the optimiser is made"),
        **dict.fromkeys(("bias", "weight"), "that of a layer, as in net[1].weight"),
        **dict.fromkeys(("count_macs", "count_parameters", "num_parameters"), _COSTS),
        **dict.fromkeys(("double", "float", "half"), "nets compute in float32; for fewer bits, tc.quantization"),
        **dict.fromkeys(("from_pretrained", "load_weights", "save_pretrained", "save_weights"), _SAVED),
        "apply": "for module in net.modules()",
        "clone": "net.copy()",
        "compile": "nothing is compiled before fit: tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
        "evaluate": "tc.evaluate(net, data)",
        "fit": "tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
        "predict": "tc.predict(net, x)",
        "predict_proba": "tc.functional.softmax(tc.predict(net, x)).data",
        "register_buffer": "an array as an attribute is a buffer: layer.name = array",
        "register_forward_hook": "with nn.trace() as calls: net(x)",
        "requires_grad_": "for parameter in net.parameters(): parameter.requires_grad = False",
        "score": _SCORE,
        "sparsity": "tc.pruning.sparsity(net)",
    },
    "an optimiser": {
        "minimize": "loss.backward(), then optimizer.step()",
        "param_groups": "optimizer.parameters, and one rate for all of them, optimizer.lr",
    },
}


def hint(place: str, name: str, known=()) -> str:
    """The end of an error message about a name that is not there: ours for it, or the most similar one of `known`."""
    ours = ELSEWHERE.get(place, {}).get(name)
    return f"; here: {ours}" if ours else did_you_mean(name, known)


def shown(names: dict) -> list[str]:
    """What `dir` of a module shows, given its names: what it offers, rather than what it imports."""

    def own(name, value):  # a dot: a method that is also offered as a function, such as `functional.relu`
        here = getattr(value, "__module__", None) == names["__name__"] or "." in getattr(value, "__qualname__", "")
        return here and not name.startswith("_")

    return sorted(names.get("__all__", [name for name, value in names.items() if own(name, value)]))


def missing(names: dict, name: str) -> NoReturn:
    """Raise the AttributeError of a module, given its names, that has no attribute `name`."""
    place = names["__name__"]
    near = "" if name.startswith("_") else hint(place, name, shown(names))
    if near and _imports(sys._getframe(1)):  # there, Python would replace an AttributeError by an error of its own
        raise ImportError(f"cannot import name {name!r} from {place!r}{near}")
    # Without an `obj`, Python would search the module itself and append a second suggestion to ours.
    raise AttributeError(f"module {place!r} has no attribute {name!r}{near}", name=name, obj=None)


def _imports(frame) -> bool:
    """Whether the code that asked a module for a name, here or through the module's own `__getattr__`, is `from … import`."""
    import opcode

    frame = frame.f_back if frame.f_code.co_name == "__getattr__" else frame
    return frame.f_code.co_code[frame.f_lasti] == opcode.opmap["IMPORT_FROM"]


class _Elsewhere:
    """The last of Python's finders: it finds no module, and answers to those of other libraries, as in `import ….datasets`."""

    @staticmethod
    def find_spec(name: str, path=None, target=None) -> None:
        place, _, last = name.rpartition(".")
        if last in ELSEWHERE.get(place, {}):
            raise ModuleNotFoundError(f"No module named {name!r}{hint(place, last)}", name=name)


sys.meta_path.append(_Elsewhere)


def lacking(place: str, thing, name: str, known) -> NoReturn:
    """Raise the AttributeError of an object, of a kind that is called `place`, that has no attribute `name`."""
    near = "" if name.startswith("_") else hint(place, name, [one for one in known if not one.startswith("_")])
    raise AttributeError(f"{type(thing).__name__} has no attribute {name!r}{near}", name=name, obj=None)


class _Called(ModuleType):
    """A module with an answer to those who call it."""

    def __call__(self, *arguments, **options):
        raise TypeError(f"{self.__name__} is a module, which is not called{hint(self.__name__, '()')}")


def answer() -> None:
    """Let the library's modules, those imported so far, show what they offer and answer to other libraries' names."""
    inside = f"{__name__.partition('.')[0]}."
    for name, module in sys.modules.items():
        if f"{name}.".startswith(inside) and isinstance(module, ModuleType):
            names = vars(module)
            names["__dir__"] = functools.partial(shown, names)
            names.setdefault("__getattr__", functools.partial(missing, names))
            if "()" in ELSEWHERE.get(name, {}):
                module.__class__ = _Called


def by_name(*parts: str) -> Callable[[Decorated], Decorated]:
    """Decorate a class, so that unpacking or indexing it, and other attributes, are answered with the names of its parts."""
    listed = ", ".join(f".{part}" for part in parts)

    def refused(self, *_):
        raise TypeError(f"{type(self).__name__} has named parts, {listed}; it is not unpacked and takes no index")

    def lacks(self, name):
        near = did_you_mean(name, [*vars(self), *dir(type(self))]) or f"; it has {listed}"
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{near}", name=name, obj=None)

    def decorate(kind):
        kind.__iter__ = kind.__getitem__ = refused
        kind.__getattr__ = lacks
        return kind

    return decorate


def keywords(more: str = "", /, **ours: str) -> Callable[[Decorated], Decorated]:
    """Decorate a function, or a class, so that the answer to a keyword that it does not have is ours, or a similar one.

    more: what to add to the answer to more arguments without a name than there are.
    """

    def decorate(function):
        if isinstance(function, type):
            function.__init__ = decorate(function.__init__)
            return function
        code, what = function.__code__, function.__qualname__.removesuffix(".__init__")
        first, accepted = code.co_argcount, code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]

        @functools.wraps(function)
        def checked(*arguments, **options):
            for name in options:
                if name not in accepted:
                    raise TypeError(f"{what}() has no argument {name!r}{_argument(name, ours, accepted)}")
            if len(arguments) > first:
                raise TypeError(
                    f"{what}() takes only {', '.join(accepted[:first])} without a name{more and f'; {more}'}"
                )
            return function(*arguments, **options)

        return checked

    return decorate


def _argument(name: str, ours: dict[str, str], accepted: tuple[str, ...]) -> str:
    if name in ours:
        return f"; here it is {ours[name]!r}" if ours[name].isidentifier() else f"; here: {ours[name]}"
    return did_you_mean(name, accepted) or f"; it takes {', '.join(one for one in accepted if one != 'self')}"
