# %% [markdown]
# Six digits, and two maps of what a network makes of each.

# %%
from dl_course import cnn, common, craft, data, insight

(x, y), (x_test, y_test) = data.mnist()
rng = np.random.default_rng(seed(1))
model = insight.build_digit_cnn()
settings = {"num_steps": 300, "batch_size": 128, "learning_rate": 0.01}
common.train(model, x, y, rng, **settings)
correct = common.predict(model, x_test).argmax(axis=1) == y_test
claim("test accuracy", correct.mean(), at_least=0.8)

# %% tags=["figure"]
shown, classes = x_test[correct][:40], y_test[correct][:40]
slopes = insight.input_gradient(model, shown, classes)
shares = insight.integrated_gradients(model, shown, classes, num_steps=100)
maps = np.concatenate([shown[:6], slopes[:6], shares[:6]])[..., 0]
figure = cnn.draw_maps(maps, columns=6)
plots.show(figure, alt="Six digits; speckled maps below; then clean strokes.")

# %% [markdown]
# Six digits; below each, the gradient of its score; below that, its integrated
# gradients. In the maps, blue speaks for the digit and red against it. Both maps claim
# to explain the same answer of the same network. Which should one believe? Such maps
# can decide whether people trust a diagnosis. So this chapter puts the explanations
# themselves to the test. (Covering a part of the picture and watching the answer is a
# third way; see [chapter 05b](05b_color_images.ipynb).)

# %% [markdown]
# ## Recall
#
# 1. What does reverse mode deliver in one pass backward?
# 2. What does a score $f_c(x)$ become by softmax?
# 3. What is the gradient of a ReLU where its input is negative?
#
# <details><summary>Answer</summary>
#
# 1. The slope of one number by *all* inputs (chapter 03).
# 2. A probability, which also depends on the other classes' scores (chapter 02).
# 3. Zero: what is off passes nothing back.
#
# </details>

# %% [markdown]
# ## 1. Which pixel moves the score?
#
# Training asks how the loss moves with the weights. Ask instead how $f_c$, the score of
# class $c$, moves with the pixels $x$ (Simonyan et al., 2014):
#
# $$g = \frac{\partial f_c(x)}{\partial x}$$

# %%
reveal(insight.input_gradient)

# %% [markdown]
# A gradient promises something: after a small step $\varepsilon g$ the score has grown
# by $\varepsilon\lVert g\rVert^2$.
#
# We measure it between a step back and a step ahead, a way of $2\varepsilon$.
#
# **Predict.** Will that hold for a network of ReLUs, which has a kink wherever a unit
# switches on?


# %%
def scores_of(images, model=model):  # of the classes that are to be explained
    return common.predict(model, images)[np.arange(len(images)), classes]


def total(maps):  # one number an image
    return maps.sum(axis=(1, 2, 3))


small = 1e-3
grown = scores_of(shown + small * slopes) - scores_of(shown - small * slopes)
ratio = grown / (2 * small * total(slopes**2))
claim("measured growth / promised", np.median(ratio), equals=1, tolerance=0.03)

# %% [markdown]
# It holds for a small step. So the speckled map is right: it says how the score would
# move if a pixel moved *a little*. What of a large change? Put ink on the ten pixels of
# largest slope, and, for comparison, on ten random ones.
#
# **Predict.** By how much more does the score grow? And are the ten steepest pixels
# part of the digit?


# %%
def light_up(order):  # the first ten pixels of each row become ink
    changed = shown.reshape(40, -1).copy()
    np.put_along_axis(changed, order[:, :10], 1.0, axis=1)
    return scores_of(changed.reshape(shown.shape)) - scores_of(shown)


steepest = np.argsort(-slopes.reshape(40, -1), axis=1)
random = np.argsort(rng.random((40, 784)), axis=1)
lead = np.mean(light_up(steepest) - light_up(random))
claim("steepest ten - random ten, growth of score", lead, at_least=0.3)
ink = np.take_along_axis(shown.reshape(40, -1), steepest[:, :10], axis=1)
claim("share of the steepest ten that is blank", np.mean(ink < 0.1), at_least=0.1)

