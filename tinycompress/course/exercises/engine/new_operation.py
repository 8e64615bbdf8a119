"""An operation of your own, in the graph (30 minutes, 6 points).

Automatic differentiation knows no calculus. Each operation brings along the derivatives of its own output by its own inputs,
and `backward` applies the chain rule from the loss back through the graph. Whoever adds an operation must write its
derivatives by hand, once. Here it is a softplus whose sharpness b is learned, one for each column:

    y = log(1 + exp(b x)) / b

It is a smooth ReLU: for large b it is close to max(x, 0), at x = 0 and b = 1 it is log 2. With s = 1 / (1 + exp(-b x)),

    dy/dx = s,        dy/db = (x s - y) / b.

In this engine an operation is one call of `record(value, (input, derivative), …)`, where each derivative is a function from
the gradient of the output to that of the input. This is all there is to leaky ReLU:

    def leaky_relu(x, slope=0.01):
        factor = np.where(x.data > 0, 1, slope)
        return record(x.data * factor, (x, lambda grad: grad * factor))
"""

import numpy as np

from tinycompress.tensor import Tensor, record


def softplus(x: np.ndarray, b: np.ndarray) -> np.ndarray:
    """y for x (rows, columns) and b (columns,), b > 0, in float64. Must not overflow, however large b x is."""
    ### BEGIN SOLUTION
    return np.logaddexp(0, b * x) / b
    ### END SOLUTION


def gradients(grad: np.ndarray, x: np.ndarray, b: np.ndarray, y: np.ndarray) -> tuple:
    """(dL/dx, dL/db), in the shapes of x and b, from grad = dL/dy and y, both (rows, columns)."""
    ### BEGIN SOLUTION
    s = 1 / (1 + np.exp(np.minimum(-b * x, 700)))
    return grad * s, (grad * (x * s - y) / b).sum(0)
    ### END SOLUTION


def in_the_graph(x: np.ndarray, weight: np.ndarray, b: np.ndarray) -> tuple:
    """(L, dL/dweight, dL/db) for the loss L = mean of softplus(x @ weight, b) squared, computed by the engine.

    Make Tensors of weight and b with requires_grad=True, multiply x with the weight, apply your softplus as an operation
    with `record` and both of its derivatives, let the engine square it and take the mean, and call L.backward(). The
    gradients are then in `weight.grad` and `b.grad`. Return L as a number, and the gradients as arrays. x: (rows, inputs);
    weight: (inputs, columns); b: (columns,).
    """
    ### BEGIN SOLUTION
    weight, b = Tensor(weight, requires_grad=True), Tensor(b, requires_grad=True)
    h = Tensor(x) @ weight
    value = softplus(h.data, b.data)
    y = record(
        value,
        (h, lambda grad: gradients(grad, h.data, b.data, value)[0]),
        (b, lambda grad: gradients(grad, h.data, b.data, value)[1]),
    )
    loss = (y * y).mean()
    loss.backward()
    return float(loss.data), weight.grad, b.grad
    ### END SOLUTION
