"""Names: what `dir` of a module shows, and what the library says to a name from PyTorch, Keras or scikit-learn."""

import functools
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

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
    "quantization.quantize_weights(net, bits=4), then fit to adapt; 8-bit integers: quantization.to_integers(net, x)"
)

ELSEWHERE = {
    "tinycompress": {
        **dict.fromkeys(("arange", "empty", "eye", "full", "ones", "rand", "randn", "zeros"), _ARRAYS),
        **{name: f"{_METHOD}t.{name}()" for name in ("abs", "exp", "log", "max", "mean", "min", "sqrt", "sum", "var")},
        **{name: f"tc.functional.{name}" for name in ("cross_entropy", "relu", "sigmoid", "softmax", "tanh")},
        "accuracy": "tc.evaluate(net, data).accuracy",
        "argmax": "t.data.argmax(axis)",
        "cat": "tc.concatenate",
        "compile": "nothing is compiled before fit; for prediction, tc.inference.optimize(net, x)",
        "cuda": _ONE_DEVICE,
        "device": _ONE_DEVICE,
        "distil": _DISTIL,
        "distill": _DISTIL,
        "flatten": "tc.functional.flatten",
        "from_numpy": "tc.Tensor(array)",
        "load": _SAVED,
        "manual_seed": "there is no global seed: pass rng=np.random.default_rng(0), or rng=0 to models and fit",
        "matmul": "a @ b",
        "prune": "tc.pruning.prune_weights(net, share), or tc.pruning.remove_neurons(net, share)",
        "quantize": f"tc.{_QUANTIZE}",
        "save": _SAVED,
        "summary": "net.summary()",
        "train": "tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
    },
    "tinycompress.nn": {
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
    },
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
        "DataLoader": "fit(net, data.train, batch_size=64, …) makes the batches itself; in a loop of your own, "
        "for rows in np.array_split(rng.permutation(len(x)), len(x) // 64): x[rows], y[rows]",
        "MNIST": 'tc.data.load("mnist")',
        "TensorDataset": "a pair (x, y), which fit and evaluate take",
        "load_digits": 'tc.data.load("digits")',
        "load_mnist": 'tc.data.load("mnist")',
    },
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
    "tinycompress.distillation": {
        "KDLoss": "tc.distillation.DistillationLoss(temperature, alpha)",
        "distil": _DISTIL,
        "distill": _DISTIL,
        "kd_loss": "tc.distillation.DistillationLoss(temperature, alpha), called with (logits, teacher's logits, labels)",
    },
    "tinycompress.quantization": {
        **dict.fromkeys(
            ("convert", "int8", "prepare", "prepare_qat", "quantize", "quantize_dynamic"), f"tc.{_QUANTIZE}"
        ),
        "load": "tc.quantization.tcz.load(path)",
        "save": "tc.quantization.tcz.save(net, path)",
    },
    "tinycompress.architecture": {"svd": "tc.architecture.factorise(net, ranks)"},
    "tinycompress.inference": {"compile": "tc.inference.optimize(net, x)"},
    "tinycompress.profiling": {
        **dict.fromkeys(("count", "flops", "macs", "parameters"), "net.summary(), which has .parameters and .macs"),
        "size": "tc.profiling.stored_bytes(net)",
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
        "squeeze": "t.reshape(shape)",
        "unsqueeze": "t.reshape(shape)",
        "view": "t.reshape(shape)",
    },
    "a module": {
        "compile": "nothing is compiled before fit: tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
        "cpu": _ONE_DEVICE,
        "cuda": _ONE_DEVICE,
        "evaluate": "tc.evaluate(net, data)",
        "fit": "tc.fit(net, data, optimizer=…, epochs=…, rng=0)",
        "predict": "tc.predict(net, x)",
        "to": _ONE_DEVICE,
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


def missing(names: dict, name: str):
    """Raise the AttributeError of a module, given its names, that has no attribute `name`."""
    place = names["__name__"]
    near = "" if name.startswith("_") else hint(place, name, shown(names))
    # Without an `obj`, Python would search the module itself and append a second suggestion to ours.
    raise AttributeError(f"module {place!r} has no attribute {name!r}{near}", name=name, obj=None)


def answer(names: dict) -> None:
    """Let the module with these names, and the modules in it, show what they offer and answer to other libraries' names."""
    inside = f"{names['__name__']}."
    modules = [value for value in names.values() if isinstance(value, ModuleType)]
    for found in [names, *(vars(module) for module in modules if module.__name__.startswith(inside))]:
        found["__dir__"] = functools.partial(shown, found)
        found.setdefault("__getattr__", functools.partial(missing, found))


def keywords(**ours: str) -> Callable[[Decorated], Decorated]:
    """Decorate a function, or a class, so that a keyword from another library is answered with ours."""

    def decorate(function):
        if isinstance(function, type):
            function.__init__ = decorate(function.__init__)
            return function

        @functools.wraps(function)
        def checked(*arguments, **options):
            for name in options.keys() & ours.keys():
                what, here = function.__qualname__.removesuffix(".__init__"), ours[name]
                here = repr(here) if here.isidentifier() else here
                raise TypeError(f"{what}() has no argument {name!r}; here it is {here}")
            return function(*arguments, **options)

        return checked

    return decorate
