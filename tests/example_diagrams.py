"""Diagrams of the kinds that chapters draw, each a function that a chapter can copy."""

from dl_course import plots
from dl_course.diagrams import Diagram


def gated_cell():
    """A GRU: the update gate z says how much of the old state is kept."""
    d = Diagram("""
        old    keep   .      plus   new
        .      z      less   mix    .
        .      reset  .      tanh   .
        .      r      .      .      .
        x      .      .      .      .
    """)
    d.data(old="$h_{t-1}$", new="$h_t$", x="$x_t$")
    d.operation(
        z="update gate\n$z = \\sigma(\\cdot)$", r="reset gate\n$r = \\sigma(\\cdot)$"
    )
    d.operation(tanh="candidate\n$\\tanh(\\cdot)$")
    d.circle(keep="×", reset="×", mix="×", plus="+", less="1−")
    d.arrow("old -> keep -> plus -> new")
    d.arrow("z -> keep")
    d.arrow("z -> less -> mix -> plus")
    d.arrow("r -> reset -> tanh -> mix")
    for gate in ("z", "reset", "r"):
        d.arrow(f"old -> {gate}", leave="below", enter="left")
    for gate in ("z", "r", "tanh"):
        d.arrow(f"x -> {gate}")
    return d


def transformer_block():
    """Attention, then a small network for each token, each added to what it was given."""
    d = Diagram("""
        out
        add2
        feed
        norm2
        add1
        heads
        norm1
        x
    """)
    d.data(x="token vectors", out="token vectors that\nknow their context")
    d.operation(norm1="layer normalization", heads="multi-head attention")
    d.operation(norm2="layer normalization", feed="feed-forward layers")
    d.circle(add1="+", add2="+")
    d.arrow(
        "x -> norm1 -> heads -> add1 -> norm2 -> feed -> add2 -> out", "(batch, time, d)"
    )
    d.arrow("x -> add1", leave="left", enter="left")
    d.arrow("add1 -> add2", leave="left", enter="left")
    d.group("norm1 heads add1 norm2 feed add2", "× N")
    return d


def two_players():
    """A GAN: two losses, and which weights a step on each of them moves."""
    d = Diagram("""
        noise    .
        G        .
        fake     real
        D        D
        lossG    lossD
    """)
    d.data(noise="noise", fake="drawn images", real="real images")
    d.operation(color=plots.PURPLE, G="generator G")
    d.operation(D="discriminator D")
    d.loss(lossG="G's loss:\ndrawn → 1", lossD="D's loss:\nreal → 1,\ndrawn → 0")
    d.arrow("noise -> G -> fake -> D", "(batch, 100)", "(batch, 28, 28, 1)")
    d.arrow("real -> D -> lossD")
    d.arrow("D -> lossG")
    d.arrow("lossG ~> G", "moves only\nG's weights", leave="left", enter="left")
    d.arrow("lossD ~> D", "moves only\nD's weights", leave="right", enter="right")
    return d


def sampling_step():
    """A variational autoencoder: the noise comes from outside, so that gradients pass."""
    d = Diagram("""
        x       x       .
        enc     enc     .
        mean    sigma   kl
        plus    times   noise
        z       .       .
        dec     .       .
        out     .       recon
    """)
    d.data(x="image x", z="latent z", out="image drawn from z")
    d.data(mean="mean $\\mu$", sigma="deviation $\\sigma$")
    d.operation(enc="encoder", dec="decoder")
    d.circle(plus="+", times="×")
    d.note(noise="noise\n$\\epsilon \\sim N(0, I)$")
    d.loss(kl="KL to\n$N(0, I)$", recon="reconstruction")
    d.arrow("x -> enc", "(batch, 784)")
    d.arrow("enc -> mean -> plus -> z -> dec -> out -> recon", "", "", "(batch, 2)")
    d.arrow("enc -> sigma -> times -> plus")
    d.arrow("noise -> times")
    d.arrow("sigma -> kl")
    d.arrow("mean -> kl", leave="above", enter="above")
    d.arrow("x -> recon", leave="right", enter="right")
    return d


def backward_pass():
    """One neuron with a squared error: values go down, gradients come back up."""
    d = Diagram("""
        w       x      .
        times   times  b
        plus    plus   plus
        .       minus  y
        .       square .
    """)
    d.parameter(w="w = 2", b="b = −1")
    d.data(x="x = 3", y="y = 4")
    d.operation(times="w · x", plus="w · x + b", minus="error e")
    d.loss(square="$e^2$ = 1")
    d.arrow("w -> times")
    d.arrow("x -> times -> plus -> minus -> square", "", "6", "5", "1")
    d.arrow("b -> plus")
    d.arrow("y -> minus")
    d.arrow("square ~> minus ~> plus ~> times ~> w", "2", "2", "2", "6")
    d.arrow("plus ~> b", "2")
    return d


def data_split():
    """Which part of the data does what."""
    d = Diagram("""
        all     all     all     all     all
        train   train   train   valid   test
        fit     fit     fit     choose  report
    """)
    d.data(all="10,000 labeled images")
    d.data(train="training: 6,000", valid="validation:\n2,000", test="test:\n2,000")
    d.note(fit="fit the weights", choose="choose settings", report="report, once")
    d.arrow("all -> train -> fit")
    d.arrow("all -> valid -> choose")
    d.arrow("all -> test -> report")
    return d


def message_passing():
    """In one step a node hears its neighbors only; what a says reaches e in two."""
    d = Diagram("""
        a   .   .   b
        .   c   .   .
        .   .   .   d
        e   .   .   .
    """)
    d.circle(a="a", b="b", d="d", e="e")
    d.circle(color=plots.BLUE, c="c")
    for node in "abde":
        d.arrow(f"{node} -> c", f"$h_{node}$", straight=True)
    d.arrow("b -- d", straight=True)
    return d


def attention_heads():
    """Two heads look at the same tokens in two ways."""
    d = Diagram("""
        x       x       x
        q       k       v
        score   score   .
        soft    soft    .
        mix     mix     mix
        join    join    join
    """)
    d.data(x="token vectors", join="to the other heads' outputs")
    d.parameter(q="$W_Q$", k="$W_K$", v="$W_V$")
    d.operation(score="$QK^T / \\sqrt{d}$", soft="softmax", mix="weighted sum of V")
    d.arrow("x -> q -> score", "", "Q")
    d.arrow("x -> k -> score", "", "K")
    d.arrow("x -> v -> mix", "", "V")
    d.arrow("score -> soft -> mix -> join", "(time, time)", "weights", "(time, d)")
    d.group("q k v score soft mix", "× heads")
    return d


def recurrence():
    """A layer whose output comes back as an input, one time step later."""
    d = Diagram("x cell y")
    d.data(x="$x_t$", y="$y_t$")
    d.operation(cell="recurrent layer")
    d.arrow("x -> cell -> y")
    d.arrow("cell -> cell", "$h_t$")
    return d


ALL = [
    gated_cell, transformer_block, two_players, sampling_step, backward_pass, data_split,
    message_passing, attention_heads, recurrence,
]  # fmt: skip
