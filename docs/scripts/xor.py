"""A neural network and its training, with NumPy alone; written by Workings 0.1.0.

Layers Dense(4, 'sigmoid', bias=False), Dense(5, 'sigmoid', bias=False), Dense(1,
'sigmoid', bias=False); loss SquaredError(reduction='sum', half=True); SGD(lr=0.1),
5,000 epochs.

From rows X, the network computes its prediction p:

    z1 = X @ W1
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))
    z2 = a1 @ W2
    a2 = 1 / (1 + np.exp(-np.maximum(z2, -88)))
    z3 = a2 @ W3
    a3 = 1 / (1 + np.exp(-np.maximum(z3, -88)))
    p = a3

Training repeats three things for each batch of rows. Forward: from X to the objective
J, which is small if p is near the targets y. Backward: the gradient of J with respect
to each parameter, by the chain rule. Update: a step of each parameter against its
gradient. The sections below stand in the order in which they run.
"""

import numpy as np

# -- Data -----------------------------------------------------------------------------

# Rows are samples: X has a column for each input, y holds the targets.
# fmt: off
X = np.array([
    [0.0, 0.0, 1.0],
    [1.0, 1.0, 1.0],
    [1.0, 0.0, 1.0],
    [0.0, 1.0, 1.0],
], dtype=np.float64)
y = np.array([0.0, 1.0, 1.0, 0.0])
# fmt: on
y = np.ascontiguousarray(y, dtype=np.float64).reshape(len(X), 1)

# -- Initial weights ------------------------------------------------------------------

rng = np.random.RandomState(1)
# W1: A normal distribution with mean 0 and standard deviation ``std``.
W1 = 1.0 * rng.standard_normal((3, 4))
# W2: A normal distribution with mean 0 and standard deviation ``std``.
W2 = 1.0 * rng.standard_normal((4, 5))
# W3: A normal distribution with mean 0 and standard deviation ``std``.
W3 = 1.0 * rng.standard_normal((5, 1))

# -- Training -------------------------------------------------------------------------

epochs = 5000
n = len(X)
lr = 0.1
history = []

for epoch in range(epochs):
    # Forward: from the inputs to the objective.

    # layer 1: Dense(4, 'sigmoid', bias=False)
    # z1 is each unit's weighted sum of its inputs.
    z1 = X @ W1  # (n, 4)
    # sigmoid maps each value to the interval (0, 1).
    # max(z1, -88) replaces values below -88 by -88, so that exp cannot overflow;
    # float32 ends near exp(88.7).
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))  # (n, 4)

    # layer 2: Dense(5, 'sigmoid', bias=False)
    # z2 is each unit's weighted sum of its inputs.
    z2 = a1 @ W2  # (n, 5)
    # sigmoid maps each value to the interval (0, 1).
    # max(z2, -88) replaces values below -88 by -88, so that exp cannot overflow;
    # float32 ends near exp(88.7).
    a2 = 1 / (1 + np.exp(-np.maximum(z2, -88)))  # (n, 5)

    # layer 3: Dense(1, 'sigmoid', bias=False)
    # z3 is each unit's weighted sum of its inputs.
    z3 = a2 @ W3  # (n, 1)
    # sigmoid maps each value to the interval (0, 1).
    # max(z3, -88) replaces values below -88 by -88, so that exp cannot overflow;
    # float32 ends near exp(88.7).
    a3 = 1 / (1 + np.exp(-np.maximum(z3, -88)))  # (n, 1)

    # loss: SquaredError(reduction='sum', half=True)
    # The prediction is the output of the last layer.
    p = a3  # (n, 1)
    # Each output's loss is half the squared error, so that its derivative has no factor
    # of 2.
    losses = 0.5 * (p - y) ** 2  # (n, 1)
    # The objective J is the sum over all rows and outputs.
    J = losses.sum()  # scalar

    # Backward: the gradient of the objective with respect to each value, from last to
    # first.
    # da3 is the prediction minus the target.
    da3 = p - y  # (n, 1)

    # layer 3: Dense(1, 'sigmoid', bias=False)
    # dz3 is the upstream gradient times the activation's derivative; the derivative of
    # sigmoid is largest, 1/4, at a = 1/2 and approaches 0 at both ends.
    dz3 = da3 * (a3 * (1 - a3))  # (n, 1)
    # The gradient of the weights: each input times each unit's gradient, summed over
    # the rows.
    dW3 = a2.T @ dz3  # (5, 1)
    # The gradient of the inputs: the sum over the units of gradient times weight.
    da2 = dz3 @ W3.T  # (n, 5)

    # layer 2: Dense(5, 'sigmoid', bias=False)
    # dz2 is the upstream gradient times the activation's derivative; the derivative of
    # sigmoid is largest, 1/4, at a = 1/2 and approaches 0 at both ends.
    dz2 = da2 * (a2 * (1 - a2))  # (n, 5)
    # The gradient of the weights: each input times each unit's gradient, summed over
    # the rows.
    dW2 = a1.T @ dz2  # (4, 5)
    # The gradient of the inputs: the sum over the units of gradient times weight.
    da1 = dz2 @ W2.T  # (n, 4)

    # layer 1: Dense(4, 'sigmoid', bias=False)
    # dz1 is the upstream gradient times the activation's derivative; the derivative of
    # sigmoid is largest, 1/4, at a = 1/2 and approaches 0 at both ends.
    dz1 = da1 * (a1 * (1 - a1))  # (n, 4)
    # The gradient of the weights: each input times each unit's gradient, summed over
    # the rows.
    dW1 = X.T @ dz1  # (3, 4)

    # Update: a step against the gradient.

    # optimizer: SGD(lr=0.1)
    # A step against the gradient.
    W1 = W1 - lr * dW1  # (3, 4)
    W2 = W2 - lr * dW2  # (4, 5)
    W3 = W3 - lr * dW3  # (5, 1)

    history.append(float(J) / n)

# -- Prediction -----------------------------------------------------------------------


def outputs(X):
    """Return the outputs p, of shape (n, 1), for rows X of shape (n, 3)."""
    z1 = X @ W1
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))
    z2 = a1 @ W2
    a2 = 1 / (1 + np.exp(-np.maximum(z2, -88)))
    z3 = a2 @ W3
    a3 = 1 / (1 + np.exp(-np.maximum(z3, -88)))
    p = a3
    return p


def predict(X):
    """Predict numbers for rows X."""
    return outputs(X)[:, 0]


# -- Result ---------------------------------------------------------------------------

print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")
