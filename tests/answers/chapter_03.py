"""Other right answers to chapter 03's exercises, and typical wrong ones."""

import numpy as np

# ---------------------------------------------------------------- other right answers

PAPER = np.array([[8.0, 0], [-4, 0]]), np.array([6.0, 0]), np.array([[4.0, -4]])


def by_recursion(x, layers, slope_of_loss):
    """Backward through L layers by a function that calls itself."""

    def descend(a, l):
        if l == len(layers):
            return slope_of_loss(a), []
        W, b, f, f_prime = layers[l]
        z = a @ W + b
        adjoint, above = descend(f(z), l + 1)
        delta = adjoint * f_prime(z)
        return delta @ W.T, [[np.einsum("ni,nj->ij", a, delta), delta.sum(0)], *above]

    return descend(x, 0)[1]


def deep(x, layers, slope_of_loss, *, top=True, at="z", bias=np.sum, flip=False,
         transpose=True, shift=0):  # fmt: skip
    """Backward through L layers, with the usual mistakes."""
    a, z = [x], []
    for W, b, f, _ in layers:
        z.append(a[-1] @ W + b)
        a.append(f(z[-1]))
    adjoint, gradients = slope_of_loss(a[-1]), []
    for l in reversed(range(len(layers))):
        W, _, _, f_prime = layers[l]
        slope = f_prime(z[l] if at == "z" else a[l + 1])
        fits = transpose == "to fit" and W.shape[0] == W.shape[1]  # delta @ W runs, too
        delta = adjoint if l == len(layers) - 1 and not top else adjoint * slope
        gradients.append((a[l + shift].T @ delta, bias(delta, axis=0)))
        adjoint = delta @ (W.T if transpose and not fits else W)
    return gradients if flip else gradients[::-1]


def layer_norm_by_jacobian(x, gamma, by_y, epsilon):
    n = x.shape[1]
    rows = []
    for row, u in zip(x, by_y, strict=True):
        s = np.sqrt(np.mean((row - row.mean()) ** 2) + epsilon)
        hat = (row - row.mean()) / s
        J = (np.eye(n) - 1 / n - np.outer(hat, hat) / n) / s
        rows.append((J.T @ (gamma * u), hat * u))
    return [np.array([r[0] for r in rows]), sum(r[1] for r in rows), by_y.sum(0).tolist()]


def layer_norm(x, gamma, u, epsilon, *, axis=1, early=True, along=1.0, scale=True,
               over=np.sum):  # fmt: skip
    s = np.sqrt(x.var(axis=axis, keepdims=True) + epsilon)
    hat = (x - x.mean(axis=axis, keepdims=True)) / s
    g = u * gamma if early else u
    part = along * np.mean(g * hat, axis=axis, keepdims=True)
    by_x = g - g.mean(axis=axis, keepdims=True) - hat * part
    by_x = by_x / s if scale else by_x
    return by_x if early else by_x * gamma, over(u * hat, axis=0), over(u, axis=0)


def check_one_by_one(f, gradient, x):
    g = gradient(x)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = 1e-5
        e = e.reshape(x.shape)
        slope = (f(x + e) - f(x - e)) / 2e-5
        if abs(slope - g.flat[i]) > 1e-3 * np.abs(g).max():
            return False
    return True


def two_layers(x, y, w1, b1, w2, b2, *, factor=None, slope=None, db=np.sum):
    a = np.tanh(x @ w1 + b1)
    p = a @ w2 + b2
    delta2 = (2 / y.size if factor is None else factor(y)) * (p - y)
    delta1 = delta2 @ w2.T * (1 - a**2 if slope is None else slope(a))
    dw1, dw2 = x.T @ delta1, a.T @ delta2
    return np.mean((p - y) ** 2), dw1, db(delta1, axis=0), dw2, delta2.sum(axis=0)


def judge_with(tolerance):
    def judge(f, gradient, x):
        a, b = central(f, x), gradient(x)
        return bool(np.linalg.norm(a - b) <= tolerance * np.linalg.norm(a))

    return judge


def first_number(f, gradient, x):
    a, b = central(f, x).flat[0], gradient(x).flat[0]
    return bool(abs(a - b) <= 1e-3 * abs(a))


def largest_number(f, gradient, x):
    a, b = central(f, x), gradient(x)
    place = np.abs(a).argmax()
    return bool(abs(a.flat[place] - b.flat[place]) <= 1e-3 * np.abs(a).max())


def residual_by_jacobians(weights, x, u):
    shares = []
    for keep in (False, True):
        rows = []
        for h, v in zip(x, u, strict=True):
            J = np.eye(len(h))
            for W in weights:
                s = 0.5 + 0.5 * np.tanh((h @ W) / 2)
                step = (W * (s * (1 - s))).T  # units x inputs
                J = (step + np.eye(len(h)) if keep else step) @ J
                h = h + s if keep else s
            rows.append(J.T @ v)
        shares.append(np.linalg.norm(rows) / np.linalg.norm(u))
    return shares


