"""Chapter 5: dynamic computation. Run only as much of a net as an image needs or a budget allows.

    depth            add_exits gives a net several exits (pooled_heads: for large images), JointLoss trains them together;
                     EarlyExit stops at the first sure one
    when to leave    confidence, certainty (by the entropy); choose_thresholds from an exit_table of validation data, for an
                     accuracy or a cost (mac_costs, ms_costs); exit_at: always leave at the same exit
    width            Slimmable: one set of weights, run at any of several widths
    budget           measure_settings, frontier, best_within(ms=…): the depth and width that fit; BudgetController follows
                     a changing budget

>>> import numpy as np
>>> from tinycompress import dynamic, models
>>> rng = np.random.default_rng(0)
>>> net = models.mlp((8, 8, 1), (32, 32, 32), 10, rng=rng)
>>> exits = dynamic.add_exits(net, after=(2, 4), rng=rng)  # after the first two hidden layers; the third exit is the end
>>> x = rng.standard_normal((6, 8, 8, 1)).astype(np.float32)
>>> leaves_at = lambda threshold: dynamic.EarlyExit(exits.eval(), threshold).eval().run(x)[1].tolist()
>>> leaves_at(0), leaves_at(1)  # at once, or never before the end
([0, 0, 0, 0, 0, 0], [2, 2, 2, 2, 2, 2])
>>> slim = dynamic.Slimmable(models.mlp((8, 8, 1), (32, 32), 10, rng=rng), widths=(0.5, 1.0))
>>> [slim.at(width).summary().parameters for width in slim.widths]
[1482, 3466]
"""

from ..text import names
from .budget import BudgetController, Setting, best_within, frontier, measure_settings
from .exits import EarlyExit, add_exits, certainty, confidence, exit_at, pooled_heads
from .joint import JointLoss
from .slimmable import Narrow, Slimmable
from .thresholds import Costs, ExitTable, choose_thresholds, exit_table, mac_costs, ms_costs

__all__ = [
    "BudgetController",
    "Costs",
    "EarlyExit",
    "ExitTable",
    "JointLoss",
    "Narrow",
    "Setting",
    "Slimmable",
    "add_exits",
    "best_within",
    "certainty",
    "choose_thresholds",
    "confidence",
    "exit_at",
    "exit_table",
    "frontier",
    "mac_costs",
    "measure_settings",
    "ms_costs",
    "pooled_heads",
]

names.answer()
