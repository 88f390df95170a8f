"""Chapter 07: second right solutions, and typical wrong ones with the message they get."""

import itertools
import math

import numpy as np

# ---------------------------------------------------------------- 07.4


def divergence_by_shifting(m1, s1, m2, s2):
    mean, deviation = (m1 - m2) / s2, s1 / s2
    return -0.5 * (1 + 2 * np.log(deviation) - mean**2 - deviation**2)


def divergence_reversed(m1, s1, m2, s2):
    return divergence_by_shifting(m2, s2, m1, s1)


def divergence_of_variances(m1, s1, m2, s2):
    return divergence_by_shifting(m1, s1**0.5, m2, s2**0.5)


def divergence_from_standard(m1, s1, m2, s2):
    return divergence_by_shifting(m1, s1, 0, 1)


def divergence_off(m1, s1, m2, s2):
    return divergence_by_shifting(m1, s1, m2, s2) + 0.5


def divergence_of_absolute_logarithm(m1, s1, m2, s2):
    return abs(np.log(s2 / s1)) - 0.5 + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2)


def divergence_of_sorted(m1, s1, m2, s2):
    return divergence_by_shifting(m1, min(s1, s2), m2, max(s1, s2))


def divergence_without_signs(m1, s1, m2, s2):
    return divergence_by_shifting(abs(m1), s1, abs(m2), s2)


# ---------------------------------------------------------------- 07.5


