"""A neural network and its training, with NumPy alone; written by Workings 0.1.0.

Layers Dense(3, 'tanh'), Dense(2); loss CrossEntropy(reduction='sum'); L2(lam=0.01);
SGD(lr=0.01), 20,000 epochs.

From rows X, the network computes its prediction p:

    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    s = z2 - z2.max(axis=1, keepdims=True)
    e = np.exp(s)
    p = e / e.sum(axis=1, keepdims=True)

Training repeats three things for each batch of rows. Forward: from X to the objective
J, which is small if p is near the targets y. Backward: the gradient of J with respect
to each parameter, by the chain rule. Update: a step of each parameter against its
gradient. The sections below stand in the order in which they run.
"""

import numpy as np

# -- Data -----------------------------------------------------------------------------

# Rows are samples: X has a column for each input, y holds the targets.
# The file is read from the current folder.
with np.load("moons-data.npz") as data:
    X, y = data["X"], data["y"]
X = np.ascontiguousarray(X, dtype=np.float64)
# One-hot encoding: one column per class.
classes = np.array([0, 1])
y = (y[:, None] == classes).astype(np.float64)

# -- Initial weights ------------------------------------------------------------------

rng = np.random.RandomState(0)
# W1: A normal distribution with variance 1 / fan_in (LeCun et al. 1998, eq. 16).
W1 = rng.standard_normal((2, 3)) / np.sqrt(2)
# b1: All zeros: for biases, but not for the weights of a hidden layer.
b1 = np.zeros((3,))
# W2: A normal distribution with variance 1 / fan_in (LeCun et al. 1998, eq. 16).
W2 = rng.standard_normal((3, 2)) / np.sqrt(3)
# b2: All zeros: for biases, but not for the weights of a hidden layer.
b2 = np.zeros((2,))

# -- Training -------------------------------------------------------------------------

lam = 0.01
epochs = 20000
n = len(X)
lr = 0.01
history = []

for epoch in range(epochs):
    # Forward: from the inputs to the objective.

    # layer 1: Dense(3, 'tanh')
    # z1 is each unit's weighted sum of its inputs plus its bias.
    z1 = X @ W1 + b1  # (n, 3)
    # tanh maps each value to the interval (-1, 1).
    a1 = np.tanh(z1)  # (n, 3)

    # layer 2: Dense(2)
    # z2 is each unit's weighted sum of its inputs plus its bias.
    z2 = a1 @ W2 + b2  # (n, 2)

    # loss: CrossEntropy(reduction='sum')
    # s are the logits minus each row's maximum: the softmax stays the same and cannot
    # overflow.
    s = z2 - z2.max(axis=1, keepdims=True)  # (n, 2)
    # The exponential of each shifted logit.
    e = np.exp(s)  # (n, 2)
    # p are the class probabilities: each exponential divided by the sum of its row.
    p = e / e.sum(axis=1, keepdims=True)  # (n, 2)
    # The logarithm of each probability.
    log_p = s - np.log(e.sum(axis=1, keepdims=True))  # (n, 2)
    # Each row's loss is the sum over the classes of target times -log p, which is -log
    # p of the true class if only its target is 1.
    losses = -(y * log_p).sum(axis=1, keepdims=True)  # (n, 1)
    # The loss is the sum over all rows and outputs.
    loss = losses.sum()  # scalar

    # L2(lam=0.01)
    # The objective J is the loss plus, for each W, lam/2 times the sum of its squared
    # entries.
    J = loss + lam / 2 * (W1**2).sum() + lam / 2 * (W2**2).sum()  # scalar

    # Backward: the gradient of the objective with respect to each value, from last to
    # first.

    # loss: CrossEntropy(reduction='sum')
    # dz2 is the prediction minus the target.
    dz2 = p - y  # (n, 2)

    # layer 2: Dense(2)
    # The gradient of the weights: each input times each unit's gradient, summed over
    # the rows; the L2 penalty pulls each weight towards 0 in proportion to its size.
    dW2 = a1.T @ dz2 + lam * W2  # (3, 2)
    # The gradient of the biases: each unit's gradient, summed over the rows.
    db2 = dz2.sum(axis=0)  # (2,)
    # The gradient of the inputs: the sum over the units of gradient times weight.
    da1 = dz2 @ W2.T  # (n, 3)

    # layer 1: Dense(3, 'tanh')
    # dz1 is the upstream gradient times the activation's derivative; the derivative of
    # tanh is 1 at a = 0 and approaches 0 at both ends.
    dz1 = da1 * (1 - a1**2)  # (n, 3)
    # The gradient of the weights: each input times each unit's gradient, summed over
    # the rows; the L2 penalty pulls each weight towards 0 in proportion to its size.
    dW1 = X.T @ dz1 + lam * W1  # (2, 3)
    # The gradient of the biases: each unit's gradient, summed over the rows.
    db1 = dz1.sum(axis=0)  # (3,)

    # Update: a step against the gradient.

    # optimizer: SGD(lr=0.01)
    # A step against the gradient.
    W1 = W1 - lr * dW1  # (2, 3)
    b1 = b1 - lr * db1  # (3,)
    W2 = W2 - lr * dW2  # (3, 2)
    b2 = b2 - lr * db2  # (2,)

    history.append(float(J) / n)

# -- Prediction -----------------------------------------------------------------------


def outputs(X):
    """Return the outputs p, of shape (n, 2), for rows X of shape (n, 2)."""
    z1 = X @ W1 + b1
    a1 = np.tanh(z1)
    z2 = a1 @ W2 + b2
    s = z2 - z2.max(axis=1, keepdims=True)
    e = np.exp(s)
    p = e / e.sum(axis=1, keepdims=True)
    return p


def predict(X):
    """Predict the most probable label for rows X."""
    return classes[outputs(X).argmax(axis=1)]


# -- Result ---------------------------------------------------------------------------

print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")
