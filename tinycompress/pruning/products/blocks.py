"""Block-sparse times dense: a pruned dense layer whose zeros come in runs of 16 outputs, so that the rest fills
vector registers.

    y[b, o] = sum over i of x[b, i] * w[i, o]            w (in, out), mostly zero, x (batch, in), y (batch, out)

In CSR (`csr_matmul`) every weight costs an index, and a gather for a single multiplication. If 16 neighbouring outputs
keep or lose their weights to an input together, one index serves 16 weights, which fill one register of float32:

               outputs 0 .. 15     outputs 16 .. 31
    input 0    ################    ................         column of blocks 0:  inputs 0, 2     values (2, 16)
    input 1    ................    ################         column of blocks 1:  inputs 1        values (1, 16)
    input 2    ################    ................
    input 3    ................    ................         indptr [0, 2, 3], indices [0, 2, 1]

This is the CSR form of the blocks, one column of blocks after another (Gray et al., "GPU Kernels for Block-Sparse
Weights", 2017).
"""

import functools
from dataclasses import dataclass

import numpy as np

from ...kernels.runtime.dispatch import choose
from ...kernels.shapes import check, floats

BLOCK = 16
"""Outputs per block: one AVX-512 register of float32."""


@functools.cache
def _fast():
    from . import blocks_fast

    return blocks_fast


@dataclass(frozen=True, eq=False)
class BlockSparse:
    """Weights (in, out), stored as their nonzero blocks of 1 input x 16 outputs. See `pack_blocks`.

    Block k, for indptr[j] <= k < indptr[j+1], holds the weights values[k] of input indices[k] to the outputs 16*j ..
    16*j+15. Raises ValueError if these do not fit together, so no kernel ever reads out of bounds.
    """

    indptr: np.ndarray  # int32 (columns of blocks + 1,)
    indices: np.ndarray  # int32 (blocks,)
    values: np.ndarray  # float32 or float64 (blocks, 16)
    shape: tuple[int, int]  # (in, out)

    def __post_init__(self):
        inputs, outputs = self.shape
        check(
            len(self.indptr) == -(-outputs // BLOCK) + 1
            and self.indptr[0] == 0
            and self.indptr[-1] == len(self.indices)
            and not np.any(np.diff(self.indptr) < 0),
            f"indptr should rise from 0 to the number of blocks, {len(self.indices)}, in one step per {BLOCK} "
            f"of the {outputs} outputs",
        )
        check(
            self.values.shape == (len(self.indices), BLOCK),
            f"{len(self.indices)} blocks have values of shape {(len(self.indices), BLOCK)}, not {self.values.shape}",
        )
        check(
            not len(self.indices) or (self.indices.min() >= 0 and self.indices.max() < inputs),
            f"the indices should number the {inputs} inputs, from 0 to {inputs - 1}",
        )

    @property
    def nbytes(self):
        """Bytes in memory."""
        return self.indptr.nbytes + self.indices.nbytes + self.values.nbytes


def pack_blocks(w):
    """Pack weights (in, out), float32 or float64, as `BlockSparse`. The last blocks are padded with zeros."""
    (w,) = floats(w=w)
    check(w.ndim == 2, f"w should be (in, out), but has the shape {w.shape}")
    inputs, outputs = w.shape
    columns = -(-outputs // BLOCK)
    padded = np.zeros((inputs, columns * BLOCK), w.dtype)
    padded[:, :outputs] = w
    blocks = padded.reshape(inputs, columns, BLOCK).transpose(1, 0, 2)
    kept = blocks.any(axis=2)
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    return BlockSparse(indptr, np.nonzero(kept)[1].astype(np.int32), blocks[kept], (inputs, outputs))


def block_sparse_matmul(x, w):
    """Multiply x (batch, in) by w, a `BlockSparse` of the same float type: (batch, out).

    Raises TypeError or ValueError if they do not fit.
    """
    x, _ = floats(x=x, w=w.values)
    check(
        x.ndim == 2 and x.shape[1] == w.shape[0],
        f"x should be (batch, {w.shape[0]}), but has the shape {x.shape}",
    )
    return kernel()(x, w)


def kernel():
    """The active variant of `block_sparse_matmul`, without its checks."""
    return choose(matmul_loop, matmul_numpy, lambda: _fast().block_sparse_matmul)


def matmul_loop(x, w):
    batch, outputs = len(x), w.shape[1]
    y = np.zeros((batch, outputs), x.dtype)
    for j in range(len(w.indptr) - 1):
        for k in range(w.indptr[j], w.indptr[j + 1]):
            i = w.indices[k]
            for o in range(min(BLOCK, outputs - j * BLOCK)):
                for b in range(batch):
                    y[b, j * BLOCK + o] += x[b, i] * w.values[k, o]
    return y


def matmul_numpy(x, w):
    y = np.empty((len(x), (len(w.indptr) - 1) * BLOCK), x.dtype)
    for j in range(len(w.indptr) - 1):
        blocks = slice(w.indptr[j], w.indptr[j + 1])
        y[:, j * BLOCK : (j + 1) * BLOCK] = x[:, w.indices[blocks]] @ w.values[blocks]
    return np.ascontiguousarray(y[:, : w.shape[1]])
