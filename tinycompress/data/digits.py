"""UCI digits: 1,797 handwritten digits of 8x8 pixels with 17 grey levels (Alpaydin & Kaynak 1998)."""

from .dataset import Dataset, from_arrays, hold_out
from .source import Source

TEST_PERCENT, TEST_SEED = 25, 25  # scikit-learn's copy has no test split

SOURCE = Source(
    classes=tuple("0123456789"),
    mirrors=("https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",),
    licence="CC BY 4.0; scikit-learn's wheel brings a copy of its test images",
    citation="Alpaydin & Kaynak: Optical recognition of handwritten digits. UCI Machine Learning Repository, 1998",
)


def load() -> Dataset:
    """The digits in scikit-learn's wheel: no network. A quarter of every class becomes the test split."""
    from sklearn.datasets import load_digits

    source = load_digits()
    x, y = source.images / 16, source.target
    train, test = hold_out(y, TEST_PERCENT, TEST_SEED)
    return from_arrays("digits", x[train], y[train], x[test], y[test])
