"""Checks of chapter 06."""

import numpy as np

from dl_course.exercises import call, compare, expect, numbers, parts, same

# ---------------------------------------------------------------- 06.1 count


def check_count(answer, rng):
    for kind, sets in [("rnn", 1), ("lstm", 4), ("gru", 3)]:
        for features, units in rng.permutation(np.arange(2, 40)).reshape(-1, 2)[:4]:
            features, units = int(features), int(units)
            square = sets * units * (features + units)
            one_bias = units * (features + units + 1)
            got = call(answer, kind, features, units)
            compare(
                got,
                square + sets * units * (2 if kind == "gru" else 1),
                {
                    f"{kind}: the biases are missing.": square,
                    "gru: with reset_after there are two biases, one for the inputs, one "
                    "for the state.": kind == "gru" and same(got, 3 * one_bias),
                    "gru: it has three sets of weights; four is the LSTM.": (
                        kind == "gru" and same(got, 4 * one_bias)
                    ),
                    "lstm: three gates, and the content g: four sets of weights.": (
                        kind == "lstm" and same(got, 3 * one_bias)
                    ),
                    f"{kind}: the recurrent kernel (units, units) is missing.": (
                        sets * (units * features + units)
                    ),
                },
                f"{kind} with {features} features and {units} units: not {got}.",
            )


# ---------------------------------------------------------------- 06.2 half-life


def check_half_life(answer, rng):
    for n in [*rng.choice(np.arange(3, 300), 5, replace=False).tolist(), 1, 2]:
        f = 0.5 ** (1 / n)
        compare(
            call(answer, n),
            np.log(f / (1 - f)),
            {
                "That is the gate's value; its bias is asked.": f,
                "The sign is reversed.": -np.log(f / (1 - f)),
                "log n is the rule of thumb for 1/e; here the half must be exact.": (
                    np.log(n)
                ),
            },
            f"For n = {n}, sigmoid(bias) ** n should be 0.5.",
        )


# ---------------------------------------------------------------- 06.3 last output


def check_last(answer, rng):
    for _ in range(4):
        outputs = rng.normal(size=(7, 9, 3))
        mask = rng.random((7, 9)) < 0.5
        mask[:, 2] = True
        mask[0, 3:], mask[1, :] = False, True
        mask[2] = np.arange(9) % 2 == 0  # holes, and True at the end
        mask[3] = np.arange(9) < 7
        mask[4] = np.arange(9) == 0  # only the first
        rows, last = np.arange(7), 8 - mask[:, ::-1].argmax(axis=1)
        got = numbers(call(answer, outputs, mask), "The result")
        compare(
            got,
            outputs[rows, last],
            {
                "Short sequences end before the padding.": outputs[:, -1],
                "With holes in the mask, counting True does not find the last one.": (
                    outputs[rows, mask.sum(axis=1) - 1]
                ),
                "Those are the first moments that count.": (
                    outputs[rows, mask.argmax(axis=1)]
                ),
                "Each is one moment too early.": outputs[rows, last - 1],
                "If only the first moment counts, it is the last, too.": (
                    got.shape == (7, 3)
                    and same(np.delete(got, 4, 0), outputs[rows, last][rows != 4])
                ),
            },
            "Some rows are not the output at their last True.",
        )


# ---------------------------------------------------------------- 06.4 growth


def check_growth(answer, rng):
    for number in range(6):
        period = int(rng.integers(4, 20))
        ahead = period if number % 2 else int(rng.integers(1, period - 1))
        series = rng.normal(size=3 * period)
        growth = series[-1] - series[-1 - period]
        base = series[len(series) - 1 + ahead - period]
        compare(
            call(answer, series, period, ahead),
            base + growth,
            {
                "The growth is missing.": base,
                "That is persistence with growth.": series[-1] + growth,
                "The season is one moment too late: the last value has the index -1.": (
                    series[ahead - period] + growth
                ),
                "The growth has the wrong sign.": base - growth,
                "From one period to the next the whole growth of a period is added.": (
                    base + growth * ahead / period
                ),
            },
            "Not the seasonal value plus the growth"
            + (", for ahead = period." if ahead == period else "."),
        )


# ---------------------------------------------------------------- 06.5 leak


def check_leak(answer, rng):
    for time in (12, 12, 5, 1):
        x, blame = rng.normal(size=(2, time))
        a = float(rng.uniform(0.3, 0.9))
        states = [0.0]
        for value in x:
            states.append(a * states[-1] + (1 - a) * value)
        before, after = np.array(states[:-1]), np.array(states[1:])
        delta = np.zeros(time + 1)
        for t in reversed(range(time)):
            delta[t] = blame[t] + a * delta[t + 1]
        compare(
            call(answer, x, a, blame),
            delta[:-1] @ (before - x),
            {
                "Only direct blame: what later states say is missing.": (
                    blame @ (before - x)
                ),
                "a also multiplies the input, as 1 - a: that road is missing.": (
                    delta[:-1] @ before
                ),
                "The state before the moment counts, not the one after it.": (
                    delta[:-1] @ (after - x)
                ),
            },
            "Nudging a gives another slope.",
        )


# ---------------------------------------------------------------- 06.6 latch


def sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def lstm_outputs(x, kernel, recurrent, bias):
    """h after the last moment; x is (batch, time, 2), columns are i, f, g, o."""
    h = c = np.zeros((len(x), 1))
    for t in range(x.shape[1]):
        i, f, g, o = np.split(x[:, t] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h[:, 0]


def check_latch(answer, rng):
    names = ("The kernel", "The recurrent kernel", "The bias")
    got = parts(call(answer), 3, "three arrays: kernel, recurrent kernel, bias")
    weights = [
        numbers(part, name, shape)
        for part, name, shape in zip(got, names, [(2, 4), (1, 4), (4,)], strict=True)
    ]

    def outputs(length, flags, values=None):
        """Value that came with the last flag, and the output at the end, 64 times."""
        x = np.zeros((64, length, 2))
        x[:, :, 0] = rng.choice([-1, 1], (64, length))
        if values is not None:
            x[:, flags, 0] = values
        x[:, flags, 1] = 1
        return x[:, flags[-1], 0], lstm_outputs(x, *weights)

    value, h = outputs(1, [0])
    expect(np.all(h * value > 0), "After one moment with a flag, the sign is wrong.")
    expect(np.all(np.abs(h) >= 0.5), "After one moment the output is smaller than 0.5.")
    value, h = outputs(30, [0])
    expect(
        np.all(h * value > 0),
        "Values without a flag change the memory: shut the input gate for them.",
    )
    replaced = "A new value does not replace the old one: close the forget gate at a flag."
    value, h = outputs(30, [0, 3, 5, 20])
    expect(np.all(h * value > 0), replaced)
    for last in (-1, 1):  # the old value came often, the new one once
        value, h = outputs(30, [0, 1, 2, 3, 20], [-last] * 4 + [last])
        expect(np.all(h * value >= 0.5), replaced)
    value, h = outputs(200, [0])
    expect(
        np.all(h * value >= 0.5),
        "After 200 moments too little is left: open the forget gate wider.",
    )


CHECKS = {
    "06.1": check_count,
    "06.2": check_half_life,
    "06.3": check_last,
    "06.4": check_growth,
    "06.5": check_leak,
    "06.6": check_latch,
}
