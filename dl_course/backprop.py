"""Backpropagation. Made from notebooks/src/03_backpropagation.py: edit there."""

import numpy as np

from dl_course import common, network


def remember(x, layers):
    """The forward pass, keeping what the backward pass needs:

    a[0] = x,  z[l] = a[l] W[l] + b[l],  a[l+1] = f(z[l])  for l = 0, 1, ...

    x (batch, inputs); layers: (weights, bias, activation) each. Returns the lists a, one
    longer than `layers`, and z.
    """
    a, z = [x], []
    for weights, bias, name in layers:
        z.append(network.dense(a[-1], weights, bias))  # a W + b: (batch, units)
        a.append(network.activate(name, z[-1]))  # (batch, units)
    return a, z


def backward(layers, a, z, by_output):
    """Gradients of all weights from by_output = ∂L/∂a of the last layer.

    δ[l] = ∂L/∂a[l+1] ⊙ f'(z[l]),  ∂L/∂W[l] = a[l]ᵀ δ[l],  ∂L/∂b[l] = Σ_batch δ[l],
    and one layer down  ∂L/∂a[l] = δ[l] W[l]ᵀ.

    layers, a, z: as `remember` takes and gives them. by_output: (batch, outputs).
    Activations must work element by element.
    Returns two lists, the first layer first: (∂L/∂W, ∂L/∂b), and δ (batch, units).
    """
    if by_output.shape != a[-1].shape:
        raise ValueError(f"by_output: expected shape {a[-1].shape}, got {by_output.shape}")
    gradients, deltas = [], []
    for l in reversed(range(len(layers))):
        weights, _, name = layers[l]
        delta = by_output * network.slope(name, z[l])  # (batch, units)
        gradients.append((a[l].T @ delta, delta.sum(axis=0)))
        deltas.append(delta)
        if l > 0:
            by_output = delta @ weights.T  # (batch, inputs of the layer)
    return gradients[::-1], deltas[::-1]


def softmax_cross_entropy(logits, labels):
    """(loss, ∂loss/∂logits) of the mean cross-entropy: (softmax - one-hot) / batch.

    logits (batch, classes); labels (batch,), integers from 0 to classes - 1.
    """
    batch, classes = logits.shape
    labels = common.integers(labels, "labels", batch, below=classes)
    y = np.eye(classes, dtype=logits.dtype)[labels]  # (batch, classes), one-hot
    loss = network.categorical_crossentropy(y, logits, from_logits=True)
    return loss, (network.softmax(logits) - y) / batch


def loss_and_gradients(x, labels, layers):
    """Mean softmax cross-entropy of a network that ends linearly, and its gradients.

    x (batch, inputs), labels (batch,). Returns (loss, [(∂loss/∂W, ∂loss/∂b), ...]).
    """
    a, z = remember(x, layers)
    loss, by_logits = softmax_cross_entropy(a[-1], labels)
    return loss, backward(layers, a, z, by_logits)[0]