# %% [markdown]
# The map points at pixels that matter *if they change*. Some of them are blank paper,
# where ink would help. That is no answer to another question: what has the ink that
# *is* there contributed?

# %% [markdown]
# ## 2. How much did each pixel contribute?
#
# Take a single input and $f(x) = 1 - \mathrm{ReLU}(1 - x)$. It grows from 0 to 1, and
# is flat beyond. At $x=2$ the gradient is 0. Yet the input has made all the difference
# between $f(0)=0$ and $f(2)=1$.
#
# **Predict.** What is the *mean* gradient on the way from 0 to 2?

# %%
way = 2 * (np.arange(100) + 0.5) / 100
slope_on_way = (way < 1).astype(float)
print("at the end", slope_on_way[-1], " mean", slope_on_way.mean())
print("input times mean gradient:", 2 * slope_on_way.mean())

# %% [markdown]
# Multiply by the distance gone, and the whole difference is explained. That is
# **integrated gradients** (Sundararajan et al., 2017), for pixel $i$ from a baseline
# $x^0$, here white paper:
#
# $$a_i = (x_i - x^0_i)\int_0^1 \frac{\partial f_c}{\partial x_i}
# \bigl(x^0 + t\,(x - x^0)\bigr)\,dt$$
#
# By the chain rule, the shares add up to $f_c(x)-f_c(x^0)$: **completeness**. Every
# bit of score is handed to some pixel. The function below takes the mean over the
# midpoints of `num_steps` equal steps for the integral.

# %%
reveal(insight.integrated_gradients)

# %% [markdown]
# The maps at the top, `shares`, were made with 100 steps.
#
# **Predict.** Do they add up, up to one percent? And how far off is the gradient at the
# end alone, times the input?

# %%
difference = scores_of(shown) - scores_of(np.zeros_like(shown))


def gap(maps):  # relative to the difference that is to be explained
    return np.mean(np.abs(total(maps) - difference)) / np.mean(np.abs(difference))


claim("integrated gradients: not explained", gap(shares), at_most=0.01)
claim("input x gradient: not explained", gap(shown * slopes), at_least=0.05)

# %% tags=["figure"]
steps = [1, 2, 4, 8, 16, 32]
gaps = []
for n in steps:
    ig = insight.integrated_gradients(model, shown, classes, num_steps=n)
    gaps.append(gap(ig))
figure, axis = plt.subplots(figsize=(6.4, 2.6))
axis.loglog(steps, gaps, "o-")
axis.axhline(0.01, color=plots.BLACK, ls=":")
axis.set(xlabel="steps of the integral", ylabel="share not explained")
axis.set_xticks(steps, steps)
axis.minorticks_off()
plots.show(figure, alt="The unexplained share falls with the number of steps.")

# %% [markdown]
# What is not explained, against the number of steps; the dotted line is one percent.
# Each step costs one gradient. Completeness can be *checked*, so check it. It does not
# make the shares true: they depend on the baseline, and blank paper is a choice.

# %% [markdown]
# ## 3. Where does it look?
#
# Pixels are too fine for "where". Look at the maps $A_k$ of the last convolution: each
# has seven by seven places $ij$. **Grad-CAM** (Selvaraju et al., 2017) weighs each map
# by its mean gradient, adds the maps up, and keeps what speaks *for* the class:
#
# $$L = \mathrm{ReLU}\Bigl(\sum_k \alpha_k A_k\Bigr), \qquad
# \alpha_k = \operatorname{mean}_{ij}\frac{\partial f_c}{\partial A_{k,ij}}$$
#
# Our network ends with a mean over all places and a dense layer of weights $w_{kc}$.
# Then the gradient is known without any backward pass: $\alpha_k$ is $w_{kc}$, divided
# by the number of places (Zhou et al., 2016).

# %%
reveal(insight.direct_cam)

# %% [markdown]
# **Predict.** How far apart are Grad-CAM and this shortcut?

# %%
import keras

