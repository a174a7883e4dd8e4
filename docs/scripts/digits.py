"""A neural network and its training, with NumPy alone; written by Workings 0.1.0.

Layers Dense(200, 'sigmoid'), Dense(10); loss CrossEntropy(); SGD(lr=0.01), 10 epochs.

From rows X, the network computes its prediction p:

    z1 = X @ W1 + b1
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))
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
with np.load("digits-data.npz") as data:
    X, y = data["X"], data["y"]
X = np.ascontiguousarray(X, dtype=np.float64)
# One-hot encoding: one column per class.
classes = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
y = (y[:, None] == classes).astype(np.float64)
X_all, y_all = X, y

# -- Initial weights ------------------------------------------------------------------

rng = np.random.RandomState(0)
# W1: A normal distribution with variance 1 / fan_in (LeCun et al. 1998, eq. 16).
W1 = rng.standard_normal((64, 200)) / np.sqrt(64)
# b1: All zeros: for biases, but not for the weights of a hidden layer.
b1 = np.zeros((200,))
# W2: A normal distribution with variance 1 / fan_in (LeCun et al. 1998, eq. 16).
W2 = rng.standard_normal((200, 10)) / np.sqrt(200)
# b2: All zeros: for biases, but not for the weights of a hidden layer.
b2 = np.zeros((10,))

# -- The objective on all rows --------------------------------------------------------


def objective(X, y):
    """Return the objective J in inference mode, 1,248 rows at a time."""
    n = len(X)
    X_all, y_all, losses_all = X, y, []
    for start in range(0, n, 1248):
        X, y = X_all[start : start + 1248], y_all[start : start + 1248]
        z1 = X @ W1 + b1
        a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))
        z2 = a1 @ W2 + b2
        s = z2 - z2.max(axis=1, keepdims=True)
        e = np.exp(s)
        log_p = s - np.log(e.sum(axis=1, keepdims=True))
        losses = -(y * log_p).sum(axis=1, keepdims=True)
        losses_all.append(losses)
    X, y, losses = X_all, y_all, np.concatenate(losses_all)
    J = losses.sum() / n
    return J


# -- Training -------------------------------------------------------------------------

epochs = 10
batch_size = 1
n_all = len(X_all)
lr = 0.01
history = []

for epoch in range(epochs):
    # The objective on all rows, with the parameters at the beginning of the epoch.
    history.append(float(objective(X_all, y_all)))
    for start in range(0, n_all, batch_size):
        X, y = X_all[start : start + batch_size], y_all[start : start + batch_size]
        n = len(X)

        # Forward: from the inputs to the objective.

        # layer 1: Dense(200, 'sigmoid')
        # z1 is each unit's weighted sum of its inputs plus its bias.
        z1 = X @ W1 + b1  # (n, 200)
        # sigmoid maps each value to the interval (0, 1).
        # max(z1, -88) replaces values below -88 by -88, so that exp cannot overflow;
        # float32 ends near exp(88.7).
        a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))  # (n, 200)

        # layer 2: Dense(10)
        # z2 is each unit's weighted sum of its inputs plus its bias.
        z2 = a1 @ W2 + b2  # (n, 10)

        # loss: CrossEntropy()
        # s are the logits minus each row's maximum: the softmax stays the same and
        # cannot overflow.
        s = z2 - z2.max(axis=1, keepdims=True)  # (n, 10)
        # The exponential of each shifted logit.
        e = np.exp(s)  # (n, 10)
        # p are the class probabilities: each exponential divided by the sum of its row.
        p = e / e.sum(axis=1, keepdims=True)  # (n, 10)

        # Backward: the gradient of the objective with respect to each value, from last
        # to first.
        # dz2 is the prediction minus the target, divided by the number of rows, because
        # the loss is a mean.
        dz2 = (p - y) / n  # (n, 10)

        # layer 2: Dense(10)
        # The gradient of the weights: each input times each unit's gradient, summed
        # over the rows.
        dW2 = a1.T @ dz2  # (200, 10)
        # The gradient of the biases: each unit's gradient, summed over the rows.
        db2 = dz2.sum(axis=0)  # (10,)
        # The gradient of the inputs: the sum over the units of gradient times weight.
        da1 = dz2 @ W2.T  # (n, 200)

        # layer 1: Dense(200, 'sigmoid')
        # dz1 is the upstream gradient times the activation's derivative; the derivative
        # of sigmoid is largest, 1/4, at a = 1/2 and approaches 0 at both ends.
        dz1 = da1 * (a1 * (1 - a1))  # (n, 200)
        # The gradient of the weights: each input times each unit's gradient, summed
        # over the rows.
        dW1 = X.T @ dz1  # (64, 200)
        # The gradient of the biases: each unit's gradient, summed over the rows.
        db1 = dz1.sum(axis=0)  # (200,)

        # Update: a step against the gradient.

        # optimizer: SGD(lr=0.01)
        # A step against the gradient.
        W1 = W1 - lr * dW1  # (64, 200)
        b1 = b1 - lr * db1  # (200,)
        W2 = W2 - lr * dW2  # (200, 10)
        b2 = b2 - lr * db2  # (10,)

# X, y and n hold the last batch; from here on, they hold all rows.
X, y, n = X_all, y_all, n_all

# -- Prediction -----------------------------------------------------------------------


def outputs(X):
    """Return the outputs p, of shape (n, 10), for rows X of shape (n, 64)."""
    z1 = X @ W1 + b1
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))
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
