"""The command `completion`: a script with which bash, zsh or fish completes commands, options and names on Tab.

The script is made from the parser and holds all names, so that nothing is imported when somebody presses Tab. To complete
another kind of argument, give its metavar a line in `WORDS`, `FILES` or `FOLDERS`.
"""

import argparse
import itertools
import shlex
from dataclasses import dataclass

from .files import NETS

_COMPLETION = """\
Print a script with which your shell completes commands, options, claims, exercises and files on Tab. New shells read it from:

  bash   tinycompress completion bash > ~/.local/share/bash-completion/completions/tinycompress
  zsh    tinycompress completion zsh > ~/.zfunc/_tinycompress
         (in ~/.zshrc: fpath+=~/.zfunc; autoload -Uz compinit; compinit)
  fish   tinycompress completion fish > ~/.config/fish/completions/tinycompress.fish

The folder must exist (mkdir -p). For the shell you are in, also without the package bash-completion:
source <(tinycompress completion bash), or: tinycompress completion fish | source
"""

DONE = 0


def _claims() -> dict[str, str]:
    from ..lecture import CHAPTERS, claims

    return dict.fromkeys(CHAPTERS, "a chapter") | {claim.id: claim.title for claim in claims()}


def _exercises() -> dict[str, str]:
    from ..course.exercise import find_exercises

    found = find_exercises()
    return {exercise.chapter: "a chapter" for exercise in found} | {exercise.id: exercise.title() for exercise in found}


def _suites() -> dict[str, str]:
    from ..bench import MODULES

    return dict.fromkeys(MODULES, "")


def _data() -> dict[str, str]:
    from ..data import SOURCES

    return dict.fromkeys(SOURCES, "")


WORDS = {
    "CHAPTER": _claims,
    "EXERCISE": _exercises,
    "MODEL": lambda: dict.fromkeys(NETS, ""),
    "NAME": _exercises,
    "NAME|FILE": _data,
    "SUITE": _suites,
}
FILES = ("FILE", "IMAGE", "MODEL", "NAME|FILE", "PATH")
FOLDERS = ("DIR", "FOLDER")


@dataclass(frozen=True)
class Place:
    """What can come next: words with what they mean ("" if they speak for themselves), names of files, or of folders.

    command: the commands so far, such as "course grade"; option: the options whose value comes next, none for a positional.
    """

    command: str
    option: tuple[str, ...]
    words: dict[str, str]
    files: bool = False
    folders: bool = False


def add_commands(commands, form, whole: argparse.ArgumentParser) -> None:
    """Add the command to the subcommands of the parser `whole`, which it completes."""
    parser = commands.add_parser(
        "completion",
        help="print a script by which a shell completes all this on Tab",
        description=_COMPLETION,
        formatter_class=form,
    )
    parser.set_defaults(command=lambda arguments: _print(SCRIPTS[arguments.shell](places(whole))), parser=parser)
    parser.add_argument("shell", choices=SCRIPTS, metavar="SHELL", help=f"one of {', '.join(SCRIPTS)}")


def _print(script: str) -> int:
    print(script, end="")
    return DONE


def places(parser: argparse.ArgumentParser, command: str = "") -> list[Place]:
    """What a parser and its subcommands accept, place by place; of each command, the place of its positionals comes first."""
    positional = Place(command, (), {})
    options, below = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            about = {choice.dest: choice.help.replace("%%", "%") for choice in action._choices_actions}
            positional = _joined(positional, Place(command, (), about))
            for name, subparser in action.choices.items():
                below += places(subparser, f"{command} {name}".strip())
        elif not action.option_strings:
            positional = _joined(positional, _place(command, action))
        else:
            about = " ".join((action.help or "").replace("%%", "%").split())
            positional.words.update(dict.fromkeys(action.option_strings, about))
            options += [_place(command, action)] if action.nargs != 0 else []
    return [positional, *options, *below]


def _place(command: str, action: argparse.Action) -> Place:
    """What one argument accepts: its choices, or what its metavar stands for."""
    kind = action.metavar
    words = dict.fromkeys(map(str, action.choices), "") if action.choices else WORDS.get(kind, dict)()
    return Place(command, tuple(action.option_strings), words, kind in FILES, kind in FOLDERS)


def _joined(one: Place, two: Place) -> Place:
    words = one.words | two.words
    return Place(one.command, (), words, one.files or two.files, one.folders or two.folders)


def _commands(found: list[Place]) -> list[str]:
    return [place.command for place in found if place.command and not place.option]


def _cases(found: list[Place], line) -> str:
    """The `case` of bash and zsh: line(place) at each place; a place is "command:option", then "command:anything"."""
    lines = []
    for place in sorted(found, key=lambda place: not place.option):
        patterns = [f"{place.command}:{option}" for option in place.option]
        pattern = " | ".join(map(shlex.quote, patterns)) or shlex.quote(f"{place.command}:") + "*"
        lines.append(f"        {pattern}) {line(place)} ;;")
    return "\n".join(lines)


