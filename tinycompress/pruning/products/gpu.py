"""Products on a GPU, as loops in `numba.cuda`: a dense one in tiles, and that of a CSR matrix.

    dense_matmul(x, w, y)                       y (batch, out) = x (batch, in) @ w (in, out)
    csr_matmul(indptr, indices, values, x, y)   y (out, batch) = w.T, a CSR matrix (out, in), times x (in, batch)

A GPU runs a function, the kernel, in thousands of threads at once, and each thread computes one number of y. 32 threads, a
warp, go through the kernel in step. It is fast if neighbouring threads read neighbouring numbers, and if a block of threads
fetches what it needs several times only once, into its shared memory. A dense product is made for this. In CSR, every weight
has to say where its input lies; rows differ in length, so that a warp waits for its longest; and no tile can be shared, since
rows need different inputs.

Arrays are float32, with int32 indices, and lie on the GPU (`cuda.to_device`). Arrays of the CPU are copied there and back.
Nothing else of this package imports `numba.cuda`. Without a GPU, NUMBA_ENABLE_CUDASIM=1 runs the same loops in Python.
"""

from numba import cuda, float32

TILE = 16  # rows and columns of a tile; a block of threads has TILE x TILE of them
CSR_THREADS = 128  # per block


@cuda.jit
def dense_kernel(x, w, y):
    o, b = cuda.grid(2)  # this thread's number is y[b, o]
    column, row = cuda.threadIdx.x, cuda.threadIdx.y
    x_tile = cuda.shared.array((TILE, TILE), float32)
    w_tile = cuda.shared.array((TILE, TILE), float32)
    batch, inputs = x.shape
    outputs = w.shape[1]
    total = float32(0)
    for start in range(0, inputs, TILE):
        # Each thread fetches one number of either tile, and uses TILE of either.
        x_tile[row, column] = float32(0)
        w_tile[row, column] = float32(0)
        if b < batch and start + column < inputs:
            x_tile[row, column] = x[b, start + column]
        if start + row < inputs and o < outputs:
            w_tile[row, column] = w[start + row, o]
        cuda.syncthreads()  # until both tiles are complete
        for k in range(TILE):
            total += x_tile[row, k] * w_tile[k, column]
        cuda.syncthreads()  # until no thread needs them any more
    if b < batch and o < outputs:
        y[b, o] = total


@cuda.jit
def csr_kernel(indptr, indices, values, x, y):
    b, r = cuda.grid(2)  # this thread's number is y[r, b]
    if r < y.shape[0] and b < y.shape[1]:
        total = float32(0)
        for k in range(indptr[r], indptr[r + 1]):
            total += values[k] * x[indices[k], b]
        y[r, b] = total


def dense_matmul(x, w, y):
    """Write x (batch, in) @ w (in, out) into y (batch, out)."""
    batch, outputs = y.shape
    dense_kernel[(-(-outputs // TILE), -(-batch // TILE)), (TILE, TILE)](x, w, y)


def csr_matmul(indptr, indices, values, x, y):
    """Write the product of a CSR matrix (rows, cols) with x (cols, batch) into y (rows, batch)."""
    rows, batch = y.shape
    columns = min(32, batch)  # neighbouring threads: the same row, neighbouring columns of x
    high = CSR_THREADS // columns
    csr_kernel[(-(-batch // columns), -(-rows // high)), (columns, high)](indptr, indices, values, x, y)