def residual(weights, x, u, *, own=True, back=1.0, forward=1.0, relative=True, at="z"):
    shares = []
    for keep in (0.0, 1.0):
        h, slopes = x, []
        for W in weights:
            z = h @ W
            s = 1 / (1 + np.exp(-z))
            t = s if at == "z" else 1 / (1 + np.exp(-s))
            slopes.append(t * (1 - t))
            h = s + keep * forward * h * own
        g = u
        for W, slope in zip(weights[::-1], slopes[::-1], strict=True):
            g = (g * slope) @ W.T + keep * back * g
        shares.append(np.linalg.norm(g) / (np.linalg.norm(u) if relative else 1))
    return shares


def checkpointed_by_dictionary(x, layers, u, every):
    kept, a = {0: x}, x
    for i, (forward, _) in enumerate(layers):
        a = forward(a)
        if (i + 1) % every == 0:
            kept[i + 1] = a
    del a
    last = len(layers)
    while last > 0:
        first = (last - 1) // every * every
        inputs = {first: kept[first]}
        for i in range(first, last - 1):
            inputs[i + 1] = layers[i][0](inputs[i])
        for i in range(last - 1, first - 1, -1):
            u = layers[i][1](inputs.pop(i), u)
        kept.pop(last, None)
        last = first
    return u


RIGHT = {
    "03.6": [PAPER, [[[8, 0], [-4, 0]], [[6], [0]], [[4, -4]]]],
    "03.7": [by_recursion, deep],
    "03.8": [layer_norm_by_jacobian],
    "03.3": [
        check_one_by_one,
        lambda f, gradient, x: (
            np.linalg.norm(central(f, x) - gradient(x))
            <= 1e-3 * np.linalg.norm(central(f, x))
        ),
    ],
    "03.5": [two_layers],
    "03.9": [residual_by_jacobians, residual],
    "03.10": [checkpointed_by_dictionary],
}

# ---------------------------------------------------------------- typical mistakes


def central(f, x, step=1e-5):
    slopes = np.zeros(x.size)
    for i in range(x.size):
        e = np.zeros(x.size)
        e[i] = step
        e = e.reshape(x.shape)
        slopes[i] = (f(x + e) - f(x - e)) / (2 * step)
    return slopes.reshape(x.shape)


def absolute_tolerance(f, gradient, x):
    return np.abs(central(f, x) - gradient(x)).max() < 1e-4


def compare_sums(f, gradient, x):
    a, b = central(f, x).sum(), gradient(x).sum()
    return abs(a - b) <= 1e-3 * max(abs(a), abs(b))


def compare_sizes(f, gradient, x):
    a, b = np.abs(central(f, x)), np.abs(gradient(x))
    return np.abs(a - b).max() < 1e-3 * a.max()


def wide_step(f, gradient, x):
    a, b = central(f, x, 1.0), gradient(x)
    return np.abs(a - b).max() < 1e-3 * np.abs(a).max()


def step_along(f, gradient, x):
    g = gradient(x)
    length = np.linalg.norm(g)
    fall = f(x) - f(x - 1e-5 * g / length)
    return abs(fall / (1e-5 * length) - 1) <= 1e-3


def guarded_division(f, gradient, x):
    a, b = central(f, x), gradient(x)
    return np.linalg.norm(a - b) / (np.linalg.norm(a) + 1e-8) <= 1e-3


def tiny_step(f, gradient, x):
    a, b = central(f, x, 1e-14), gradient(x)
    return np.linalg.norm(a - b) <= 1e-3 * np.linalg.norm(a)


def broken(x, y, w1, b1, w2, b2):
    return two_layers(
        x, y, w1, b1, w2, b2,
        factor=lambda y: 1 / len(y), slope=lambda a: 1 - a, db=np.mean,
    )  # fmt: skip


def keep_everything(x, layers, u, every):
    inputs = [x]
    for forward, _ in layers:
        inputs.append(forward(inputs[-1]))
    for (_, vjp), a in zip(reversed(layers), inputs[-2::-1], strict=True):
        u = vjp(a, u)
    return u


def keep_copies(x, layers, u, every):
    copied = [(lambda a, run=run: np.array(run(a)), vjp) for run, vjp in layers]
    return keep_everything(x, copied, u, every)


def from_the_start(x, layers, u, every):
    for i in reversed(range(len(layers))):
        a = x
        for forward, _ in layers[:i]:
            a = forward(a)
        u = layers[i][1](a, u)
    return u


def with_outputs(x, layers, u, every):
    inputs = [x]
    for forward, _ in layers:
        inputs.append(forward(inputs[-1]))
    for _, vjp in reversed(layers):
        u = vjp(inputs.pop(), u)
    return u


def full_pieces_only(x, layers, u, every):
    whole = len(layers) // every * every
    return checkpointed_by_dictionary(x, layers[:whole], u, every)


