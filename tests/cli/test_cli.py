"""The command line: what it writes, what it says in one line, and the code it ends with."""

import contextlib
import importlib
import io
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from dataclasses import replace

import fake_chapter
import numpy as np
import pytest
from other_machines import full_disk
from waiting import LONG, wait_for
from windows import become_windows

import tinycompress
from tinycompress import cli as cli_module
from tinycompress import lecture
from tinycompress.cli import main
from tinycompress.lecture import report
from tinycompress.workshop import executors


@pytest.fixture(autouse=True)
def fake_lecture(monkeypatch):
    monkeypatch.setattr(lecture, "CHAPTERS", {"fake": "fake_chapter"})
    monkeypatch.setattr(report, "draw", lambda result: (b"<svg/>", b"png"))


@pytest.fixture
def cli(tmp_path, capsys):
    """Run a command; gives its exit code, its output and its error output. Reports go to tmp_path."""

    def run(*arguments):
        if arguments[:1] == ("lecture",) and "--help" not in arguments:
            arguments = ("lecture", "--out", str(tmp_path), "--workers", "1", "--seeds", "3", *arguments[1:])
        code = main(list(arguments))
        return code, *capsys.readouterr()

    return run


def report_of(folder):
    return json.loads((folder / "claims.json").read_text(encoding="utf-8"))


def test_a_run_ends_with_0_its_table_and_its_files_whatever_the_verdicts(cli, tmp_path):
    code, out, _ = cli("lecture", "fake")
    assert code == 0
    verdicts = {claim["id"]: claim["findings"][0]["verdict"] for claim in report_of(tmp_path)["claims"]}
    assert verdicts == {"F1": "supported", "F2": "contradicted", "F3": "supported", "F4": "exact"}
    assert all(verdict in out for verdict in verdicts.values()) and str(tmp_path / "index.html") in out
    files = {f"{claim_id}.{kind}" for claim_id in verdicts for kind in ("svg", "png")}
    assert {path.name for path in tmp_path.iterdir()} == files | {"claims.json", "index.html"}


def test_the_arguments_reach_the_settings(cli, tmp_path):
    assert (
        cli(
            "lecture",
            "F4",
            "--budget",
            "full",
            "--seeds",
            "2",
            "--threads",
            "1",
            "--data",
            "digits",
            "--first-seed",
            "3",
        )[0]
        == 0
    )
    settings = report_of(tmp_path)["settings"]
    assert settings["first_seed"] == 3
    assert (settings["budget"], settings["seeds"], settings["threads"], settings["data"]) == ("full", 2, 1, "digits")


def test_seeds_follow_the_budget_unless_they_are_given(tmp_path):
    for budget, seeds in ("quick", 5), ("full", 10):
        assert main(["lecture", "F4", "--budget", budget, "--out", str(tmp_path), "--workers", "1"]) == 0
        assert report_of(tmp_path)["settings"]["seeds"] == seeds


def test_workers_change_nothing_but_the_time(cli, tmp_path):
    cli("lecture", "F1", "F2")
    alone = [claim["rows"] for claim in report_of(tmp_path)["claims"]]
    assert cli("lecture", "F1", "F2", "--workers", "2")[0] == 0
    assert [claim["rows"] for claim in report_of(tmp_path)["claims"]] == alone


def test_the_lecture_is_measured_and_its_notebooks_written_on_windows(cli, tmp_path, monkeypatch):
    become_windows(lambda of, name: monkeypatch.delattr(of, name, False), monkeypatch.setattr, monkeypatch.setitem)
    assert cli("lecture", "fake")[0] == 0 and len(report_of(tmp_path)["claims"]) == 4
    assert cli("notebooks", "--out", str(tmp_path / "written"))[0] == 0
    assert len(list((tmp_path / "written").glob("*.ipynb"))) == 7


# ---- bad arguments ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lectrue"], "did you mean 'lecture'?"),
        (["lecture", "fkae"], "did you mean 'fake'?"),
        (["lecture", "F0"], "no chapter or claim is called 'F0'"),
        (["lecture", "--bugdet", "full"], "did you mean '--budget'?"),
        (["lecture", "--budget", "ful"], "did you mean 'full'?"),
        (["lecture", "--seeds", "0"], "--seeds: must be a whole number, 1 or more; got '0'"),
        (["lecture", "--threads", "many"], "--threads: must be a whole number"),
        (["lecture", "--data", "mnits"], "did you mean 'mnist'"),
        (["lecture", "--data", "nowhere.npz"], "no file nowhere.npz"),
        (["claims", "fkae"], "did you mean 'fake'?"),
        ([], "required"),
    ],
)
def test_bad_arguments_end_with_2_and_one_line_that_helps(cli, arguments, words):
    code, out, err = cli(*arguments)
    assert (code, out) == (2, "") and words in err
    assert err.startswith("tinycompress: ") and err.count("\n") == 1


