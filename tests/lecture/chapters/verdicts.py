"""What a claim may find, unless its statement is exact."""

DECIDED = {"supported", "contradicted", "no difference", "not shown", "not measured here: no GPU"}
