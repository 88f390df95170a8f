"""Color pictures: too few of them, a residual network, what it looks at, where things are.

Pictures are (n, height, width, 3) float32 in [0, 1]. Boxes are (top, left, bottom,
right) in pixels; bottom and right lie outside. Chapter 05's second half.
"""

import math

import numpy as np

from dl_course import cnn, common, optimizers


def emoji_split(drawn=None):
    """The emoji of both artists, split by concept: no test concept is in training.

    Returns (x_train, y_train), (x_test, y_test): x (2972 or 732, 32, 32, 3) float32, y
    int64. The first half of each is Noto's, the second, in the same order, Twemoji's.
    `drawn` is `data.emoji()`, read again if None.
    """
    from dl_course import data

    drawn = data.emoji() if drawn is None else drawn
    splits = []
    for rows in (~drawn["is_test"], drawn["is_test"]):
        x = np.concatenate([drawn["google"][rows], drawn["twitter"][rows]])
        splits.append((x, np.tile(drawn["labels"][rows], 2)))
    return tuple(splits)


# ------------------------------------------------------------------------ networks


def augmentation():
    """Document 001's augmentation as Keras layers; in use they do nothing.

    Mirror left and right, turn by up to 10 degrees, move by up to a tenth of the width
    and height. What comes in at a border repeats the pixel there.
    """
    from keras import layers

    return [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(10 / 360, fill_mode="nearest"),  # in full turns
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
    ]


def stronger_augmentation():
    """`augmentation`, then a change of size, of contrast and of hue."""
    from keras import layers

    return [
        *augmentation(),
        layers.RandomZoom(0.15, fill_mode="nearest"),
        layers.RandomContrast(0.3, value_range=(0, 1)),
        layers.RandomHue(0.08, value_range=(0, 1)),
    ]


def build_document_color_cnn(x_train, classes, augment=()):
    """A tutorial's network (document 001) for 32 x 32 color pictures. Uncompiled.

    `augment`: layers to come first. A layer standardizes each channel by mean and
    deviation of `x_train`, so that nobody can forget to, or do it twice.
    """
    import keras
    from keras import layers

    x, axes = _pictures(x_train), (0, 1, 2)
    mean, variance = x.mean(axes, dtype=float), x.var(axes, dtype=float)  # (3,) each
    stack = [
        keras.Input((32, 32, 3)),
        *augment,
        layers.Normalization(mean=mean, variance=variance),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(classes, activation="softmax"),
    ]
    return keras.Sequential(stack)  # 315,722 trained parameters with 10 classes


def build_residual_cnn(classes, augment=(), *, filters=(16, 32, 64), shortcuts=True):
    """A small residual network (He et al., 2016) for 32 x 32 color pictures. Uncompiled.

    One block for each number in `filters`; between two blocks a convolution and a pool
    halve the map. Without `shortcuts` the blocks are plain stacks of two convolutions.
    """
    import keras
    from keras import layers

    def conv(x, number, size=3, strides=1, pool=False):
        options = {"strides": strides, "padding": "same", "use_bias": False}
        x = layers.Conv2D(number, size, **options)(x)
        return layers.BatchNormalization()(layers.MaxPooling2D(2)(x) if pool else x)

    inputs = x = keras.Input((32, 32, 3))
    for layer in augment:
        x = layer(x)
    x = layers.ReLU()(conv(x, filters[0], 5, 2))  # (batch, 16, 16, filters[0])
    for level, number in enumerate(filters):
        if level:
            x = layers.ReLU()(conv(x, number, pool=True))
        f = conv(layers.ReLU()(conv(x, number)), number)
        x = layers.ReLU(name=f"block{level}")(layers.Add()([x, f]) if shortcuts else f)
    x = layers.GlobalAveragePooling2D()(x)  # (batch, filters[-1])
    return keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))


def train(model, x, y, *, epochs, learning_rate=0.004, smoothing=0.1, callbacks=()):
    """Compile and train by chapter 05's recipe; return the history of `fit`.

    AdamW (weight decay 0.05), batches of 32. The learning rate climbs to `learning_rate`
    in the first fifth of all steps, then sinks to zero along a cosine. Targets are
    smoothed: the right class gets 1 - smoothing, and all classes share the rest.
    """
    import keras

    classes = model.outputs[0].shape[-1]
    steps = epochs * math.ceil(len(x) / 32)
    schedule = optimizers.cosine_decay(learning_rate, steps, warmup_steps=steps // 5)
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=smoothing)
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.05)
    model.compile(optimizer, loss, metrics=["accuracy"])
    targets = np.eye(classes, dtype="float32")[y]  # (n, classes)
    options = {"batch_size": 32, "epochs": epochs, "verbose": 0}
    return model.fit(x, targets, callbacks=[*callbacks], **options)


def fold_batch_norm(kernel, gamma, beta, mean, variance, *, epsilon=1e-3):
    """Kernel and bias that do what convolution and trained batch normalization do.

    gamma (k * x - mean) / √(variance + epsilon) + beta. The kernel's last axis is the
    filters, and so are all other arguments (filters,). Keras keeps them in this order.
    """
    scale = gamma / np.sqrt(variance + epsilon)
    return kernel * scale, beta - mean * scale