below = keras.Sequential([keras.Input((None, None, 1)), *model.layers[:3]])
kernel = model.layers[-1].get_weights()[0]
cam = insight.grad_cam(model, shown, classes)
direct = insight.direct_cam(common.predict(below, shown), kernel, classes)
claim("Grad-CAM - direct computation", np.abs(cam - direct).max(), at_most=1e-5)

# %% [markdown]
# Does it point? Put two digits side by side. The network has never seen a pair, but
# takes any size. Ask for the left digit's class, then for the right one's.
#
# **Predict.** How often does the strongest place lie in the half of the digit that was
# asked for? A coin gets one half.

# %%
left, right = np.arange(0, 800), np.arange(800, 1600)
differ = y_test[left] != y_test[right]
left, right = left[differ], right[differ]
pairs = insight.two_digits(x_test[left], x_test[right])
for_left = insight.grad_cam(model, pairs, y_test[left])  # (n, 7, 14)
for_right = insight.grad_cam(model, pairs, y_test[right])
hits = for_left.max(axis=1).argmax(axis=1) < 7  # its column is in the left half
hits = np.append(hits, for_right.max(axis=1).argmax(axis=1) >= 7)
claim("the strongest place lies on the asked digit", hits.mean(), at_least=0.62)

# %% tags=["figure"]
figure, axes = plt.subplots(2, 4, figsize=(8, 2.3))
for i, column in enumerate(axes.T):
    asked = [(y_test[left[i]], for_left[i]), (y_test[right[i]], for_right[i])]
    for axis, (digit, heat) in zip(column, asked, strict=True):
        axis.imshow(pairs[i, :, :, 0], extent=(0, 56, 28, 0))
        axis.imshow(heat, "Oranges", alpha=0.55, extent=(0, 56, 28, 0))
        axis.set_title(f"why {digit}?", loc="center", fontsize=9)
        axis.set_axis_off()
plots.show(
    figure, alt="Pairs of digits; the warm spots lie on the asked one mostly."
)

# %% [markdown]
# Four pairs, asked twice. Mostly the warm spot moves to the digit that was asked for.
# Not always: this small network takes pieces of one digit for evidence of another.
# That is a fact about the network, and a map that hid it would be worse.

# %% [markdown]
# ## 4. Would it look the same if the network knew nothing?
#
# A map can look right for the wrong reason. So Adebayo et al. (2018) throw the
# knowledge away: they draw new random weights, first for the last layer, then for the
# one before, and so on, and compute the map again each time. A map that explains the
# *network* must change.
#
# Four candidates: the gradient; Grad-CAM; **guided backpropagation** (Springenberg et
# al., 2015), famous for its crisp pictures, which drops negative gradients at each
# ReLU; and a detector of edges that never saw any network.

# %%
reveal(insight.guided_relu)


# %%
def absolute_maps(kept):  # with the trained weights of the lowest `kept` layers
    network = insight.twin(model, kept=kept)
    guided = insight.twin(network, guided=True)
    return {
        "gradient": np.abs(insight.input_gradient(network, shown, classes)),
        "guided backpropagation": np.abs(
            insight.input_gradient(guided, shown, classes)
        ),
        "Grad-CAM": insight.grad_cam(network, shown, classes),
        "edges": insight.edges(shown),
    }


# %% [markdown]
# How alike are two maps? Compare the order of their pixels, from weak to strong, by
# **rank correlation**: 1 means the same order, 0 none in common.
#
# **Predict.** At first only the last layer becomes random, and the network answers by
# chance. Whose map changes most, and whose least?

# %%
seed(2)
levels = [4, 3, 2, 1, 0]
series = [absolute_maps(kept) for kept in levels]
kept_order = {
    name: [
        np.nanmean(insight.rank_correlation(series[0][name], maps[name]))
        for maps in series
    ]
    for name in series[0]
}
gradient, guided = kept_order["gradient"], kept_order["guided backpropagation"]
claim("gradient, last layer random", gradient[1], at_most=0.7)
claim("guided, last layer random", guided[1], at_least=0.6)
claim("guided - gradient", guided[1] - gradient[1], at_least=0.1)
claim("Grad-CAM, last layer random", kept_order["Grad-CAM"][1], at_most=0.5)
claim("edges never change", kept_order["edges"][-1], equals=1, tolerance=1e-6)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.8, 3))
styles = ["o-", "s--", "^-.", "d:"]
for (name, values), style in zip(kept_order.items(), styles, strict=True):
    axis.plot(range(5), values, style, label=name)
