"""Checks of chapter 06: Recurrent networks."""

import numpy as np

from dl_course import rnn
from dl_course.exercises import Wrong, call, expect, same

RNG = np.random.default_rng()


# ---------------------------------------------------------------- 06.1 count


def check_count(answer):
    for kind, sets in [("rnn", 1), ("lstm", 4), ("gru", 3)]:
        for features, units in RNG.permutation(np.arange(2, 40)).reshape(-1, 2)[:4]:
            features, units = int(features), int(units)
            got = call(answer, kind, features, units)
            square = sets * units * (features + units)
            expect(not same(got, square), f"{kind}: the biases are missing.")
            if kind == "gru":
                expect(
                    not same(got, square + sets * units),
                    "gru: with reset_after there are two biases, one for the inputs, one "
                    "for the state.",
                )
                expect(
                    not same(got, 4 * units * (features + units + 1)),
                    "gru: it has three sets of weights; four is the LSTM.",
                )
            if kind == "lstm":
                expect(
                    not same(got, 3 * units * (features + units + 1)),
                    "lstm: three gates, and the content g: four sets of weights.",
                )
            expect(
                not same(got, sets * (units * features + units)),
                f"{kind}: the recurrent kernel (units, units) is missing.",
            )
            expect(
                same(got, square + sets * units * (2 if kind == "gru" else 1)),
                f"{kind} with {features} features and {units} units: not {got}.",
            )


# ---------------------------------------------------------------- 06.2 half-life


def check_half_life(answer):
    for n in RNG.choice(np.arange(2, 300), 5, replace=False):
        n = int(n)
        f = 0.5 ** (1 / n)
        got = call(answer, n)
        expect(not same(got, f), "That is the gate's value; its bias is asked.")
        expect(not same(got, -np.log(f / (1 - f))), "The sign is reversed.")
        expect(
            not same(got, np.log(n)),
            "log n is the rule of thumb for 1/e; here the half must be exact.",
        )
        expect(
            same(got, np.log(f / (1 - f))),
            f"For n = {n}, sigmoid(bias) ** n should be 0.5.",
        )


# ---------------------------------------------------------------- 06.3 last output


def check_last(answer):
    for _ in range(4):
        outputs = RNG.normal(size=(6, 9, 3))
        mask = RNG.random((6, 9)) < 0.5
        mask[:, 2] = True
        mask[0, 3:], mask[1, :] = False, True
        mask[2] = np.arange(9) % 2 == 0  # holes, and True at the end
        mask[3] = np.arange(9) < 7
        rows = np.arange(6)
        right = outputs[rows, 8 - mask[:, ::-1].argmax(axis=1)]
        got = call(answer, outputs, mask)
        expect(not same(got, outputs[:, -1]), "Short sequences end before the padding.")
        expect(
            not same(got, outputs[rows, mask.sum(axis=1) - 1]),
            "With holes in the mask, counting True does not find the last one.",
        )
        expect(
            not same(got, outputs[rows, mask.argmax(axis=1)]),
            "Those are the first moments that count.",
        )
        expect(
            not same(got, outputs[rows, np.maximum(7 - mask[:, ::-1].argmax(axis=1), -9)]),
            "Each is one moment too early.",
        )
        expect(np.shape(got) == (6, 3), f"Shape (6, 3) is expected, not {np.shape(got)}.")
        expect(same(got, right), "Some rows are not the output at their last True.")


# ---------------------------------------------------------------- 06.4 growth


def check_growth(answer):
    for _ in range(5):
        period = int(RNG.integers(4, 20))
        ahead = int(RNG.integers(1, period))
        series = RNG.normal(size=3 * period)
        growth = series[-1] - series[-1 - period]
        base = series[-1 + ahead - period]
        got = call(answer, series, period, ahead)
        expect(np.ndim(got) == 0, "One number is expected.")
        expect(not same(got, base), "The growth is missing.")
        expect(not same(got, series[-1] + growth), "That is persistence with growth.")
        expect(
            not same(got, series[ahead - period] + growth),
            "The season is one moment too late: the last value has the index -1.",
        )
        expect(not same(got, base - growth), "The growth has the wrong sign.")
        expect(
            not same(got, base + growth * ahead / period),
            "From one period to the next the whole growth of a period is added.",
        )
        expect(same(got, base + growth), "Not the seasonal value plus the growth.")


# ---------------------------------------------------------------- 06.5 leak


def check_leak(answer):
    for _ in range(4):
        x, blame = RNG.normal(size=(2, 12))
        a = float(RNG.uniform(0.3, 0.9))

        def states(a, x=x):
            h, all_states = 0.0, []
            for value in x:
                h = a * h + (1 - a) * value
                all_states.append(h)
            return np.array(all_states)

        before = np.r_[0, states(a)[:-1]]
        delta = np.zeros(13)
        for t in reversed(range(12)):
            delta[t] = blame[t] + a * delta[t + 1]
        got = call(answer, x, a, blame)
        expect(np.ndim(got) == 0, "One number is expected: a is used at all moments.")
        expect(
            not same(got, blame @ (before - x)),
            "Only direct blame: what later states say is missing.",
        )
        expect(
            not same(got, delta[:-1] @ before),
            "a also multiplies the input, as 1 - a: that road is missing.",
        )
        expect(
            not same(got, delta[:-1] @ (states(a) - x)),
            "The state before the moment counts, not the one after it.",
        )
        expect(same(got, delta[:-1] @ (before - x)), "Nudging a gives another slope.")


# ---------------------------------------------------------------- 06.6 latch


def check_latch(answer):
    weights = call(answer)
    try:
        kernel, recurrent, bias = (np.asarray(w, float) for w in weights)
    except (TypeError, ValueError):
        raise Wrong("Three arrays are expected: kernel, recurrent kernel, bias.") from None
    shapes = [w.shape for w in (kernel, recurrent, bias)]
    wanted = [(2, 4), (1, 4), (4,)]
    expect(shapes == wanted, f"Shapes {wanted} are expected, not {shapes}.")

    def output(length, flags):  # -> value to keep, output at the end
        x = np.zeros((64, length, 2))
        x[:, :, 0] = RNG.choice([-1, 1], (64, length))
        x[:, flags, 1] = 1
        _, (h, _) = rnn.run(rnn.lstm_step, x, [kernel, recurrent, bias])
        return x[:, flags[-1], 0], h[:, 0]

    value, h = output(1, [0])
    expect(np.all(h * value > 0), "After one moment with a flag, the sign is wrong.")
    expect(np.all(np.abs(h) >= 0.5), "After one moment the output is smaller than 0.5.")
    value, h = output(30, [0])
    expect(
        np.all(h * value > 0),
        "Values without a flag change the memory: shut the input gate for them.",
    )
    value, h = output(30, [0, 3, 5, 20])
    expect(
        np.all(h * value > 0),
        "A new value does not replace the old one: close the forget gate at a flag.",
    )
    value, h = output(200, [0])
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
