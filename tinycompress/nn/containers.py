"""Modules made of modules."""

from .module import Module


class Sequential(Module):
    """Layers one after the other. input_shape: the shape of one example, if known, for `profiling.summary`."""

    def __init__(self, *layers: Module, input_shape: tuple[int, ...] | None = None):
        for layer in layers:
            if not isinstance(layer, Module):
                raise TypeError(f"Sequential takes modules, got {layer!r}")
        self.layers = list(layers)
        self.input_shape = input_shape

    def children(self):
        yield from ((str(i), layer) for i, layer in enumerate(self.layers))

    def __getitem__(self, index):
        return self.layers[index]

    def __len__(self):
        return len(self.layers)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def extra_repr(self):
        return ", ".join(map(repr, self.layers))


class Residual(Module):
    """body(x) + shortcut(x); without a shortcut, body(x) + x (He et al. 2016)."""

    def __init__(self, body: Module, shortcut: Module | None = None):
        self.body, self.shortcut = body, shortcut

    def forward(self, x):
        y, around = self.body(x), self.shortcut(x) if self.shortcut else x
        if y.shape != around.shape:
            raise ValueError(
                f"Residual: the body gives {y.shape} and the shortcut {around.shape}; they are added, so make them equal"
            )
        return y + around

    def extra_repr(self):
        return f"{self.body!r}, {self.shortcut!r}" if self.shortcut else repr(self.body)
