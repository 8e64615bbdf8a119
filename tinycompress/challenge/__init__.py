"""The challenge: make the best net that fits, judged by a number. A hand-in is one `.tcz` file and no code.

    new         two folders: one for the students, one that the staff keep             folders.py, start.py
    baselines   the lecture's own methods, trained and judged like any hand-in          baselines.py
    check       what a hand-in is worth on the public images; this is for students      judge.py
    submit      log a hand-in, and judge it on the public and the secret images         board.py
    rank        who is better than chance explains                                      ranking.py
    export      a page or a table for a spreadsheet                                     page.py, export.py

The rules (`rules.py`) are in one small TOML file. `worker.py` loads a hand-in and predicts in a process of its own, with
limits on time and memory; it gets images and never labels.

What "secret" means: the test images are split in two halves. Students get one, the public half, with its labels; the other
half stays with the staff and decides the ranking. With data of your own nobody else has it. The test images of digits,
MNIST and Fashion-MNIST can be had by anyone: whoever trains on them has seen the secret half, and no number shows it.
There the secret half only keeps honest students from fitting, by many tries, the images by which they are ranked.
"""
