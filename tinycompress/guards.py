"""What a method checks before it changes a net, and how it undoes a change that fails."""

from contextlib import contextmanager

from .nn import Module, Parameter, Weighted
from .nn.module import Parametrized
from .nn.weighted import check_untied


def computes_as(layer: Module, kind: type[Module]) -> bool:
    """Whether the layer is a `kind` and has its `forward`, which a subclass may have overridden."""
    return isinstance(layer, kind) and type(layer).forward is kind.forward


def is_as_stated(layer: Weighted) -> bool:
    """Whether `forward` comes from the class that states how the weight is used, not from a subclass of it."""
    computing = next(kind for kind in type(layer).__mro__ if "forward" in vars(kind))
    return Weighted in computing.__bases__


def idle_latents(model: Module) -> list[Parameter]:
    """The latent arrays that get no gradient, since a step replaces them by its own values."""
    return [
        parametrized.latent
        for module in model.modules()
        for parametrized in vars(module).get("_parametrized", {}).values()
        if not all(getattr(step, "trains_latent", True) for step in parametrized.steps)
    ]


def check_distinct(what: str, model: Module, layers=None):
    """Raise a ValueError that begins with `what` if a layer with its own arrays is used in two places of the model, or if
    two layers share a weight.

    layers: the names of the layers to check; None: all.
    """
    check_untied(model)
    first, stack = {}, [("", model)]
    while stack:
        name, module = stack.pop()
        if id(module) not in first:
            first[id(module)] = name
            stack += [(f"{name}.{child}" if name else child, inner) for child, inner in [*module.children()][::-1]]
        elif (layers is None or name in layers or first[id(module)] in layers) and any(module._named_state()):
            raise ValueError(
                f"{what}: layer {name}, {module!r}, is used in two places of the model (it is also layer "
                f"{first[id(module)]}); build one for each place"
            )


@contextmanager
def all_or_nothing(model: Module):
    """Undo all changes to the layers of `model` if this block raises, so that nothing is compressed half-way."""
    modules = model.modules()
    before = [
        (
            dict(vars(module)),
            {name: (p.latent, p.steps[:]) for name, p in vars(module).get("_parametrized", {}).items()},
        )
        for module in modules
    ]
    values = [(parameter, parameter.data) for parameter in model.parameters()]
    try:
        yield
    except BaseException:
        for module, (attributes, seen) in zip(modules, before, strict=True):
            vars(module).clear()
            vars(module).update(attributes)
            if "_parametrized" in attributes:
                vars(module)["_parametrized"] = {name: Parametrized(*parts) for name, parts in seen.items()}
        for parameter, data in values:
            parameter.data = data
        raise
