"""What is asked of a claim's rows: plain dictionaries of numbers."""

import numpy as np


def paired(rows: list[dict], arm: str, baseline: str, value: str, by: str = "seed", **where) -> list[float]:
    """For each seed, the mean of `value` over the rows of `arm` minus that of `baseline`, among rows that match `where`."""
    differences = []
    for key in sorted({row[by] for row in rows}):
        chosen = [row for row in rows if row[by] == key and all(test(row[name]) for name, test in where.items())]
        means = [np.mean([row[value] for row in chosen if row["arm"] == a]) for a in (arm, baseline)]
        differences.append(float(means[0] - means[1]))
    return differences
