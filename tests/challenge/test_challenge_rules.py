"""The rules in TOML: the template holds, and an error names the entry and what it should be."""

from datetime import datetime, timedelta, timezone

import pytest

from tinycompress.challenge.rules import MEASURES, new_rules, parse_rules, read_rules
from tinycompress.course.exercise import CourseProblem


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("data", ["digits", "mnist", "mine.npz"])
def test_the_template_is_valid_and_every_rule_in_it_can_be_switched_on(measure, data):
    text = new_rules(measure, data, public=data != "mine.npz")
    rules = parse_rules(text)
    assert rules.measure == measure and rules.secret_is_public == (data != "mine.npz")
    assert bool(rules.references) == (data == "mnist")
    assert str(rules.most_bytes or rules.least_accuracy * 100)[:2] in rules.goal().replace(",", "")
    on = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    on = on.replace("points_by_rank", "# points_by_rank")
    rules = parse_rules(on)
    assert rules.deadline == datetime(2027, 1, 31, 23, 59, tzinfo=timezone(timedelta(hours=1)))
    assert len(rules.points_by_value) == 3 and None not in (rules.most_multiplications, rules.least_accuracy)


@pytest.mark.parametrize(
    "line, words",
    [
        ("most_byte = 8192", "'most_byte' is not a rule; did you mean 'most_bytes'"),
        ("most_bytes = 0", "most_bytes should be a whole number from 1 to"),
        ("most_bytes = true", "most_bytes should be"),
        ("least_accuracy = 98.5", "should be a share above 0 and up to 1, such as 0.985; it is 98.5"),
        ("deadline = 2027-01-31T23:59:00", "with its offset"),
        ('deadline = "soon"', "without quotes"),
        ("leave_at = nan", "leave_at should be"),
        ("points_by_value = [[0.9]]", "list of pairs"),
        ("points_by_rank = [1]\npoints_by_value = [[0.9, 1]]", "not both"),
        ('measure = "byte"', "one of accuracy, bytes, multiplications"),
        ('measure = "bytes"', "need a least_accuracy"),
        ("title = 3", "title should be a text"),
        ("references = [{bytes = 3}]", "references should be tables"),
        ("late_days = -1", "0 or more"),
        ("oops", "is not TOML"),
    ],
)
def test_an_error_says_what_is_wrong(line, words):
    name = line.split(" ")[0]
    rest = {"title": 'title = "t"', "measure": 'measure = "accuracy"'}
    text = "\n".join([line, *(value for key, value in rest.items() if key != name)])
    with pytest.raises(CourseProblem) as error:
        parse_rules(text)
    assert words in str(error.value)


def test_an_error_names_the_file_or_the_command_that_makes_it(tmp_path):
    with pytest.raises(CourseProblem, match="challenge new"):
        read_rules(tmp_path)
    (tmp_path / "challenge.toml").write_text('title = "t"')
    with pytest.raises(CourseProblem, match="challenge.toml: it lacks measure"):
        read_rules(tmp_path)
