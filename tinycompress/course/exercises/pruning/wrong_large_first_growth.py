"""Plausible wrong answers to large_first_growth, and how many of the 6 points each earns."""

import numpy as np

from tinycompress.course import wrong


def source_of(bias, copies):
    return np.append(np.arange(len(bias)), copies).astype(int)


def times_of(source, reader):
    return np.bincount(source)[source][:, None].astype(reader.dtype)


@wrong("widened", points=3.1, why="does not divide what is read more than once")
def undivided(weight, bias, reader, copies):
    source = source_of(bias, copies)
    return weight[..., source], bias[source], reader[..., source, :]


@wrong("widened", points=3.1, why="divides the copies only, and not the neuron itself")
def only_the_copies(weight, bias, reader, copies):
    source = source_of(bias, copies)
    times = times_of(source, reader)
    times[: len(bias)] = 1
    return weight[..., source], bias[source], reader[..., source, :] / times


@wrong("widened", points=3.1, why="divides by two, however often a neuron is copied")
def halves(weight, bias, reader, copies):
    source = source_of(bias, copies)
    return weight[..., source], bias[source], reader[..., source, :] / np.minimum(times_of(source, reader), 2)


@wrong("widened", points=3.1, why="divides the incoming weights and the bias")
def divides_what_comes_in(weight, bias, reader, copies):
    source = source_of(bias, copies)
    times = times_of(source, reader).ravel()
    return weight[..., source] / times, bias[source] / times, reader[..., source, :]


@wrong("widened", points=3.1, why="divides the bias, too")
def divides_the_bias(weight, bias, reader, copies):
    source = source_of(bias, copies)
    times = times_of(source, reader)
    return weight[..., source], bias[source] / times.ravel(), reader[..., source, :] / times


@wrong("widened", points=3.7, why="puts each copy beside its neuron")
def beside(weight, bias, reader, copies):
    source = np.sort(source_of(bias, copies))
    return weight[..., source], bias[source], reader[..., source, :] / times_of(source, reader)


@wrong("widened", points=5.2, why="takes the reader's first axis for its neurons")
def first_axis(weight, bias, reader, copies):
    source = source_of(bias, copies)
    times = times_of(source, reader).reshape(-1, *[1] * (reader.ndim - 1))
    return weight[..., source], bias[source], np.take(reader, source, 0, mode="wrap") / times


@wrong("widened", points=5.68, why="returns a reader of float64")
def reader_of_64_bits(weight, bias, reader, copies):
    source = source_of(bias, copies)
    return weight[..., source], bias[source], reader[..., source, :] / np.bincount(source)[source][:, None]


@wrong("widened", points=5.23, why="changes the reader that it was given")
def in_place(weight, bias, reader, copies):
    reader /= np.bincount(source_of(bias, copies))[:, None].astype(reader.dtype)
    source = source_of(bias, copies)
    return weight[..., source], bias[source], reader[..., source, :]


@wrong("parted", points=4.95, why="adds noise to the old neurons")
def noise_on_the_old(weight, before, noise, z):
    found = weight.copy()
    found[..., : z.shape[-1]] += noise * weight.std() * z[..., : weight.shape[-1]]
    return found


@wrong("parted", points=4.95, why="takes the standard deviation of the new neurons only")
def spread_of_the_new(weight, before, noise, z):
    found = weight.copy()
    if z.size:
        found[..., before:] += noise * weight[..., before:].std() * z
    return found


@wrong("parted", points=5.1, why="takes the noise itself for the standard deviation")
def without_spread(weight, before, noise, z):
    found = weight.copy()
    found[..., before:] += noise * z
    return found


@wrong("parted", points=4.95, why="takes the root of the mean square, which is not about the mean")
def about_zero(weight, before, noise, z):
    found = weight.copy()
    found[..., before:] += noise * np.sqrt(np.mean(weight**2)) * z
    return found


@wrong("parted", points=4.95, why="multiplies the weights by 1 + noise * z")
def multiplies(weight, before, noise, z):
    found = weight.copy()
    found[..., before:] *= 1 + noise * z
    return found