def keep_pieces(x, layers, u, every):
    kept, a, old = [], x, []
    for i, (forward, _) in enumerate(layers):
        if i % every == 0:
            kept.append(a)
        a = forward(a)
    for first in reversed(range(0, len(layers), every)):
        inputs = [kept.pop()]
        old.append(inputs)
        for forward, _ in layers[first : first + every][:-1]:
            inputs.append(forward(inputs[-1]))
        for (_, vjp), a in zip(layers[first : first + every][::-1], inputs[::-1]):  # noqa: B905
            u = vjp(a, u)
    return u


WRONG = {
    "03.6": [
        (([[8, 12], [-4, -6]], [[6], [0]], [4, -4]), "second hidden unit is off"),
        (([[8, 0], [-4, 0]], [[6], [-2]], [4, -4]), "sets the second hidden unit to 0"),
        (([[8, -4], [0, 0]], [[6], [0]], [4, -4]), "is transposed"),
        (([[-8, 0], [4, 0]], [[-6], [0]], [-4, 4]), "said minus true"),
        (([[8, 0], [-4, 0]], [[6], [0]], [4, 0]), "with W1 in place"),
        (([[8, 0], [-4, 0]], [[6], [0]], [4, 8]), "second hidden unit is off"),
        (([[8, 0], [-4, 0]], [[6], [0]]), "Return three things"),
        (([[16, 0], [-8, 0]], [[12], [0]], [8, -8]), "has cancelled"),
    ],
    "03.7": [
        (lambda *args: deep(*args, top=False), "the top layer is wrong"),
        (lambda *args: deep(*args, at="a"), "f' at z"),
        (lambda *args: deep(*args, bias=np.mean), "is a mean over the batch"),
        (lambda *args: deep(*args, flip=True), "comes first"),
        (lambda *args: deep(*args, transpose=False), "raised ValueError"),
        (lambda *args: deep(*args, transpose="to fit"), "transposed, then multiply"),
        (lambda x, layers, slope: deep(x, layers[-1:], slope), "raised ValueError"),
        (lambda *args: deep(*args)[0], "Return"),
        (lambda *args: [dW for dW, _ in deep(*args)], "not right yet"),
    ],
    "03.8": [
        (lambda *args: layer_norm(*args, axis=0), "normalize each row"),
        (lambda *args: layer_norm(*args, early=False), "before the means over a row"),
        (lambda *args: layer_norm(*args, along=0), "through the variance"),
        (lambda *args: layer_norm(*args, scale=False), "division by s"),
        (lambda *args: layer_norm(*args, over=np.mean), "no mean"),
        (lambda x, g, u, e: layer_norm(x, g, u, 1e-12), "epsilon stands under the root"),
        (lambda x, g, u, e: layer_norm(x, np.ones_like(g), u, e), "gamma is missing"),
        (lambda x, g, u, e: layer_norm(x, g, u, e)[:2], "Return 3 results"),
        (lambda x, g, u, e: layer_norm(x, g, u, np.sqrt(e)), "not right yet"),
    ],
    "03.3": [
        (absolute_tolerance, "relative"),
        (compare_sums, "number by number"),
        (compare_sizes, "wrong sign passes"),
        (wide_step, "central differences with a step near 1e-5"),
        (tiny_step, "central differences with a step near 1e-5"),
        (step_along, "replaced by 0"),
        (guarded_division, "is your tolerance relative"),
        (lambda f, gradient, x: True, "wrong sign passes"),
        (lambda f, gradient, x: central(f, x) - gradient(x), "Return True or False"),
        (judge_with(2e-2), "0.5 % off passes"),
        (judge_with(1e-6), "0.03 % off is refused"),
        (first_number, "not right yet"),
        (largest_number, "not right yet"),
    ],
    "03.5": [
        (broken, "off by a factor of 1.5"),
        (
            lambda *args: two_layers(*args, factor=lambda y: 2 / len(y)),
            "off by a factor of 3",
        ),
        (
            lambda *args: two_layers(*args, slope=lambda a: 1 - a, db=np.mean),
            "dw1 not: what is the slope of tanh",
        ),
        (lambda *args: two_layers(*args, db=np.mean), "Only db1 is left"),
        (lambda *args: two_layers(*args)[1:], "Return 5 results"),
        (lambda *args: two_layers(*args, factor=lambda y: 2 / 15), "off by a factor"),
    ],
    "03.9": [
        (lambda *args: residual(*args)[::-1], "exchanged"),
        (lambda *args: residual(*args, relative=False), "by the length of u"),
        (lambda *args: residual(*args, back=0), "or on the way back"),
        (lambda *args: residual(*args, own=False), "a forward pass of their own"),
        (lambda *args: residual(*args, back=2), "h is used twice"),
        (lambda *args: residual(*args, at="a"), "The control is wrong"),
        (lambda *args: [residual(*args)[0]] * 2, "the connection is missing"),
        (lambda *args: residual(*args)[0], "Return two numbers"),
    ],
    "03.10": [
        (keep_everything, "outputs were alive at once"),
        (keep_copies, "copies of outputs"),
        (from_the_start, "times: start each piece"),
        (with_outputs, "is not ∂L/∂x"),
        (full_pieces_only, "is not ∂L/∂x"),
        (keep_pieces, "let go of a piece"),
    ],
}
