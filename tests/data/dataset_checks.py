"""What the tests of several sources of images look at."""

from collections import Counter


def pairs(*splits) -> Counter:
    """Every (image, label) of these splits, with how often it occurs."""
    return Counter((image.tobytes(), int(label)) for x, y in splits for image, label in zip(x, y, strict=True))


def message(error) -> str:
    text = str(error.value)
    assert "\n" not in text, "an error is one message"
    return text
