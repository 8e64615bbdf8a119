"""What a claim may find, unless its statement is exact."""

DECIDED = {"supported", "contradicted", "no difference", "not shown"}
DECIDED |= {f"not measured here: {why}" for why in ("no GPU", "nothing to compare")}  # the latter of plans cut short
