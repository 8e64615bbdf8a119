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

ELSEWHERE = {
    "tinycompress": {
        "cat": "tc.concatenate",
        "cuda": _ONE_DEVICE,
        "device": _ONE_DEVICE,
        "from_numpy": "tc.Tensor(array)",
        "load": _SAVED,
        "manual_seed": "there is no global seed: pass rng=np.random.default_rng(0), or rng=0 to models and fit",
        "save": _SAVED,
    },
    "tinycompress.nn": {
        "AdaptiveAvgPool2d": "nn.GlobalAvgPool()",
        "BatchNorm1d": "nn.BatchNorm(features)",
        "BatchNorm2d": "nn.BatchNorm(channels)",
        "BatchNormalization": "nn.BatchNorm(channels)",
        "CrossEntropyLoss": "tc.functional.cross_entropy, which fit uses by default",
        "DepthwiseConv2D": "nn.DepthwiseConv2d(channels, kernel_size, rng=rng)",
        "Conv2D": "nn.Conv2d(in_channels, out_channels, kernel_size, rng=rng)",
        "KLDivLoss": "tc.functional.kl_div(logits, target_logits), or tc.distillation.DistillationLoss",
        "Linear": "nn.Dense(in_features, out_features, rng=rng)",
        "MSELoss": "tc.functional.mse_loss, as in fit(…, loss=tc.functional.mse_loss)",
        "MaxPooling2D": "nn.MaxPool2d(size)",
        "Normalization": "nn.Normalize.of(data.x_train), or tc.models.normalized(net, data.x_train)",
        "ModuleList": "a list of modules as an attribute; its modules are found",
        "Softmax": "tc.functional.softmax; nets end in logits, and cross_entropy applies the softmax",
        "functional": "tc.functional",
    },
    "tinycompress.functional": {
        "linear": "functional.dense(x, weight, bias), with a weight (in, out)",
        "nll_loss": "functional.cross_entropy(logits, labels), which includes log_softmax",
        "one_hot": "np.eye(classes)[labels]; cross_entropy takes the labels themselves",
    },
    "tinycompress.optim": {
        "lr_scheduler": _SCHEDULE,
        "CosineAnnealingLR": _SCHEDULE,
        "OneCycleLR": "tc.fit(…, schedule=tc.optim.one_cycle()); the optimiser's rate is the highest one",
        "StepLR": _SCHEDULE,
        "clip_grad_norm_": "tc.optim.clip_grad_norm(net.parameters(), max_norm), or tc.fit(…, clip_grad_norm=1.0)",
    },
    "tinycompress.data": {
        "DataLoader": "fit(net, data.train, batch_size=64, …) makes the batches itself",
        "load_digits": 'tc.data.load("digits")',
        "load_mnist": 'tc.data.load("mnist")',
    },
    "tinycompress.pruning": {
        "l1_unstructured": "pruning.prune_weights(net, share)",
        "ln_structured": "pruning.remove_neurons(net, share)",
        "global_unstructured": 'pruning.prune_weights(net, share, scope="global")',
        "remove": "net.copy().bake(), which makes the masks part of the weights",
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
    raise AttributeError(f"module {place!r} has no attribute {name!r}{near}")


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
                what = function.__qualname__.removesuffix(".__init__")
                raise TypeError(f"{what}() has no argument {name!r}; here it is {ours[name]!r}")
            return function(*arguments, **options)

        return checked

    return decorate
