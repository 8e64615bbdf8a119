"""Completion, typed into real shells: Tab completes what the command line accepts, and nothing else."""

import contextlib
import io
import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest
from waiting import LONG

from tinycompress.cli import main
from tinycompress.course.exercise import find_exercises
from tinycompress.lecture import claims

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shells of Unix")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The scripts, and a folder with a few files to complete."""
    folder = tmp_path_factory.mktemp("completion")
    for shell in "bash", "zsh", "fish":
        (folder / f"script.{shell}").write_text(printed("completion", shell), encoding="utf-8")
    (folder / "a net.tcz").write_text("")
    (folder / "handed").mkdir()
    (folder / "handy.txt").write_text("")
    return folder


def printed(*arguments):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main(list(arguments)) == 0
    return output.getvalue()


def shell(name, *arguments):
    """Skip where there is no such shell; else how to start it without anybody's settings."""
    return [shutil.which(name) or pytest.skip(f"no {name}"), *arguments]


def typed(command, setup, text, folder):
    """What a terminal makes of `text` and Tab: the words of the line, as the shell then reads them."""
    import pty

    process, terminal = pty.fork()
    if process == 0:
        os.chdir(folder)
        os.execvpe(command[0], command, {**os.environ, "TERM": "dumb", "PS1": "", "LC_ALL": "C.UTF-8"})
    try:
        os.write(terminal, f"{setup}; echo rea''dy\n".encode())
        until(terminal, rb"ready\r?\n")
        os.write(terminal, f"{text}\t".encode())
        os.write(terminal, b"\x01printf '<%s>' \x05 ; echo do''ne\n")  # to the line's start, and to its end
        shown = until(terminal, rb"done\r?\n")
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        os.close(terminal)
    (words,) = re.findall(r"\n((?:<[^>]*>)+)done", shown.decode(errors="replace"))
    return [word.rstrip("/") for word in re.findall(r"<(.*?)>", words)]  # zsh takes back the slash before a space


def until(terminal, pattern):
    """All that the terminal shows until this is there."""
    shown, end = b"", time.monotonic() + LONG
    while not re.search(pattern, shown):
        assert time.monotonic() < end and select.select([terminal], [], [], LONG)[0], shown
        shown += os.read(terminal, 4096)
    return shown


CASES = {
    "lec": ["lecture"],
    "lecture --bud": ["lecture", "--budget"],
    "lecture --budget fu": ["lecture", "--budget", "full"],
    "lecture --budget=fu": ["lecture", "--budget=full"],
    "lecture quanti": ["lecture", "quantization"],
    "course rel": ["course", "release"],
    "course test pruning/n_": ["course", "test", "pruning/n_of_m"],
    "course export --out x grade": ["course", "export", "--out", "x", "gradescope"],
    "compress sep": ["compress", "separable_net"],
    "run --data fash": ["run", "--data", "fashion_mnist"],
    "inspect a": ["inspect", "a net.tcz"],
    "lecture --out hand": ["lecture", "--out", "handed"],
    "lecture --seeds handy": ["lecture", "--seeds", "handy"],  # a number comes here, so nothing is offered
}


@pytest.mark.parametrize("text", CASES)
def test_bash_completes(folder, text):
    command = shell("bash", "--norc", "--noprofile", "-i")
    assert typed(command, "source ./script.bash", f"tinycompress {text}", folder)[1:] == CASES[text]


@pytest.mark.parametrize("text", CASES)
def test_zsh_completes(folder, text):
    command = shell("zsh", "-f", "-i")
    setup = "bindkey -e; autoload -Uz compinit; compinit -u -D; source ./script.zsh"
    assert typed(command, setup, f"tinycompress {text}", folder)[1:] == CASES[text]


@pytest.mark.parametrize("text", CASES)
def test_fish_completes(folder, text):
    program = 'source ./script.fish; complete -C "tinycompress $argv"'
    command = shell("fish", "--no-config", "-c", program, text)
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = [] if "handy" in text else CASES[text][-1:]
    assert [line.split("\t")[0].replace("\\ ", " ").rstrip("/") for line in found] == expected


def offered(folder, lines):
    """What bash offers for each of these lines, in one process."""
    program = """
        source ./script.bash
        while read -r -a COMP_WORDS; do
            COMP_WORDS=(tinycompress "${COMP_WORDS[@]}")
            if [[ ${COMP_WORDS[-1]} == NOTHING ]]; then COMP_WORDS[-1]=; fi
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _tinycompress
            echo "${COMPREPLY[@]}"
        done"""
    command = shell("bash", "-c", program)
    text = "\n".join(lines) + "\n"
    done = subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_every_command_and_option_that_help_shows_is_offered(folder):
    def below(command):
        _, _, listed = printed(*command, "--help").partition("\ncommands:\n")
        return re.findall(r"^ {4}([a-z][a-z-]*)(?: |$)", listed, re.MULTILINE)

    groups = [[group, name] for group in ("course", "challenge") for name in below([group])]
    paths = [[], *([name] for name in below([])), *groups]
    assert len(paths) > 15
    for path, options in zip(paths, offered(folder, [" ".join([*path, "-"]) for path in paths]), strict=True):
        usage = printed(*path, "--help").partition("\n\n")[0]
        assert options == {*re.findall(r"(?<![\w-])--?[a-z][a-z-]*", usage), "--help"}, path
    for path, words in zip(paths, offered(folder, [" ".join([*path, "NOTHING"]) for path in paths]), strict=True):
        assert set(below(path)) <= words, path


def test_every_claim_and_exercise_is_offered(folder):
    of_claims, of_exercises = offered(folder, ["lecture NOTHING", "course check NOTHING"])
    assert {claim.id for claim in claims()} | {claim.chapter for claim in claims()} == of_claims
    assert {exercise.id for exercise in find_exercises()} | {e.chapter for e in find_exercises()} == of_exercises


def test_descriptions_are_shown_by_fish_and_zsh(folder):
    title = next(claim.title for claim in claims() if claim.id == "P4")
    assert f"-a 'P4' -d '{title}'" in (folder / "script.fish").read_text(encoding="utf-8")
    assert f"'P4:{title}'" in (folder / "script.zsh").read_text(encoding="utf-8")
