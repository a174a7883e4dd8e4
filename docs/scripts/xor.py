"""A neural network and its training, with NumPy alone; written by Workings 0.1.0.

Layers Dense(4, 'sigmoid', bias=False), Dense(5, 'sigmoid', bias=False), Dense(1,
'sigmoid', bias=False); loss SquaredError(reduction='sum', half=True); SGD(lr=0.1),
5,000 epochs.
"""

import numpy as np

# -- Data -----------------------------------------------------------------------------

# Rows are samples: X has a column for each input, y what is to be predicted.
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

# -- First weights --------------------------------------------------------------------

rng = np.random.RandomState(1)
# W1: Numbers from a normal distribution of mean 0: ``std`` · randn.
W1 = 1.0 * rng.standard_normal((3, 4))
# W2: Numbers from a normal distribution of mean 0: ``std`` · randn.
W2 = 1.0 * rng.standard_normal((4, 5))
# W3: Numbers from a normal distribution of mean 0: ``std`` · randn.
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
    # sigmoid squashes each sum into 0..1.
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))  # (n, 4)

    # layer 2: Dense(5, 'sigmoid', bias=False)
    # z2 is each unit's weighted sum of its inputs.
    z2 = a1 @ W2  # (n, 5)
    # sigmoid squashes each sum into 0..1.
    a2 = 1 / (1 + np.exp(-np.maximum(z2, -88)))  # (n, 5)

    # layer 3: Dense(1, 'sigmoid', bias=False)
    # z3 is each unit's weighted sum of its inputs.
    z3 = a2 @ W3  # (n, 1)
    # sigmoid squashes each sum into 0..1.
    a3 = 1 / (1 + np.exp(-np.maximum(z3, -88)))  # (n, 1)

    # loss: SquaredError(reduction='sum', half=True)
    # The prediction is what the last layer gives.
    p = a3  # (n, 1)
    # Each row's loss is half the square of the error, so that its derivative needs no
    # 2.
    losses = 0.5 * (p - y) ** 2  # (n, 1)
    # The objective J is all of them added up.
    J = losses.sum()  # scalar

    # Backward: the gradient of the objective with respect to each value, last first.
    # da3 is what was predicted minus what is true.
    da3 = p - y  # (n, 1)

    # layer 3: Dense(1, 'sigmoid', bias=False)
    # dz3 is the gradient behind the activation times the activation's slope; the slope
    # of sigmoid is steepest, 1/4, at a = 1/2 and flat at both ends.
    dz3 = da3 * (a3 * (1 - a3))  # (n, 1)
    # Each weight's gradient: its input times its unit's gradient, added over the rows.
    dW3 = a2.T @ dz3  # (5, 1)
    # Each input's gradient: the gradients of the units it feeds, by their weights.
    da2 = dz3 @ W3.T  # (n, 5)

    # layer 2: Dense(5, 'sigmoid', bias=False)
    # dz2 is the gradient behind the activation times the activation's slope; the slope
    # of sigmoid is steepest, 1/4, at a = 1/2 and flat at both ends.
    dz2 = da2 * (a2 * (1 - a2))  # (n, 5)
    # Each weight's gradient: its input times its unit's gradient, added over the rows.
    dW2 = a1.T @ dz2  # (4, 5)
    # Each input's gradient: the gradients of the units it feeds, by their weights.
    da1 = dz2 @ W2.T  # (n, 4)

    # layer 1: Dense(4, 'sigmoid', bias=False)
    # dz1 is the gradient behind the activation times the activation's slope; the slope
    # of sigmoid is steepest, 1/4, at a = 1/2 and flat at both ends.
    dz1 = da1 * (a1 * (1 - a1))  # (n, 4)
    # Each weight's gradient: its input times its unit's gradient, added over the rows.
    dW1 = X.T @ dz1  # (3, 4)

    # Update: a step against the gradient.

    # optimizer: SGD(lr=0.1)
    # A small step downhill.
    W1 = W1 - lr * dW1  # (3, 4)
    W2 = W2 - lr * dW2  # (4, 5)
    W3 = W3 - lr * dW3  # (5, 1)

    history.append(float(J) / n)

# -- Predicting -----------------------------------------------------------------------


def outputs(X):
    """The outputs p for rows X of shape (n, 3): (n, 1)."""
    z1 = X @ W1
    a1 = 1 / (1 + np.exp(-np.maximum(z1, -88)))
    z2 = a1 @ W2
    a2 = 1 / (1 + np.exp(-np.maximum(z2, -88)))
    z3 = a2 @ W3
    a3 = 1 / (1 + np.exp(-np.maximum(z3, -88)))
    p = a3
    return p


def predict(X):
    """What is predicted for rows X: numbers."""
    return outputs(X)[:, 0]


# -- Result ---------------------------------------------------------------------------

print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")