def test_data_that_fail_a_check_end_with_2_before_anything_is_measured(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(fake_chapter, "before_task", lambda seed: pytest.fail("measured"))
    np.savez(tmp_path / "half.npz", x_train=np.zeros((4, 8, 8)))
    code, _, err = cli("lecture", "--data", str(tmp_path / "half.npz"))
    assert code == 2 and "lacks y_train, x_test, y_test" in err and err.count("\n") == 1


def test_a_folder_that_cannot_be_written_ends_with_2_before_anything_is_measured(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(fake_chapter, "before_task", lambda seed: pytest.fail("measured"))
    (tmp_path / "file").write_text("")
    code, _, err = cli("lecture", "--out", str(tmp_path / "file"))
    assert code == 2 and "--out" in err and err.count("\n") == 1


def test_a_missing_matplotlib_is_told_before_anything_is_measured(cli, monkeypatch):
    monkeypatch.setattr(fake_chapter, "before_task", lambda seed: pytest.fail("measured"))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, out, err = cli("lecture", "F4")
    assert (code, out, err) == (
        1,
        "",
        "tinycompress: needs matplotlib, which is not installed; pip install matplotlib\n",
    )


@pytest.mark.parametrize(("library", "package"), [("pandas", "pandas"), ("sklearn", "scikit-learn")])
def test_a_library_that_is_not_installed_is_named_in_a_line(cli, monkeypatch, library, package):
    tinycompress.data.load("digits")  # which is kept, and needs sklearn
    monkeypatch.setitem(sys.modules, library, None)  # as if it were not there
    monkeypatch.setattr(report, "write", lambda *_: importlib.import_module(f"{library}.anything"))
    code, out, err = cli("lecture", "F4")
    line = f"tinycompress: needs {package}, which is not installed; pip install {package}\n"
    assert code == 1 and err.endswith(line) and "Traceback" not in err and "F4" in out


@pytest.mark.parametrize("module", ["tinycompress.nothing", "json.nothing"])
def test_a_missing_module_that_pip_cannot_install_is_an_error_of_ours(cli, monkeypatch, module):
    monkeypatch.setattr(report, "write", lambda *_: importlib.import_module(module))
    with pytest.raises(ModuleNotFoundError):
        cli("lecture", "F4")


@pytest.mark.skipif(os.name != "posix" or sys.platform == "darwin", reason="names the home as Linux does")
def test_a_home_that_is_not_there_is_told_in_a_line(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path / "none")}
    for name in "XDG_CACHE_HOME", "NUMBA_CACHE_DIR":
        environment.pop(name, None)
    net = tinycompress.models.mlp((8, 8, 1), (5,), 10, rng=0)
    tinycompress.quantization.tcz.save(net, tmp_path / "net.tcz")
    command = [sys.executable, "-m", "tinycompress", "run", str(tmp_path / "net.tcz")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "test images of digits right" in done.stdout
    assert done.stderr.startswith("tinycompress: compiled code cannot be cached in ") and done.stderr.count("\n") == 1


def test_a_worker_warns_in_a_line(capfd):
    with executors.local_processes(2) as pool:
        pool.submit(warnings.warn, "compiled code cannot be cached").result()
    assert capfd.readouterr().err == "tinycompress: compiled code cannot be cached\n"


# ---- a full disk ----


def test_a_disk_without_room_ends_with_2_before_anything_is_measured(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(fake_chapter, "before_task", lambda seed: pytest.fail("measured"))
    with full_disk():
        code, _, err = cli("lecture", "F1")
    assert code == 2 and "--out" in err and err.count("\n") == 1


@pytest.mark.parametrize("most, file", [(20, "unfinished.jsonl"), (2400, "claims.json")])
def test_a_disk_that_fills_up_ends_a_run_in_one_line_with_nothing_half_written(cli, tmp_path, monkeypatch, most, file):
    monkeypatch.setattr("tinycompress.cli.check_room", lambda folder: None)
    with full_disk(most):
        code, _, err = cli("lecture", "F1")
    (line,) = [line for line in err.splitlines() if line.startswith("tinycompress: ")]
    assert code == 1 and f"{file}: " in line and "; make room" in line and "Traceback" not in err
    (left,) = tmp_path.iterdir()
    assert left.name == "unfinished.jsonl"
    for row in left.read_text().splitlines():
        json.loads(row)
    assert cli("lecture", "F1")[0] == 0 and not left.exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
def test_output_that_finds_no_room_ends_in_one_line():
    command = [sys.executable, "-m", "tinycompress", "claims"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1 and "the output: No space left" in done.stderr


# ---- interrupted ----


def test_an_interrupted_run_writes_what_is_finished_and_the_next_one_goes_on(cli, tmp_path, monkeypatch):
    measured = []

    def interrupt(seed):
        measured.append(seed)
        if len(measured) == 5:  # F1 has three tasks, F2 is in its second
            raise KeyboardInterrupt

    monkeypatch.setattr(fake_chapter, "before_task", interrupt)
    code, out, err = cli("lecture")
    assert code == 130 and "drawing what is finished" in err and "1 of 4 claims finished" in err and "F1" in out
    assert [claim["id"] for claim in report_of(tmp_path)["claims"]] == ["F1"]
    measured.clear()
    monkeypatch.setattr(fake_chapter, "before_task", measured.append)
    assert cli("lecture")[0] == 0
    # Two of F2 were left; F3 is timed; F4, which is measured as F2 is, is another claim.
    assert measured == [1, 2] + [0, 1, 2] * 2
    assert not (tmp_path / "unfinished.jsonl").exists()


def test_an_interrupt_before_the_first_claim_leaves_an_earlier_report_alone(cli, tmp_path, monkeypatch):
    cli("lecture", "F4")
    before = (tmp_path / "claims.json").read_bytes()

    def interrupt(seed):
        raise KeyboardInterrupt

    monkeypatch.setattr(fake_chapter, "before_task", interrupt)
    assert cli("lecture", "F1", "--budget", "full")[0] == 130
    assert (tmp_path / "claims.json").read_bytes() == before


@pytest.mark.parametrize("step", ["draw", "write"])
def test_ctrl_c_waits_for_a_figure_and_for_the_report(cli, tmp_path, monkeypatch, step):
    finished, true_step = [], getattr(report, step)
    before = signal.getsignal(signal.SIGINT)  # what runs in the background may have been told to ignore it

    def pressed_meanwhile(*arguments):
        if not finished:
            signal.raise_signal(signal.SIGINT)
        done = true_step(*arguments)
        finished.append(step)
        return done

    monkeypatch.setattr(report, step, pressed_meanwhile)
    assert cli("lecture", "F1", "F2")[0] == 130
    assert finished and (tmp_path / "index.html").exists()
    assert [claim["id"] for claim in report_of(tmp_path)["claims"]] == {"draw": ["F1"], "write": ["F1", "F2"]}[step]
    assert signal.getsignal(signal.SIGINT) is before


def test_a_report_of_other_settings_is_not_replaced_without_a_word(cli, tmp_path):
    assert "other settings" not in cli("lecture", "F1")[1]
    assert "other settings" not in cli("lecture", "F2")[1]
    assert "claims.previous.json; use another --out to keep both" in cli("lecture", "F1", "--seeds", "2")[1]


def test_a_claim_that_fails_does_not_cost_the_finished_ones(cli, tmp_path, monkeypatch):
    failing = fake_chapter.make("F2", 0.0, effect=lambda rows: 1 / 0)
    monkeypatch.setattr(fake_chapter, "CLAIMS", [fake_chapter.CLAIMS[0], failing])
    with pytest.raises(ZeroDivisionError):
        cli("lecture")
    assert [claim["id"] for claim in report_of(tmp_path)["claims"]] == ["F1"]


def test_a_worker_that_dies_costs_its_task_and_is_told_in_one_line(cli, tmp_path, monkeypatch):
    drawn = tmp_path / "drawn"  # by then F1 is finished, whichever worker was the slower one
    monkeypatch.setattr(report, "draw", lambda result: drawn.touch() or (b"<svg/>", b"png"))
    dying = fake_chapter.make("F2", 0.0, measure=fake_chapter.die, tasks=lambda settings: [(str(drawn),)])
    monkeypatch.setattr(fake_chapter, "CLAIMS", [fake_chapter.CLAIMS[0], dying])
    code, _, err = cli("lecture", "--workers", "2")
    assert code == 1 and "fewer --workers" in err and "1 of 2 claims finished" in err and "Traceback" not in err
    assert [claim["id"] for claim in report_of(tmp_path)["claims"]] == ["F1"]


@pytest.mark.skipif(os.name != "posix", reason="a terminal's Ctrl-C is sent to a process group")
@pytest.mark.parametrize(("workers", "slow"), [("1", "S1"), ("2", "S1"), ("2", "S2")])
def test_ctrl_c_in_a_terminal_ends_all_processes_at_once(tmp_path, workers, slow):
    """While a task runs here, in the workers, or here while the workers have nothing to do (S2 is timed)."""
    drawn, started = tmp_path / "drawn", tmp_path / "started"
    code = (
        "import pathlib, signal, sys, fake_chapter\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # what runs in a shell's background ignores it
        "from tinycompress import cli, lecture\n"
        "from tinycompress.lecture import report\n"
        "true_draw = report.draw\n"
        f"report.draw = lambda result: (true_draw(result), pathlib.Path({str(drawn)!r}).touch())[0]\n"
        "lecture.CHAPTERS = {'fake': 'fake_chapter'}\n"
        "fake_chapter.CLAIMS = fake_chapter.SLOW\n"
        f"sys.exit(cli.main(['lecture', 'S0', '{slow}', '--workers', '{workers}', '--out', {str(tmp_path)!r}]))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "FAKE_STARTED": str(started)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        # One worker may have begun with the slow tasks while another is still at the last of S0.
        wait_for("S0 is finished and the slow task begun", lambda: drawn.exists() and started.exists())
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=LONG)  # the tasks sleep for longer; their stderr, too, must close
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130
    assert "Traceback" not in err and "1 of 2 claims finished" in err


@pytest.mark.skipif(os.name != "posix", reason="a terminal's Ctrl-C is sent to a process group")
def test_a_worker_that_is_still_starting_leaves_ctrl_c_to_its_parent():
    worker = executors._Worker(target=time.sleep, args=(0,))
    worker.start()
    os.kill(worker.pid, signal.SIGINT)
    worker.join()
    assert worker.exitcode == 0
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])  # here, Ctrl-C is heard again


# ---- help ----


@pytest.mark.parametrize("command", [[], ["lecture"], ["claims"]])
def test_help_ends_with_0_and_fits_a_terminal(cli, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    code, out, _ = cli(*command, "--help")
    assert code == 0 and "tinycompress" in out
    assert max(map(len, out.splitlines())) <= 100


def test_claims_are_listed_with_their_statements(cli):
    code, out, _ = cli("claims")
    assert code == 0 and "F3  Fake F3 (timed)" in out and out.count("Ours is better.") == 4
    assert "F1" not in cli("claims", "F2")[1]


def test_a_reader_that_leaves_early_does_not_cost_the_report(tmp_path, monkeypatch):
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with contextlib.suppress(io.UnsupportedOperation), contextlib.redirect_stdout(Closed()):
        main(["lecture", "F1", "--out", str(tmp_path), "--workers", "1", "--seeds", "2"])
    assert len(report_of(tmp_path)["claims"]) == 1


def test_claims_and_notes_are_listed_for_programs(cli):
    code, out, _ = cli("claims", "F2", "--json")
    (claim,) = json.loads(out)
    assert code == 0 and claim["id"] == "F2" and claim["statement"] == "Ours is better." and claim["timed"] is False
    notes = json.loads(cli("claims", "--notes", "--json")[1])
    assert [note["id"] for note in notes] == [f"N{n}" for n in range(1, len(notes) + 1)]
    assert all(note["english"] and note["where"] for note in notes)


def test_the_version_is_that_of_the_package(cli):
    assert cli("--version")[:2] == (0, f"tinycompress {tinycompress.__version__}\n")


@pytest.mark.parametrize(
    "seeds, threads, cores, advised",
    [(1, 1, 2, 2), (1, 2, 2, None), (2, 1, 2, None), (2, 1, 8, 4), (5, 1, 2, None), (3, 1, 8, 2)],
)
def test_a_run_of_hours_that_would_leave_cores_idle_says_so(monkeypatch, seeds, threads, cores, advised):
    monkeypatch.setattr(lecture, "CHAPTERS", {"fake": "fake_chapter"})
    settings = lecture.Settings(budget="paper", seeds=seeds, threads=threads)
    words = cli_module._idle(lecture.claims(["F1"]), settings, cores)
    assert (f"--threads {advised}" in words) if advised else words == ""
    assert cli_module._idle(lecture.claims(["F1"]), replace(settings, budget="quick"), 99) == ""


def test_help_waits_for_no_heavy_import():
    code = (
        "import contextlib, io, sys\n"
        "from tinycompress.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): main(['lecture', '--help']), main(['claims'])\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'matplotlib', 'pooch', 'tqdm', 'multiprocessing'} & set(sys.modules)\n"
        "sys.exit(', '.join(heavy) or 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})


@pytest.mark.skipif(os.name != "posix", reason="Windows reports a closed pipe otherwise")
@pytest.mark.parametrize("arguments", [["claims"], ["claims", "--json"], ["course", "list"], ["--help"]], ids=" ".join)
def test_a_reader_that_has_seen_enough_is_no_error(arguments):
    command = [sys.executable, "-m", "tinycompress", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
