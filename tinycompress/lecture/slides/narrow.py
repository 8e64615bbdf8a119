"""Source code for a slide: at most 80 columns, in parts of at most 15 lines.

narrow("total = first_long_name(…, …)")      # the same program, broken within its brackets
parts(source)                                # its lines, divided where a statement begins
"""

import ast
import io
import itertools
import re
import textwrap
import tokenize
from collections.abc import Iterator

COLUMNS, LINES = 80, 15
LONGEST = 64  # columns of a string
DEEPEST = 44  # columns before a continued line; beyond, it is indented by 8 instead of below its bracket
OPENS, CLOSES = set("([{"), set(")]}")
BINDS = ("if else for", "and or", "== < > <= >=", "+ - | &", "* / // @")  # from the loosest to the tightest
BEFORE = {word: 0.1 + 0.1 * place for place, words in enumerate(BINDS) for word in words.split()}
"""The words before which a line may be broken, each with its rank; a comma has 0, and the lowest is taken."""
TOGETHER = {"for": "in", "lambda": ":"}  # what stands between them is broken last


def narrow(source: str, columns: int = COLUMNS) -> str:
    """The same program in lines of at most `columns`, as far as its brackets allow; as it is if it fits.

    Statements are broken after commas and before operators, the outermost ones first. Comments behind code move above it, and
    comments and docstrings are filled.
    """
    source = textwrap.dedent(source)
    lines = source.splitlines()
    if all(len(line) <= columns for line in lines) and len(lines) <= LINES:
        return source
    found: list[str] = []
    for tokens in _statements(source):
        found += _narrowed(tokens, lines, columns)
    result = "\n".join(found) + "\n" * source.endswith("\n")
    return result if _meaning(result) == _meaning(source) else source