axis.set_xticks(range(5), ["none", "scores", "+ maps", "+ second", "all"])
axis.set(xlabel="layers made random", ylabel="rank correlation")
axis.legend(loc="center left", bbox_to_anchor=(1, 0.5))
plots.show(
    figure, alt="Edges stay at 1, guided falls a little, gradient falls far."
)

# %% [markdown]
# How much of each map is left. Grad-CAM loses most, the gradient much: they depend on
# what the network knows. Edges keep everything, for there is no network in them. And
# guided backpropagation keeps most of its map though the answers are random: it
# **fails**. It draws the picture, not the reason. (Nie et al., 2018, say why: it
# partly recovers the image.) See for yourself:

# %% tags=["figure"]
rows = [series[i][name][0, ..., 0] for name in ("gradient", "guided backpropagation")
        for i in range(5)]  # fmt: skip
titles = ["trained", "scores", "+ maps", "+ second", "all random"] + [""] * 5
figure = plots.images(rows, titles, columns=5)
plots.show(
    figure, alt="Gradient maps change; guided maps keep the digit's outline."
)

# %% [markdown]
# One digit: the gradient above, guided backpropagation below, from the trained network
# to a random one. With random scores the lower row is as crisp as before. The upper
# row shows the digit, too: slopes are larger where there is ink. So never judge by the
# outline; compare the order.
#
# What about integrated gradients, which are complete?
#
# **Predict.** The last layer is random again. Do they pass the test?

# %%
stranger = insight.twin(model, kept=3)
other = np.abs(insight.integrated_gradients(stranger, shown, classes))
whole = insight.rank_correlation(np.abs(shares), other)
on_ink = [
    insight.rank_correlation(np.abs(a[ink])[None], b[ink][None])[0]
    for a, b, ink in zip(shares, other, shown > 0, strict=True)
]
claim("all pixels", np.mean(whole), at_least=0.9)
claim("pixels with ink", np.mean(on_ink), at_most=0.75)

# %% [markdown]
# Over all pixels they seem to fail. But they multiply by the image: no ink, no share,
# whatever the network knows. On the ink itself they do change, and pass. So the test
# needs care, too: ask what a method puts into its picture by construction.
#
# *Today.* Research looks at parts of networks, not only at maps of inputs. Sparse codes
# found millions of features in a large language model, many of them readable. The
# authors say what is missing: a principled measure of how good such features are
# (Templeton et al., 2024).

# %% [markdown]
# ## 5. Which column does a table's model need?
#
# No pixels here: the cars of chapter 02, six columns and a seventh of pure noise, and
# miles per gallon to predict. **Permutation importance** (Breiman, 2001): shuffle a
# column of the *test* rows, and see how much the error grows.

# %%
reveal(insight.permutation_importance)

# %% [markdown]
# For a linear model with weights $w_j$ the answer is known. Shuffled values $x_j'$ differ
# from the true ones by $x_j'-x_j$, whose mean square is $2\operatorname{Var}(x_j)$. On
# the rows of a least squares fit, errors and columns are uncorrelated, and the growth
# of the error is
#
# $$I_j = 2\,w_j^2\operatorname{Var}(x_j)$$

# %%
rng = np.random.default_rng(seed(3))
cars = craft.clean_cars(data.cars())
table, miles, _ = craft.car_arrays(cars)
fit, held = craft.split_groups([car["Name"] for car in cars], (0.7, 0.3), rng)
z = craft.preprocess(table, craft.fit_statistics(table[fit]))
z = np.column_stack([z, rng.normal(size=len(z))]).astype("float32")
names = ["cylinders", "displacement", "horsepower", "weight", "acceleration",
         "year", "noise"]  # fmt: skip
flat = np.column_stack([z, np.ones(len(z))])
w = np.linalg.lstsq(flat[fit], miles[fit], rcond=None)[0]


