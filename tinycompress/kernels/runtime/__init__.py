"""How kernels run: variants (`dispatch`), compilation (`jit`, `cache`), threads and memory."""
