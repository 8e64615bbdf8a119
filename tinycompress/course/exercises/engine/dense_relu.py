"""A derivative by hand: a dense layer with its ReLU (15 minutes, 3 points).

In training, each layer is given the derivative of the loss by its outputs. From that it must compute the derivatives by
its inputs, weights and biases. For y = relu(x W + b) the chain rule gives them in three products. With the
pre-activations h = x W + b:

    dL/dh = dL/dy where h > 0, else 0          (at h = 0 the derivative of the ReLU counts as 0)
    dL/dW, dL/db and dL/dx follow from h = x W + b

One example with two inputs and two neurons, to check by hand:

    x = [1, 2]   W = [[1, -1], [1, 0]]   b = [0, 0.5]      h = [3, -0.5]   y = [3, 0]
    dL/dy = [10, 100]                                      dL/dW = [[10, 0], [20, 0]]   dL/db = [10, 0]   dL/dx = [10, 10]

The backward pass gets y rather than h, since y is what the next layer reads, so that training stores it anyway.
"""

import numpy as np


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """relu(x W + b). x: (batch, inputs); weight: (inputs, outputs); bias: (outputs,). Returns (batch, outputs)."""
    ### BEGIN SOLUTION
    return np.maximum(x @ weight + bias, 0)
    ### END SOLUTION


def backward(grad: np.ndarray, x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> tuple:
    """The derivatives of the loss by x, weight and bias.

    grad: dL/dy, (batch, outputs); y: the layer's output, (batch, outputs). The loss is one number for the whole batch.
    Returns (dL/dx, dL/dweight, dL/dbias), with the shapes of x, weight and bias. No argument may be changed.
    """
    ### BEGIN SOLUTION
    grad = grad * (y > 0)
    return grad @ weight.T, x.T @ grad, grad.sum(0)
    ### END SOLUTION
