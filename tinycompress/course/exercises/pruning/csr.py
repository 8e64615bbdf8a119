"""Only what is not zero: a sparse weight and its product (30 minutes, 6 points).

After pruning, most weights are zeros. Compressed sparse rows (CSR; Tinney & Walker 1967) store the others alone: row after
row, the values that are not zero and the column of each, and for each row where it starts among them.

    weight   0 5 0 0        values    5 7 8
             0 0 0 0        columns   1 0 3
             7 0 0 8        starts    0 1 1 3        row i has the values starts[i] to starts[i + 1] - 1

Each value now needs a column, too, and a processor likes long runs of neighbours better than jumps. So a sparse weight must
be rather empty before it takes fewer bytes, and emptier still before it saves time. Here a weight is (inputs, outputs), as
everywhere in this course, so a row holds what one input contributes to each neuron. Each function is given what the one
before should return.
"""

import numpy as np


def to_csr(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The values (dtype of the weight), columns (int32) and starts (int64, one more than there are rows) of a weight.

    weight: (inputs, outputs), of any dtype and share of zeros. Within a row, columns increase.
    """
    ### BEGIN SOLUTION
    rows, columns = np.nonzero(weight)
    starts = np.append(0, np.cumsum(np.bincount(rows, minlength=len(weight))))
    return weight[rows, columns], columns.astype(np.int32), starts.astype(np.int64)
    ### END SOLUTION


def csr_matmul(x: np.ndarray, values: np.ndarray, columns: np.ndarray, starts: np.ndarray, outputs: int) -> np.ndarray:
    """x @ weight, (batch, outputs), in the dtype of x, from the CSR form alone.

    x: (batch, inputs). The weight with all its zeros may be too large for any memory: never build it.
    """
    ### BEGIN SOLUTION
    row_of = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    y = np.zeros((outputs, len(x)), x.dtype)
    np.add.at(y, columns, (x[:, row_of] * values).T)
    return y.T
    ### END SOLUTION


def most_values(inputs: int, outputs: int, value_bytes: int, column_bytes: int, start_bytes: int) -> int:
    """The largest number of values for which the CSR form takes no more bytes than the weight with all its zeros.

    -1 if even a weight of zeros only takes more. A value takes `value_bytes` in both forms.
    """
    ### BEGIN SOLUTION
    spare = inputs * outputs * value_bytes - (inputs + 1) * start_bytes
    return max(-1, spare // (value_bytes + column_bytes))
    ### END SOLUTION
