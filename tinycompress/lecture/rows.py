"""Functions of a claim's rows, which are plain dictionaries."""

import numpy as np


def paired(rows: list[dict], arm: str, baseline: str, value: str, by: str = "seed", **where) -> list[float]:
    """Per seed, the mean of `value` over the rows of `arm` minus that of `baseline`.

    where: field=test keeps only rows for whose field test(row[field]) is true.
    """
    differences = []
    for key in sorted({row[by] for row in rows}):
        chosen = [row for row in rows if row[by] == key and all(test(row[name]) for name, test in where.items())]
        means = [np.mean([row[value] for row in chosen if row["arm"] == a]) for a in (arm, baseline)]
        differences.append(float(means[0] - means[1]))
    return differences