def tour_by_steps(encode, decode, images, steps):
    codes, film = encode(images), []
    for k in range((len(images) - 1) * steps + 1):
        i = min(k // steps, len(images) - 2)
        u = k / steps - i
        film.append(decode(((1 - u) * codes[i] + u * codes[i + 1])[None])[0])
    return film


def tour_without_end(encode, decode, images, steps):
    return tour_by_steps(encode, decode, images, steps)[:-1]


def tour_with_doubles(encode, decode, images, steps):
    codes, t = encode(images), np.linspace(0, 1, steps + 1)[:, None]
    pairs = itertools.pairwise(codes)
    return decode(np.concatenate([a + t * (b - a) for a, b in pairs]))


def tour_of_codes(encode, decode, images, steps):
    return tour_by_steps(encode, lambda codes: codes, images, steps)


def tour_of_drawings(encode, decode, images, steps):
    drawn = decode(encode(images))
    return tour_by_steps(lambda images: images, lambda codes: codes, drawn, steps)


def tour_of_single_images(encode, decode, images, steps):
    codes = np.array([encode(image) for image in images])
    return tour_by_steps(lambda images: codes, decode, images, steps)


# ---------------------------------------------------------------- 07.6

LOG_P, ELBO_BY_HAND = math.log(5 / 12), -math.log(6) / 2


def hand_in(log_p=LOG_P, elbo=ELBO_BY_HAND, gap=LOG_P - ELBO_BY_HAND):
    return log_p, elbo, gap


# ---------------------------------------------------------------- 07.7


def elbo_at_once(x, encode, decode, noise, s):
    mean, log_variance = encode(x)
    sigma, latent_dim = np.sqrt(np.exp(log_variance)), mean.shape[1]
    z = (mean + sigma * noise).reshape(-1, latent_dim)
    error = (decode(z).reshape(*noise.shape[:2], -1) - x) ** 2
    fit = np.sum(-0.5 * np.log(2 * np.pi * s * s) - error / 2 / s / s, axis=2).mean(axis=0)
    return fit + 0.5 * np.sum(1 + log_variance - mean**2 - sigma**2, axis=1)


def elbo_with(deviation=lambda v: np.exp(v / 2), scale=lambda s: s, constants=1, kl_sign=1,
              collect=np.mean, over=np.sum, only_first=False):  # fmt: skip
    def elbo(x, encode, decode, noise, s):
        mean, log_variance = encode(x)
        s, noise = scale(s), noise[:1] if only_first else noise
        fits = []
        for epsilon in noise:
            error = (x - decode(mean + deviation(log_variance) * epsilon)) ** 2
            each = -constants * np.log(s * np.sqrt(2 * np.pi)) - error / (2 * s**2)
            fits.append(over(each, axis=1))
        kl = over(mean**2 + np.exp(log_variance) - 1 - log_variance, axis=1) / 2
        return collect(np.array(fits), axis=0) - kl_sign * kl

    return elbo


# ---------------------------------------------------------------- 07.8


def gap_by_lists(log_joint, log_q, cell):
    pairs = list(zip(np.ravel(log_joint).tolist(), np.ravel(log_q).tolist(), strict=True))
    top = max(j for j, _ in pairs)
    log_p = top + math.log(math.fsum(cell * math.exp(j - top) for j, _ in pairs))
    elbo = math.fsum(cell * math.exp(q) * (j - q) for j, q in pairs if q > -math.inf)
    return [log_p, elbo, log_p - elbo]


def gap_with(
    cell_in_evidence=True, cell_in_mean=True, guard=True, entropy=True, kl="right"
):
    def gap(log_joint, log_q, cell):
        if guard:
            log_p = np.logaddexp.reduce(log_joint, axis=None)
        else:
            log_p = np.log(np.sum(np.exp(log_joint)))
        log_p += np.log(cell) if cell_in_evidence else 0
        some = np.isfinite(log_q) if guard else np.full(log_q.shape, True)
        joint, q = log_joint[some], log_q[some]
        weight = np.exp(q) * (cell if cell_in_mean else 1)
        elbo = np.sum(weight * (joint - q * entropy))
        turned = np.sum(np.exp(joint - log_p) * (joint - log_p - q)) * cell
        kls = {"right": log_p - elbo, "turned": turned, "joint": -elbo, "none": 0.0}
        return log_p, elbo, kls[kl]

    return gap


# ---------------------------------------------------------------- 07.9


def fair_by_loop(f, score):
    total = np.zeros(score.shape[1])
    for i in range(len(f)):
        others = [f[j] for j in range(len(f)) if j != i]
        total += (f[i] - sum(others) / len(others)) * score[i]
    return (total / len(f)).tolist()


def fair_by_factor(f, score):
    n = len(f)
    return n / (n - 1) * np.mean((f - f.mean())[:, None] * score, axis=0)


def cheating(f, score):
    return np.mean((f - f.mean())[:, None] * score, axis=0)


def without_baseline(f, score):
    return np.mean(f[:, None] * score, axis=0)


def summed(f, score):
    return fair_by_factor(f, score) * len(f)


def divided_by_all(f, score):
    return np.mean((f - (f.sum() - f) / len(f))[:, None] * score, axis=0)


def of_the_next(f, score):
    return np.mean((f - np.roll(f, 1))[:, None] * score, axis=0)


# ---------------------------------------------------------------- 07.10


def reasons_of(control):
    def reasons(z, unevenness):
        columns = unevenness(control(z.copy(), np.random.default_rng(5)))
        return columns, unevenness(z) - columns

    return reasons


def both_columns(z, rng):
    return np.stack([rng.permutation(column) for column in z.T], axis=1)


def rolled(z, rng):
    return np.stack([z[:, 0], np.roll(z[:, 1], 77)], axis=1)


def rows_alone(z, rng):
    return rng.permutation(z)


def sorted_columns(z, rng):
    return np.sort(z, axis=0)


def fresh_columns(z, rng):
    return np.stack([rng.permutation(z[:, 0]), rng.normal(size=len(z))], axis=1)


def one_column_twice(z, rng):
    return np.stack([z[:, 0], rng.permutation(z[:, 0])], axis=1)


def random_signs(z, rng):
    return z * rng.choice([-1, 1], size=z.shape)


def in_place(z, unevenness):
    total = unevenness(z)
    np.random.default_rng(5).shuffle(z[:, 0])
    return unevenness(z), total - unevenness(z)


RIGHT = {
    "07.6": [hand_in(), np.array([-0.8755, -0.8959, 0.0204])],
    "07.4": [divergence_by_shifting],
    "07.7": [elbo_at_once, elbo_with()],
    "07.8": [gap_by_lists, gap_with()],
    "07.9": [fair_by_loop, fair_by_factor],
    "07.10": [reasons_of(both_columns), reasons_of(rolled)],
    "07.5": [tour_by_steps],
}

WRONG = {
    "07.6": [
        (hand_in(log_p=math.log2(5 / 12)), "to the base 2"),
        (hand_in(log_p=5 / 12), "that is p(x) itself"),
        (hand_in(log_p=math.log(1 / 2)), "not equally likely"),
        (hand_in(elbo=-math.log(24) / 2), "divided by q"),
        (hand_in(elbo=math.log(5 / 12)), "not the logarithm of the mean"),
        (hand_in(elbo=-0.837), "The ELBO is the mean over q"),
        (hand_in(gap=ELBO_BY_HAND - math.log(5 / 12)), "never negative"),
        (hand_in(gap=0.4 * math.log(0.8) + 0.6 * math.log(1.2)), "minus the ELBO"),
        (hand_in(gap=0.1), "minus the ELBO"),
        (hand_in()[:2], "Return three numbers"),
    ],
    "07.4": [
        (divergence_reversed, "of p from q"),
        (divergence_of_variances, "not variances"),
        (divergence_from_standard, "p is ignored"),
        (divergence_off, "A constant is off"),
        (divergence_of_absolute_logarithm, "Not the divergence"),
        (divergence_of_sorted, "of p from q"),
        (divergence_without_signs, "Not the divergence"),
    ],
    "07.7": [
        (elbo_with(np.exp), "scaled by the variance"),
        (elbo_with(np.positive), "Not the mean of log p"),
        (elbo_with(lambda v: 0 * v), "Without noise"),
        (elbo_with(scale=np.sqrt), "below the squared error"),
        (elbo_with(constants=0), "own constant"),
        (elbo_with(kl_sign=-1), "to be subtracted"),
        (elbo_with(kl_sign=0), "KL divergence is missing"),
        (elbo_with(collect=np.sum), "not the sum"),
        (elbo_with(only_first=True), "Only the first sample"),
        (elbo_with(over=np.mean), "do not average"),
        (lambda *a: -elbo_with()(*a), "its negative, the cost"),
        (lambda *a: elbo_with()(*a).mean(), "One ELBO for each row"),
    ],
    "07.8": [
        (gap_with(cell_in_evidence=False), "log p(x): multiply each density"),
        (gap_with(cell_in_mean=False), "The ELBO: multiply each density"),
        (gap_with(guard=False), "log p(x) is not finite"),
        (gap_with(entropy=False), "-log q(z) is missing"),
        (gap_with(kl="turned"), "of the posterior from q"),
        (gap_with(kl="joint"), "divide it by p(x) first"),
        (gap_with(kl="none"), "The KL divergence is the mean over q"),
    ],
    "07.9": [
        (cheating, "own f is in it"),
        (without_baseline, "Without a baseline"),
        (summed, "take their mean"),
        (divided_by_all, "one less than all"),
        (of_the_next, "Not the estimate"),
    ],
    "07.10": [
        (reasons_of(rows_alone), "still there"),
        (reasons_of(sorted_columns), "a control changes one thing"),
        (reasons_of(fresh_columns), "a control changes one thing"),
        (reasons_of(random_signs), "a control changes one thing"),
        (reasons_of(one_column_twice), "a control changes one thing"),
        (lambda z, u: reasons_of(both_columns)(z, u)[::-1], "swapped"),
        (lambda z, u: (reasons_of(both_columns)(z, u)[0], u(z)), "minus the control"),
        (in_place, "changed its input"),
    ],
    "07.5": [
        (tour_without_end, "The last image is missing"),
        (tour_with_doubles, "appear twice"),
        (tour_of_codes, "Those are codes"),
        (tour_of_drawings, "mix the codes"),
        (tour_of_single_images, "expected shape"),
    ],
}