def residual_block(x, first, second):
    """ReLU(x + F(x)), F(x) = conv₂(ReLU(conv₁(x))), padding "same".

    `first`, `second`: (kernel, bias) as `fold_batch_norm` returns them.
    """
    hidden = np.maximum(cnn.conv2d(x, *first, padding="same"), 0)
    f = cnn.conv2d(hidden, *second, padding="same")
    if f.shape != np.shape(x):
        raise ValueError(f"x: expected the shape of F(x), {f.shape}, got {np.shape(x)}")
    return np.maximum(x + f, 0)


# ----------------------------------------------------------- what a network looks at


def field_of_unit(stack, size):
    """(first, width, step): unit i sees pixels first + i step, ..., width of them.

    `stack`: (kernel_size, strides) of each layer, first layer first, all with padding
    "same"; `size`: pixels along one direction. `first` is negative where units see
    padding.
    """
    first, step = 0, 1
    for kernel_size, strides in stack:
        before, _ = cnn.pad_amounts(size, kernel_size, strides=strides, padding="same")
        size = cnn.output_size(size, kernel_size, strides=strides, padding="same")
        first, step = first - before * step, step * strides
    return first, cnn.receptive_field(stack), step


def strongest_patches(images, maps, stack, channel, count=8):
    """What excites a channel most: the patch its strongest unit sees, an image each.

    Args:
        images: (n, size, size, 3); maps: (n, rows, columns, channels) made from them.
        stack: the layers up to the maps, as `field_of_unit` takes them.

    Returns (patches (count, width, width, 3), gray where outside; images' numbers).
    """
    images = _pictures(images)
    first, width, step = field_of_unit(stack, images.shape[1])
    values = np.asarray(maps)[..., channel].reshape(len(images), -1)
    numbers = np.argsort(-values.max(axis=1))[:count]
    margin = [(0, 0), (width, width), (width, width), (0, 0)]
    wide = np.pad(images[numbers], margin, constant_values=0.5)
    patches = []
    for picture, place in zip(wide, values[numbers].argmax(axis=1), strict=True):
        top, left = (first + width + step * i for i in divmod(place, maps.shape[2]))
        patches.append(picture[top : top + width, left : left + width])
    return np.stack(patches), numbers


def occlusion_map(predict, image, label, *, size=8, step=4, cover=1.0):
    """How much a covered window lowers the probability of `label` (Zeiler & Fergus).

    `predict(images)` gives probabilities (n, classes); `cover` is the color of the
    square, 1 for white. Returns (rows, columns) drops; positive: it hid evidence.
    """
    image = _pictures(np.asarray(image)[None])[0]
    if not 1 <= size <= min(image.shape[:2]):
        raise ValueError(f"size: expected 1 to {min(image.shape[:2])}, got {size}")
    places = [range(0, n - size + 1, step) for n in image.shape[:2]]
    copies = [image]
    for top in places[0]:
        for left in places[1]:
            copies.append(image.copy())
            copies[-1][top : top + size, left : left + size] = cover
    p = np.asarray(predict(np.stack(copies)))[:, label]
    return (p[0] - p[1:]).reshape([len(r) for r in places])


# ---------------------------------------------------------------- where things are


def iou(box, boxes):
    """Intersection over union of one box (4,) with boxes (n, 4): n numbers in [0, 1]."""
    box, boxes = _boxes(np.asarray(box)[None], "box"), _boxes(boxes, "boxes")
    top_left = np.maximum(box[:, :2], boxes[:, :2])
    bottom_right = np.minimum(box[:, 2:], boxes[:, 2:])
    common = np.prod(np.maximum(bottom_right - top_left, 0), axis=1)
    areas = [np.prod(b[:, 2:] - b[:, :2], axis=1) for b in (box, boxes)]
    return common / (areas[0] + areas[1] - common)


def non_max_suppression(boxes, scores, threshold=0.5):
    """Keep the best box, drop all that overlap it by IoU > threshold; repeat.

    boxes (n, 4), scores (n,). Returns the numbers of the kept boxes, best first.
    """
    boxes = _boxes(boxes, "boxes")
    scores = common.numbers(scores, "scores", len(boxes))
    kept, left = [], np.argsort(-scores, kind="stable")
    while len(left):
        best, others = left[0], left[1:]
        kept.append(int(best))
        left = others[iou(boxes[best], boxes[others]) <= threshold]
    return kept


# ----------------------------------------------------------------- one dimension


def both_ways(series, length, step):
    """Windows of a series as they are (label 1) and reversed in time (label 0).

    Returns x (2 windows, length, 1) float32 and y (2 windows,) int64.
    """
    series = np.asarray(series)
    if series.ndim != 1 or len(series) < length:
        raise ValueError(f"series: expected (n ≥ {length},), got {series.shape}")
    windows = np.lib.stride_tricks.sliding_window_view(series, length)[::step]
    x = np.concatenate([windows, windows[:, ::-1]])[..., None].astype(np.float32)
    return x, np.repeat([1, 0], len(windows))


# ------------------------------------------------------------------ checked arguments


def _pictures(x):
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[3] != 3 or x.dtype.kind != "f":
        wanted = "expected floats of shape (n, height, width, 3)"
        raise ValueError(f"pictures: {wanted}, got {x.dtype} {x.shape}")
    return x


def _boxes(boxes, name):
    boxes = np.asarray(boxes, float)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or (boxes[:, :2] >= boxes[:, 2:]).any():
        wanted = "expected (top, left, bottom, right), top < bottom, left < right"
        raise ValueError(f"{name}: {wanted}, got {boxes.tolist()}")
    return boxes
