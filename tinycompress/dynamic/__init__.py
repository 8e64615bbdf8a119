"""Chapter 5: dynamic computation. As much of a net as an image needs, or as a budget allows.

net = add_exits(net, after=(3, 7), rng=rng)      depth: exits, trained together with JointLoss
EarlyExit(net, 0.9).run(images)                  leaves at the first exit that is sure enough, and computes no further
Slimmable(net, widths=(0.25, 0.5, 1.0))          width: one set of weights, any of several widths
best_within(settings, ms=0.5)                    budget: the depth and width that fit it, from a measured table
"""

from .budget import BudgetController, Setting, best_within, frontier, measure_settings
from .exits import EarlyExit, add_exits, certainty, confidence, exit_at
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
]
