"""A user's script as a strict type checker reads it: every call is typed, and no result is Any."""

import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import tinycompress

pytest.importorskip("mypy")

SCRIPT = """\
import numpy as np

import tinycompress as tc
from tinycompress import lecture
from tinycompress.recipe import Recipe, compress

data = tc.data.load("digits")
rng = np.random.default_rng(0)
net = tc.models.lenet_300_100(data.image_shape, data.num_classes, rng=rng)
sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
history = tc.fit(net, data.train, optimizer=sgd, epochs=20, rng=rng, schedule=tc.optim.cosine)
print(net.summary(), tc.evaluate(net, data.test).accuracy)

pruned = tc.pruning.prune_weights(net, 0.9)
small = tc.pruning.remove_neurons(net, tc.pruning.keep_neurons(net, 0.5))
targets = tc.distillation.teacher_targets(net, data.x_train, data.y_train)
loss = tc.distillation.DistillationLoss(4, 0.9)
adam = tc.optim.Adam(small.parameters())
learned = tc.fit(small, (data.x_train, targets), optimizer=adam, epochs=1, rng=0, loss=loss)
clustered = tc.quantization.cluster_weights(small, 16)
found = tc.quantization.tcz.save(small, "net.tcz")
again = tc.quantization.tcz.load("net.tcz")

conv = tc.nn.Conv2d(1, 4, 3, rng=rng)
model = tc.nn.Sequential(conv, tc.nn.BatchNorm(4), tc.nn.ReLU(), tc.nn.Flatten(), tc.nn.Dense(144, 10, rng=rng))
out = model(data.x_test[:4])
probabilities = tc.functional.softmax(out)
x = tc.Tensor(np.ones((2, 3)), requires_grad=True)
y = ((x * 2 + 1) @ np.ones((3, 1))).sum()
y.backward()
number = y.item()
print(model.forward(x), conv.forward(x), conv.extra_repr())
gradient = x.grad
for name, module in net.named_modules():
    print(name, module, model[0], model[1:], len(model), x.shape)
net.save("net.npz")

copied = model.copy().eval()
exits = tc.dynamic.add_exits(copied, [0], rng=rng)
fast = tc.inference.optimize(small, data.x_test)
tc.set_num_threads(1)
with tc.kernels.use("loop"), tc.no_grad():
    print(tc.kernels.variant(), tc.kernels.matmul(data.x_test[0, 0], data.x_test[0, 0].T))
code = tc.quantization.huffman_code([3, 3, 5])
ratio = tc.quantization.tcz.inspect("net.tcz").ratio
result = lecture.run(lecture.claims(["P1"])[0], lecture.Settings(seeds=2))
verdict = result.verdict
file = compress(Recipe(), data, seed=0)
reveal_type((net, history, pruned, small, loss, learned, clustered, found, again, out, probabilities, y, number))
reveal_type((copied, exits, fast, code, ratio, result, verdict, file, x.shape, x.size))
"""


def test_a_strict_type_checker_understands_a_script(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "tinycompress").symlink_to(Path(tinycompress.__file__).parent)
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nstrict = True\nfollow_imports = silent\nmypy_path = {tmp_path / 'path'}\n"
    )
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "script.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert first.count("tinycompress.") == 12 and second.count("tinycompress.") == 5 and "Any" not in first + second


def test_whatever_is_offered_says_what_it_returns():
    """Else a strict type checker refuses the call, or takes the result for Any."""
    offered = [getattr(tinycompress, name) for name in tinycompress.__all__]
    silent = [
        f"{function.__module__}.{function.__qualname__}"
        for module in [tinycompress, *(module for module in offered if isinstance(module, ModuleType))]
        for name in dir(module)
        for function in functions_of(getattr(module, name))
        if "return" not in function.__annotations__
    ]
    assert silent == []


def functions_of(thing):
    """The function itself; of a class of ours its public methods and properties, but those of a module that its base types."""
    if inspect.isclass(thing) and thing.__module__.startswith("tinycompress"):
        of_base = vars(tinycompress.nn.Module)
        public = [value for name, value in vars(thing).items() if not name.startswith("_") and name not in of_base]
        members = [getattr(value, "fget", getattr(value, "__func__", value)) for value in public]
        return [member for member in members if inspect.isfunction(member)]
    return [thing] if inspect.isfunction(thing) and thing.__module__.startswith("tinycompress") else []
