"""What a claim may find, unless its statement is exact; whether its findings know their test images; and whether it is drawn."""

import numpy as np

from tinycompress.lecture.images.shares import WITHOUT

DECIDED = {"supported", "contradicted", "no difference", "not shown"}
DECIDED |= {f"not measured here: {why}" for why in ("no GPU", "nothing to compare")}  # the latter of plans cut short


def blind_to_images(claim, rows) -> list[str]:
    """The effects that count test images and stay the same with other images, since rows do not keep what they are made of."""
    rng = np.random.default_rng(0)
    others = []
    for row in rows:
        known = {key: np.array(values[0], float) for key, values in row.get(WITHOUT, {}).items()}
        others.append(row | {key: (value + rng.uniform(-5, 5, value.shape)).tolist() for key, value in known.items()})
    counting = [effect for effect in claim.effects if effect.tested_on != "none"]
    found = [(effect.name, effect.of(rows), effect.of(others)) for effect in counting]
    return [name for name, values, moved in found if len(values) and np.allclose(values, moved)]


def well_drawn(figure) -> bool:
    """Whether all data of the figure lie at finite places."""
    return bool(figure.axes) and all(np.isfinite(ax.dataLim.bounds).all() for ax in figure.axes if ax.has_data())
