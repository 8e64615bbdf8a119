"""The commands `claims`, which lists what the lecture claims and what its notes say, and `notebooks`, which writes it."""

import json

_CLAIMS = """\
List the lecture's claims: id, title, and statement. `tinycompress lecture ID` measures one of them.
With --notes, list the sentences of the notes instead, each with the claims that decide it.
"""


_NOTEBOOKS = """\
Write the lecture's notebooks into a new folder, with the report whose claims they show. Jupyter opens them, with sliders, if
it is installed (extra: notebooks). A report of your own in the subfolder `report` goes before the one that is written:

  tinycompress notebooks --out lecture && cd lecture
  tinycompress lecture P4          measures one claim again; the notebooks then show it
"""

DONE = 0


class BadArguments(Exception):
    """The arguments do not fit; the message says how to fix them."""


def add_commands(commands, form) -> None:
    """Add both commands to a parser's subcommands."""
    claims = commands.add_parser("claims", help="list the lecture's claims", description=_CLAIMS, formatter_class=form)
    claims.set_defaults(command=_claims, parser=claims)
    claims.add_argument("names", nargs="*", metavar="CHAPTER", help="chapters or claim ids; default: all chapters")
    claims.add_argument("--notes", action="store_true", help="list the sentences of the notes, and what decides each")
    claims.add_argument("--json", action="store_true", help="as JSON")

    notebooks = commands.add_parser(
        "notebooks", help="write the lecture's notebooks into a folder", description=_NOTEBOOKS, formatter_class=form
    )
    notebooks.set_defaults(command=_notebooks, parser=notebooks)
    notebooks.add_argument("--out", metavar="FOLDER", required=True, help="a new folder")
    notebooks.add_argument(
        "--language",
        choices=("en", "zh"),
        default="en",
        help="of text and figures: English, or Chinese without outputs",
    )


def chosen(names) -> list:
    """The claims with these names, or of these chapters; all without names. Raises BadArguments."""
    from ..lecture import claims

    try:
        return claims(names)
    except LookupError as error:
        raise BadArguments(error.args[0]) from error


def _claims(arguments) -> int:
    claims = chosen(arguments.names)
    if arguments.notes:
        _print_notes(claims, arguments.json)
    elif arguments.json:
        names = ("id", "chapter", "title", "statement", "timed", "source")
        print_json(
            [{name: getattr(claim, name) for name in names} | {"decides": list(claim.decides)} for claim in claims]
        )
    else:
        _print_claims(claims)
    return DONE


def _notebooks(arguments) -> int:
    from ..lecture.notebooks import hand_out

    try:
        files = hand_out(arguments.out, arguments.language)
    except (FileExistsError, FileNotFoundError, PermissionError) as error:
        raise BadArguments(
            f"--out {arguments.out}: {error.strerror}" if error.strerror else f"--out: {error}"
        ) from error
    print(f"{arguments.out}: {len(files)} notebooks; open them with: jupyter lab {arguments.out}")
    return DONE


def print_json(content) -> None:
    """Print it as a program reads it, in lines that a person can read, too."""
    print(json.dumps(content, ensure_ascii=False, indent=1))


def _print_claims(claims) -> None:
    import textwrap

    chapter = None
    for claim in claims:
        if claim.chapter != chapter:
            chapter = claim.chapter
            print(chapter)
        timed = " (timed)" if claim.timed else ""
        print(f"  {claim.id}  {claim.title}{timed}")
        print(textwrap.fill(claim.statement, 100, initial_indent=" " * 6, subsequent_indent=" " * 6))


def _print_notes(claims, as_json: bool) -> None:
    """Print each sentence of the notes that one of the claims decides, or, for the whole lecture, every sentence."""
    from ..lecture import CHAPTERS
    from ..lecture.notes import SENTENCES, where

    whole = {claim.chapter for claim in claims} == set(CHAPTERS)
    found = [s for s in SENTENCES.values() if whole or any(s.id in claim.decides for claim in claims)]
    if as_json:
        print_json([{"id": s.id, "text": s.text, "english": s.english, "where": where(s)} for s in found])
        return
    for sentence in found:
        print(f"{sentence.id:>3}  {sentence.english}")
        if sentence.text:
            print(f"     {sentence.text}")
        print(f"     → {where(sentence)}")
