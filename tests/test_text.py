"""Aligned tables, and what an error suggests for a name that is not known."""

import pytest

from tinycompress.text import aligned, did_you_mean

KNOWN = ("digits", "mnist", "fashion_mnist", "P1b")


@pytest.mark.parametrize(("name", "meant"), [("mnsit", "mnist"), ("FashionMNIST", "fashion_mnist"), ("p1B", "P1b")])
def test_the_closest_name_is_suggested_as_it_is_written_whatever_the_case(name, meant):
    assert did_you_mean(name, KNOWN) == f"; did you mean '{meant}'?"


@pytest.mark.parametrize("known", [KNOWN, ()])
def test_nothing_is_suggested_for_a_name_like_no_other(known):
    assert did_you_mean("imagenet", known) == ""


def test_a_higher_cutoff_suggests_less():
    assert did_you_mean("digest", iter(KNOWN)) and not did_you_mean("digest", KNOWN, cutoff=0.9)


def test_columns_begin_or_end_at_the_same_place_and_a_heading_widens_none():
    lines = aligned([("net", "MACs"), ("a heading of its own",), ("Dense", "64")], right=[1])
    assert lines == ["net    MACs", "a heading of its own", "Dense    64"]
    assert aligned([]) == []