def linear(z):
    return z @ w[:-1] + w[-1]


# %%
single = [[j] for j in range(7)]
settings = {"columns": single, "rng": rng, "repeats": 100}
measured = insight.permutation_importance(linear, z[fit], miles[fit], **settings)
formula = 2 * w[:-1] ** 2 * z[fit].var(axis=0)
gap_in_sum = measured.mean(axis=1).sum() / formula.sum() - 1
claim("measured / formula - 1", gap_in_sum, equals=0, tolerance=0.05)

# %% [markdown]
# Now a network. Four columns say how big a car is: cylinders, displacement,
# horsepower, weight. They are strongly correlated.
#
# **Predict.** If one of them is shuffled, the others still tell the size. How much more
# does the error grow if all four are shuffled together?

# %%
network = craft.build_mlp(7, 1, units=32)
network.compile(keras.optimizers.Adam(0.01), "mse")
center = miles[fit].mean()
_ = network.fit(z[fit], miles[fit] - center, batch_size=64, epochs=60, verbose=0)


def predict(z):
    return common.predict(network, z)[:, 0] + center


settings = {"columns": [*single, [0, 1, 2, 3]], "rng": rng, "repeats": 20}
growth = insight.permutation_importance(predict, z[held], miles[held], **settings)
size = growth.mean(axis=1)[7]
claim("size as a whole / its strongest column",
      size / growth.mean(axis=1)[:4].max(), at_least=1.15)  # fmt: skip
claim("noise / size", growth.mean(axis=1)[6] / size, at_most=0.1)

# %% tags=["figure"]
figure, axis = plt.subplots(figsize=(6.4, 2.8))
labels = [*names, "the first four"]
axis.barh(labels, growth.mean(axis=1), xerr=growth.std(axis=1), color=plots.SKY)
axis.invert_yaxis()
axis.set(xlabel="growth of the squared error (miles per gallon, squared)")
plots.show(
    figure, alt="Bars: weight and year lead; the first four together far more."
)

# %% [markdown]
# Mean and deviation over 20 shuffles. A column looks less important than it is as long
# as its twins speak for it. Importance belongs to a model *and* to the company a column
# keeps. It says what this model uses, not what makes cars thirsty in the world.

# %% [markdown]
# ## Where the tutorials go wrong
#
# ### One word twice (E050, E209)
#
# Two documents list the same thing twice, once as *interpretability*, once as
# *explainability*. There is a difference worth keeping (Lipton, 2018; Molnar, 2022).
# A model is **interpretable** if one can read how it works. An **explanation** comes
# afterwards, from outside, about a model that one cannot read. Sections 1 to 5 explain.
# The linear model can be read:

# %% tags=["E050", "E209"]
for name, weight in sorted(zip(names, w, strict=False), key=lambda p: -abs(p[1])):
    print(f"{name:13}", "more miles" if weight > 0 else "fewer miles")

# %% [markdown]
# The strongest come first, for columns scaled to the same deviation. Mind the twins
# here, too: a larger displacement seems to save fuel, because weight already stands for
# size. Must one pay for a readable model with accuracy?
#
# **Predict.** The share of variance explained, linear and network, on unseen cars?


# %%
def explained(model):
    return 1 - np.mean((model(z[held]) - miles[held]) ** 2) / miles[held].var()


claim("linear model, explained", explained(linear), at_least=0.65)
price = explained(predict) - explained(linear)
claim("the network explains more by", price, at_most=0.2)

# %% [markdown]
# Not much. Where a decision weighs heavily and a readable model is nearly as good, use
# the readable one instead of explaining the other (Rudin, 2019).
#
# ### A probability is not a score
#
# Many listings differentiate the softmax output instead of the score.
#
# **Predict.** Take the digit the network is surest of. How large is the probability's
# gradient, compared with the score's?

# %%
sure = keras.Sequential([model, keras.layers.Softmax()])
p = common.predict(sure, shown).max(axis=1)
of_score = np.abs(slopes).max(axis=(1, 2, 3))
of_probability = np.abs(insight.input_gradient(sure, shown, classes))
loss = of_probability.max(axis=(1, 2, 3)) / of_score
claim("surest digit: what is left", loss[p.argmax()], at_most=0.05)