def parts(source: str, most: int = LINES) -> list[str]:
    """The source in as few parts of at most `most` lines as there can be, each from the beginning of a statement on.

    Of the lines where a part may begin, one with a small indentation is taken, and then one that makes the parts alike.
    """
    lines = source.strip("\n").splitlines()
    starts = [tokens[0].start[0] - 1 for tokens in _statements("\n".join(lines)) if tokens[0].string.strip()]
    found, begin = [], 0
    while len(lines) - begin > most:
        count = -(-(len(lines) - begin) // most)
        within = [at for at in starts if begin < at <= begin + most]
        enough = [at for at in within if len(lines) - at <= most * (count - 1)]
        ideal = begin + (len(lines) - begin) / count
        key = lambda at: (_indentation(lines[at]), abs(at - ideal))  # noqa: B023, E731
        cut = min(enough or within[-1:], key=key, default=begin + most)
        found.append("\n".join(lines[begin:cut]).rstrip())
        begin = cut
    return [*found, "\n".join(lines[begin:])]


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _meaning(source: str) -> str:
    """The program without its layout: how its docstrings are filled does not count."""
    tree = ast.parse(textwrap.dedent(source))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = " ".join(node.value.split())
    return ast.dump(tree)


def _statements(source: str) -> Iterator[list[tokenize.TokenInfo]]:
    """The tokens of each statement, of its first line if it has a body; comments and empty lines stand alone."""
    tokens: list[tokenize.TokenInfo] = []
    skipped = {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in skipped:
            continue
        tokens.append(token)
        alone = all(t.type in (tokenize.COMMENT, tokenize.NL) for t in tokens)
        if token.type == tokenize.NEWLINE or (token.type == tokenize.NL and alone):
            yield tokens
            tokens = []


def _narrowed(tokens: list[tokenize.TokenInfo], lines: list[str], columns: int) -> list[str]:
    first, last = tokens[0].start[0] - 1, tokens[-1].start[0]
    there = lines[first:last]
    if all(len(line) <= columns for line in there) and (len(there) == 1 or tokens[0].type == tokenize.STRING):
        return there
    indent = " " * _indentation(there[0])
    comments = [token for token in tokens if token.type == tokenize.COMMENT]
    if comments and len(there) > 1:  # they explain parts of the statement
        return there
    words = [token for token in tokens if token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE)]
    above = [line for comment in comments for line in _filled(comment.string.lstrip("# "), indent + "# ", columns)]
    if len(words) == 1 and words[0].type == tokenize.STRING:
        quotes = words[0].string[:3]
        text = words[0].string[3:-3].strip()
        paragraphs = [_filled(" ".join(part.split()), indent, columns - 3) for part in text.split("\n\n")]
        whole = "\n\n".join("\n".join(part) for part in paragraphs).lstrip()
        return (indent + quotes + whole + quotes).split("\n")
    return above + (
        _broken(_divided(_enclosed(_pieces(words), columns - len(indent))), indent, columns) if words else []
    )


def _filled(text: str, prefix: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent=prefix, subsequent_indent=prefix)


def _pieces(tokens: list[tokenize.TokenInfo]) -> list[tuple[str, bool]]:
    """(text, whether a space stands before it) of each token, as if the statement stood on one line. An f-string is one."""
    found: list[tuple[str, bool]] = []
    before, depth = None, 0
    for token, after in itertools.zip_longest(tokens, tokens[1:]):
        name = tokenize.tok_name[token.type]
        wraps = before is not None and token.start[0] != before.end[0]
        gap = wraps and before.string not in OPENS and token.string not in CLOSES
        gap = gap or (before is not None and not wraps and token.start[1] > before.end[1])
        before = token
        if depth:
            found[-1] = (found[-1][0] + " " * gap + token.string, found[-1][1])
        elif not (token.string == "," and after and after.string in CLOSES and after.start[0] != token.start[0]):
            found.append((token.string, gap))
        depth += (name == "FSTRING_START") - (name == "FSTRING_END")
    return found


def _enclosed(pieces: list[tuple[str, bool]], columns: int) -> list[tuple[str, bool]]:
    """The statement with brackets around its value, if that is an operation, or several values, that stand in none."""
    texts = [text for text, _ in pieces]
    depths = list(itertools.accumulate((text in OPENS) - (text in CLOSES) for text in texts))
    outside = [text if depth == 0 else "" for text, depth in zip(texts, depths, strict=True)]
    imports = texts[0] == "from" and "(" not in texts
    if imports or texts[0] == "return":
        begin = texts.index("import" if imports else "return") + 1
    else:
        begin = max((i + 1 for i, text in enumerate(outside) if text == "=" and "lambda" not in outside[:i]), default=0)
    bare = imports or any(text in BEFORE or text == "," for text in outside[begin:])
    if not begin or not bare or len(_broken(pieces, "", 10**6)[0]) <= columns:
        return pieces
    return [*pieces[:begin], ("(", True), (texts[begin], False), *pieces[begin + 1 :], (")", False)]


def _divided(pieces: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """The pieces, with two literals for each long one that stands in brackets and has a space outside of its braces."""
    found, depth = [], 0
    for text, gap in pieces:
        depth += (text in OPENS) - (text in CLOSES)
        literal = re.fullmatch(r"""(f?)(["'])(.*)\2""", text) if depth and len(text) > LONGEST else None
        if literal and (at := _last_space(text[:LONGEST])) > 10:
            prefix, quote = literal[1], literal[2]
            rest = _divided([("(", False), (prefix + quote + text[at:], True)])[1:]
            found += [(text[:at] + quote, gap), *rest]
        else:
            found.append((text, gap))
    return found


def _last_space(text: str) -> int:
    """The place behind the last space outside of braces."""
    depths = list(itertools.accumulate((letter == "{") - (letter == "}") for letter in text))
    return max((i + 1 for i, letter in enumerate(text) if letter == " " and depths[i] == 0), default=0)


def _broken(pieces: list[tuple[str, bool]], indent: str, columns: int) -> list[str]:
    """The statement's lines."""
    found, brackets = [], []  # brackets: the column behind each one that is open
    line, places = indent, []  # places: where the line may be broken, as (rank, columns, pieces, brackets open there)
    together = _together(pieces)
    at = begin = 0
    while at < len(pieces):
        text, gap = pieces[at]
        line += " " * (gap and at > begin) + text
        if len(line) > columns and places:
            _, column, begin, brackets = min(places, key=lambda place: (place[0], -place[1]))
            found.append(line[:column].rstrip())
            if found[-1][-1] in OPENS:
                brackets = [*brackets[:-1], _indentation(found[-1]) + 4]
            deep = brackets[-1] if brackets[-1] <= DEEPEST else len(indent) + 8
            brackets = [*brackets[:-1], deep]
            line, places, at = " " * deep, [], begin
            continue
        if text in OPENS:
            brackets = [*brackets, len(line)]
        elif text in CLOSES:
            brackets = brackets[:-1]
        at += 1
        ahead, spaced = pieces[at] if at < len(pieces) else ("", False)
        literals = text[-1:] == ahead[-1:] and text[-1] in "\"'"
        operator = spaced and ahead in BEFORE
        if brackets and (text == "," or literals or operator or text in OPENS):
            rank = len(brackets) + (100 if text in OPENS else 0) + (0 if text == "," else BEFORE.get(ahead, 0.5))
            rank += 50 * together[at - 1]
            places.append((rank, len(line), at, brackets))
    return [*found, line]


def _together(pieces: list[tuple[str, bool]]) -> list[bool]:
    """Whether each piece belongs to the variables of a `for`, the parameters of a `lambda`, or a subscript."""
    found, ends, before = [], [], " "  # ends: of what is open, the word that closes it; "" for other brackets
    for text, gap in pieces:
        if text in CLOSES or (ends and text == ends[-1]):
            ends = ends[:-1]
        found.append(any(ends))
        if text in OPENS:
            subscript = text == "[" and not gap and (before[-1] in CLOSES or before[-1].isalnum())
            ends = [*ends, "]" if subscript else ""]
        elif text in TOGETHER:
            ends = [*ends, TOGETHER[text]]
        before = text
    return found
