"""Your own sparse layer.

Make a weight of {inputs} inputs and {outputs} outputs: `numpy.random.default_rng({seed}).normal(size=({inputs}, {outputs}))`.
Set to zero all its values that are smaller in size than {percent} hundredths. A value takes 4 bytes, a column 2 and a start 8.
How many values does your `most_values` allow such a weight to have in CSR form, minus how many it really has? The answer is
negative if CSR does not pay yet.
"""

import numpy as np

POINTS = 2
NUMBERS = {
    "inputs": range(200, 800),
    "outputs": range(100, 400),
    "seed": range(1000, 10_000),
    "percent": range(20, 160),
}


def answer(exercise, inputs, outputs, seed, percent):
    """An exact whole number."""
    weight = np.random.default_rng(seed).normal(size=(inputs, outputs))
    weight[np.abs(weight) < percent / 100] = 0
    values, _, _ = exercise.to_csr(weight)
    return exercise.most_values(inputs, outputs, 4, 2, 8) - len(values)
