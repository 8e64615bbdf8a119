"""`course check` for questions: what can be wrong although they can be read."""

from collections import Counter

from .question import LETTERS, QuestionSet, is_right

STUDENTS = [f"student {i}" for i in range(30)]
MOST_SHARED = 0.05  # of all pairs of students may have the same answer


def check_questions(found: QuestionSet) -> list[str]:
    """The faults: answers that many students share, options that are the same, the right one always at the same place."""
    faults = []
    for question in found.questions:
        if question.own:
            faults += _of_own(question)
        texts = [" ".join(option.text.split()).casefold() for option in question.options]
        faults += [f"{question.id}: two options are the same: {t}" for t, count in Counter(texts).items() if count > 1]
    places = [
        LETTERS[[option.right for option in question.options].index(True)]
        for question in found.questions
        if question.options
    ]
    if len(places) > 2 and len(set(places)) == 1:
        faults.append(f"the right option is always {places[0]}; move some, so that it cannot be guessed")
    return faults


def _of_own(question) -> list[str]:
    answers = [question.own.right(student) for student in STUDENTS]
    pairs = [(a, b) for i, a in enumerate(answers) for b in answers[:i]]
    shared = sum(is_right(float(a), b) for a, b in pairs) / len(pairs)
    if shared <= MOST_SHARED:
        return []
    return [
        f"{question.id}: {shared:.0%} of all pairs of students have the same answer; give NUMBERS more to choose from"
    ]