_BASH = """\
# Completion of tinycompress {version} for bash, made by: tinycompress completion bash
_tinycompress() {{
    local words=() kind= command= current before word i
    current=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    if [[ $current == = ]]; then current=; # --option=value comes as three words
    elif [[ $before == = ]]; then before=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{command:+$command }}${{COMP_WORDS[i]}}"
        case $word in {commands}) command=$word ;; esac
    done
    case "$command:$before" in
{cases}
    esac
    COMPREPLY=()
    for word in "${{words[@]}}"; do
        if [[ $word == "$current"* && ($word != -* || $current == -*) ]]; then COMPREPLY+=("$word"); fi
    done
    if [[ -n $kind && $current != -* ]]; then
        if [[ ${{#COMPREPLY[@]}} == 0 ]]; then compopt -o filenames 2>/dev/null; fi
        while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -A "$kind" -- "$current")
    fi
}}
complete -F _tinycompress tinycompress
"""


def bash(found: list[Place]) -> str:
    """The script for bash, from version 3.2, which macOS has."""
    from .. import __version__

    def line(place):
        words = f"words=({' '.join(map(shlex.quote, place.words))})"
        return words + _kind(place, files=" kind=file", folders=" kind=directory")

    commands = " | ".join(map(shlex.quote, _commands(found)))
    return _BASH.format(version=__version__, commands=commands, cases=_cases(found, line))


_ZSH = """\
#compdef tinycompress
# Completion of tinycompress {version} for zsh, made by: tinycompress completion zsh
_tinycompress() {{
    local kind= command= current=${{words[CURRENT]}} before=${{words[CURRENT - 1]}} word
    local -a found commands=({commands})
    for word in "${{(@)words[2,CURRENT - 1]}}"; do
        word="${{command:+$command }}$word"
        if (( ${{commands[(Ie)$word]}} )); then command=$word; fi
    done
    if [[ $current == --*=* ]]; then before=${{current%%=*}}; compset -P '*='; current=; fi
    case "$command:$before" in
{cases}
    esac
    if [[ $current == -* ]]; then found=(${{(M)found:#-*}}); kind=; else found=(${{found:#-*}}); fi
    if (( $#found )); then _describe -V argument found; fi
    if [[ $kind == files ]]; then _files; elif [[ $kind == folders ]]; then _files -/; fi
}}
if [[ $funcstack[1] == _tinycompress ]]; then _tinycompress; else compdef _tinycompress tinycompress; fi
"""


def zsh(found: list[Place]) -> str:
    """The script for zsh, to be found in `fpath`, or sourced after `compinit`."""
    from .. import __version__

    def line(place):
        pairs = (word.replace(":", "\\:") + (f":{about}" if about else "") for word, about in place.words.items())
        return f"found=({' '.join(map(shlex.quote, pairs))})" + _kind(
            place, files=" kind=files", folders=" kind=folders"
        )

    commands = " ".join(map(shlex.quote, _commands(found)))
    return _ZSH.format(version=__version__, commands=commands, cases=_cases(found, line))


_FISH = """\
# Completion of tinycompress {version} for fish, made by: tinycompress completion fish
function __tinycompress_at
    set -l command ''
    for word in (commandline -opc)[2..-1]
        set -l longer (string trim -- "$command $word")
        if contains -- $longer {commands}
            set command $longer
        end
    end
    test "$command" = "$argv"
end
complete -c tinycompress -f
"""


def fish(found: list[Place]) -> str:
    """The script for fish: a line per word and per option."""
    from .. import __version__

    values = {(place.command, option): place for place in found for option in place.option}
    lines = [_FISH.format(version=__version__, commands=" ".join(map(_fish_quote, _commands(found))))]
    for place in found:
        start = f"complete -c tinycompress -n {_fish_quote(f'__tinycompress_at {place.command}')}"
        if place.option:
            continue
        for about, group in itertools.groupby(place.words, key=place.words.get):
            words, options = [], []
            for word in group:
                (options if word.startswith("-") else words).append(word)
            said = f" -d {_fish_quote(about)}" if about else ""
            if words:
                lines.append(f"{start} -a {_fish_quote(' '.join(words))}{said}\n")
            if options:
                flags = " ".join(f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in options)
                value = values.get((place.command, options[0]))
                lines.append(f"{start} {flags}{_fish_value(value) if value else ''}{said}\n")
        if place.files or place.folders:
            lines.append(f"{start}{_kind(place, files=' -F', folders=_FISH_FOLDERS)}\n")
    return "".join(lines)


_FISH_FOLDERS = " -a '(__fish_complete_directories)'"


def _fish_value(place: Place) -> str:
    """How fish is told what value an option takes: files, or nothing but these words or folders."""
    words = f" -a {_fish_quote(' '.join(place.words))}" if place.words else ""
    return (" -r -F" if place.files else " -x") + words + _kind(place, files="", folders=_FISH_FOLDERS)


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _kind(place: Place, files: str, folders: str) -> str:
    return files if place.files else folders if place.folders else ""


SCRIPTS = {"bash": bash, "zsh": zsh, "fish": fish}
