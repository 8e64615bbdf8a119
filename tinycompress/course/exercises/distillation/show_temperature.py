"""# A student that learns by your gradient

A teacher has learned the UCI digits. A student with 12 hidden neurons sees only a tenth of the images. Your `gradient` trains
it three times: on the labels, on the teacher's outputs at T = 4, and on half of each. A student with a wrong gradient learns,
too, but then look at how much the teacher still helps.

Look for how far apart the lines are at the end. The same few images say more with the teacher's doubts than with
labels alone.
"""

import numpy as np

import tinycompress as tc
from tinycompress.workshop import style

ARMS = {"labels": (1.0, 0.0), "teacher, T = 4": (4.0, 1.0), "half of each": (4.0, 0.5)}
EPOCHS = 60


def measure(exercise):
    """Validation accuracy in percent after every tenth epoch, for each arm."""
    data = tc.data.load("digits")
    rng = np.random.default_rng(0)
    net = tc.models.mlp(data.image_shape, (128, 64), data.num_classes, rng=rng)
    sgd = tc.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    tc.fit(net, data.train, optimizer=sgd, epochs=20, rng=rng, progress=False)
    seen = rng.permutation(len(data.x_train))[: len(data.x_train) // 10]
    x, labels = data.x_train[seen], data.y_train[seen]
    teacher = tc.predict(net, x).astype(float)
    found = {}
    for name, (temperature, alpha) in ARMS.items():
        student = tc.models.mlp(data.image_shape, (12,), data.num_classes, rng=np.random.default_rng(1))
        sgd, order = tc.optim.SGD(student.parameters(), lr=0.03, momentum=0.9), np.random.default_rng(2)
        found[name] = []
        for epoch in range(EPOCHS):
            for rows in np.array_split(order.permutation(len(x)), len(x) // 16):
                logits = student(x[rows])
                s = logits.data.astype(float)
                grad = exercise.gradient(s, teacher[rows], labels[rows], temperature, alpha)
                sgd.zero_grad()
                logits.backward(np.asarray(grad, np.float32))
                sgd.step()
            if epoch % 10 == 9:
                found[name].append(100 * tc.evaluate(student, data.val).accuracy)
    return found


def draw(yours, reference):
    """Plot accuracy over epochs, arm by arm."""
    with style.applied():
        fig = style.figure()
        ax = fig.axes[0]
        epochs = range(10, EPOCHS + 1, 10)
        for name, marker in zip(ARMS, "os^", strict=True):
            ax.plot(epochs, reference[name], color="0.2", lw=8, alpha=0.25)
            ax.plot(epochs, yours[name], f"{marker}-", label=f"{name} (the solution is grey)")
        ax.set(xlabel="epochs of training", ylabel="validation accuracy (%)")
        ax.legend(loc="lower right")
    return fig