# %% [markdown]
# Next to nothing is left. By the chain rule, the slope of a probability carries a
# factor $p(1-p)$, which vanishes for sure answers. Explain the score.

# %% [markdown]
# ## Exercises
#
# ### Exercise 11b.1: check a gradient
#
# *15 minutes.* Differentiate any function of an array by central differences: one entry
# at a time, a `step` ahead and a `step` back.


# %% tags=["exercise"]
def slopes_by_differences(f, x, step):
    """f takes an array of x's shape and gives a number. Return x's shape."""
    raise NotImplementedError


check("11b.1", slopes_by_differences)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Change one entry at a time; `np.ndindex(x.shape)` visits all.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Work on copies, so that `x` stays as it is.
#
# </details>
# <details><summary>Hint 3</summary>
#
# $(f(x+h)-f(x-h))\,/\,2h$.
#
# </details>


# %% tags=["solution"]
def slopes_by_differences_solution(f, x, step):
    result = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        move = np.zeros(x.shape)
        move[place] = step
        result[place] = (f(x + move) - f(x - move)) / (2 * step)
    return result


check("11b.1", slopes_by_differences_solution, solution=True)

# %% [markdown]
# ### Exercise 11b.2: integrate
#
# *20 minutes.* Integrated gradients for any gradient function, with `n` midpoints.


# %% tags=["exercise"]
def attributions(gradient, x, baseline, n):
    """gradient(x) has x's shape, and so has the result."""
    raise NotImplementedError


check("11b.2", attributions)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# The midpoints are $t = (k+\frac12)/n$ for $k = 0,\dots,n-1$.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The way leads from the baseline to `x`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Mean gradient, times `x - baseline`.
#
# </details>


# %% tags=["solution"]
def attributions_solution(gradient, x, baseline, n):
    way = [baseline + (k + 0.5) / n * (x - baseline) for k in range(n)]
    return (x - baseline) * np.mean([gradient(point) for point in way], axis=0)


check("11b.2", attributions_solution, solution=True)

# %% [markdown]
# ### Exercise 11b.3: the same order?
#
# *15 minutes.* The rank correlation of two lists of different numbers: the ordinary
# correlation of their ranks.


# %% tags=["exercise"]
def same_order(a, b):
    """a and b (n,), no ties. Return a number from -1 to 1."""
    raise NotImplementedError


check("11b.3", same_order)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# `np.argsort` gives the order, not the ranks.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The ranks are the `argsort` of the `argsort`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `np.corrcoef` of the ranks is a matrix; take the entry `[0, 1]`.
#
# </details>


# %% tags=["solution"]
def same_order_solution(a, b):
    ranks = [np.argsort(np.argsort(values)) for values in (a, b)]
    return np.corrcoef(*ranks)[0, 1]


check("11b.3", same_order_solution, solution=True)

# %% [markdown]
# ### Exercise 11b.4: a group of columns
#
# *20 minutes, a small project.* Growth of the mean squared error when the columns in
# `group` are shuffled *together*, by the given order of rows. Then ask the network of
# section 5 about weight and year as a pair.


# %% tags=["exercise"]
def growth_of_error(predict, x, y, group, order):
    """predict(x) gives (n,); order is a permutation of the n rows."""
    raise NotImplementedError


check("11b.4", growth_of_error)

# %% [markdown]
# <details><summary>Hint 1</summary>
#
# Copy `x` first: whoever calls the function still needs it.
#
# </details>
# <details><summary>Hint 2</summary>
#
# All columns of the group come from the same row: `x[order][:, group]`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Error after minus error before.
#
# </details>


# %% tags=["solution"]
def growth_of_error_solution(predict, x, y, group, order):
    shuffled = x.copy()
    shuffled[:, group] = x[order][:, group]
    after, before = (np.mean((predict(rows) - y) ** 2) for rows in (shuffled, x))
    return after - before


check("11b.4", growth_of_error_solution, solution=True)
