'''Questions to be answered in words, by a choice, or with the student's own numbers: `answers.md` of a hand-in.

`exercises/<chapter>/questions.toml` holds a chapter's questions. A written one is marked by hand, with its guide at hand:

    [[question]]
    id = "why_retrain"            # the heading in answers.md is then ## pruning/why_retrain
    title = "Why retrain at all"
    points = 3
    figure = "P1.png"             # optional: beside questions.toml, or in the lecture's figures/
    ask = """What students read."""
    guide = """What staff read: what earns how many points."""

One with options is marked by the program. Exactly one option is right; `why` explains, after grading, the one that was chosen:

    [[question.options]]
    text = "…"
    why = "…"
    right = true

`exercises/<chapter>/own_<name>.py` is a task with other numbers for every student, to be solved with the functions of the
exercise `<name>`; its answer is one number, which the program computes with the exercise's solution:

    """Your own layer.

    What students read; {rows} and {columns} stand for their numbers.
    """
    POINTS = 2
    NUMBERS = {"rows": range(100, 400), "columns": range(40, 90)}

    def answer(exercise, rows, columns):
        """Anything that the grader should know."""
        return exercise.most_values(rows, columns, 4, 4, 4)

A student's numbers follow from the student's id, as the roster or, without one, the name of the hand-in gives it: for each
name a hash of id, task and name picks one of NUMBERS. They are no secret, since students need them; so a task must ask for
more than one would look up. Numbers, not functions, differ: another student's code helps, but another student's answer does
not. All points of a chapter's questions together are one exercise of the gradebook, `<chapter>/questions`.
'''