@wrong("parted", points=5.73, why="changes the weight that it was given")
def noise_in_place(weight, before, noise, z):
    weight[..., before:] += noise * weight.std() * z
    return weight


def cost(inputs, widths, classes):
    sizes = [inputs, *widths, classes]
    return sum(a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True))


@wrong("epochs_left", points=5.2, why="divides in floating point, which is exact only up to 2**53")
def in_floats(inputs, classes, small, large, allowed, before):
    left = allowed - before * cost(inputs, small, classes)
    if left < 0:
        raise ValueError
    return int(left / cost(inputs, large, classes))


@wrong("epochs_left", points=5.7, why="refuses a budget that is spent exactly")
def none_left(inputs, classes, small, large, allowed, before):
    left = allowed - before * cost(inputs, small, classes)
    if left <= 0:
        raise ValueError
    return left // cost(inputs, large, classes)


@wrong("epochs_left", points=5.7, why="returns a negative number of epochs instead of raising ValueError")
def negative(inputs, classes, small, large, allowed, before):
    return (allowed - before * cost(inputs, small, classes)) // cost(inputs, large, classes)


@wrong("epochs_left", points=4.75, why="counts the biases as well")
def with_biases(inputs, classes, small, large, allowed, before):
    left = allowed - before * (cost(inputs, small, classes) + sum(small) + classes)
    if left < 0:
        raise ValueError
    return left // (cost(inputs, large, classes) + sum(large) + classes)


@wrong("epochs_left", points=5.2, why="looks at the first hidden layer only")
def one_layer(inputs, classes, small, large, allowed, before):
    one, other = cost(inputs, small[:1], classes), cost(inputs, large[:1], classes)
    if before * one > allowed:
        raise ValueError
    return (allowed - before * one) // other


@wrong("epochs_left", points=5.2, why="forgets what the small net has cost")
def all_for_the_large(inputs, classes, small, large, allowed, before):
    if before * cost(inputs, small, classes) > allowed:
        raise ValueError
    return allowed // cost(inputs, large, classes)


def descended(net, x, labels, steps, lr):
    w1, b1, w2, b2 = net
    for _ in range(steps):
        h = np.maximum(x @ w1 + b1, 0)
        z = np.exp(h @ w2 + b2)
        error = (z / z.sum(1, keepdims=True) - np.eye(w2.shape[1])[labels]) / len(x)
        back = error @ w2.T * (h > 0)
        w1, b1 = w1 - lr * x.T @ back, b1 - lr * back.sum(0)
        w2, b2 = w2 - lr * h.T @ error, b2 - lr * error.sum(0)
    return [w1, b1, w2, b2]


def wide_net(net, copies, noise, z):
    w1, b1, w2, b2 = net
    source = source_of(b1, copies)
    wide = w1[:, source]
    wide[:, len(b1) :] += noise * w1[:, source].std() * z
    return [wide, b1[source], w2[source] / times_of(source, w2), b2]


@wrong("grown", points=5.2, why="widens first, and trains the wide net all the time")
def wide_all_the_time(net, x, labels, steps, lr, copies, noise, z):
    return descended(wide_net(net, copies, noise, z), x, labels, sum(steps), lr)


@wrong("grown", points=5.2, why="forgets the noise, so that the copies stay equal")
def without_noise(net, x, labels, steps, lr, copies, noise, z):
    small = descended(net, x, labels, steps[0], lr)
    return descended(wide_net(small, copies, 0, z), x, labels, steps[1], lr)


@wrong("grown", points=5.2, why="does not train after it has grown")
def not_trained_on(net, x, labels, steps, lr, copies, noise, z):
    return wide_net(descended(net, x, labels, steps[0], lr), copies, noise, z)


@wrong("epochs_left", points=5.7, why="multiplies in 64 bits, which large nets exceed")
def in_64_bits(inputs, classes, small, large, allowed, before):
    def weights(widths):
        sizes = np.array([inputs, *widths, classes])
        return int((sizes[:-1] * sizes[1:]).sum())

    left = allowed - before * weights(small)
    if left < 0:
        raise ValueError
    return left // weights(large)
