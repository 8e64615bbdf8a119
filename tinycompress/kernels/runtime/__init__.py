"""How kernels run: which variant (`dispatch`), compiled how (`jit`, `cache`), on which threads, in what memory."""
