"""A neural network and its training, with NumPy alone; written by Workings 0.1.0.

Layers Dense(32, 'relu'), Dense(16, 'relu'), Dense(10); loss CrossEntropy();
Adam(lr=0.002), 20 epochs.

From rows X, the network computes its prediction p:

    z1 = X @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    a2 = np.maximum(z2, 0)
    z3 = a2 @ W3 + b3
    s = z3 - z3.max(axis=1, keepdims=True)
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
with np.load("mnist-data.npz") as data:
    X, y = data["X"], data["y"]
X = np.ascontiguousarray(X, dtype=np.float32)
# One-hot encoding: one column per class.
classes = np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
y = (y[:, None] == classes).astype(np.float32)
X_all, y_all = X, y

# -- Initial weights ------------------------------------------------------------------

rng = np.random.default_rng(0)
# W1: A normal distribution with variance 2 / fan_in, for the ReLU family (He et al.
# 2015, eq. 10).
W1 = (rng.standard_normal((784, 32)) * np.sqrt(2 / 784)).astype(np.float32)
# b1: All zeros: for biases, but not for the weights of a hidden layer.
b1 = (np.zeros((32,))).astype(np.float32)
# W2: A normal distribution with variance 2 / fan_in, for the ReLU family (He et al.
# 2015, eq. 10).
W2 = (rng.standard_normal((32, 16)) * np.sqrt(2 / 32)).astype(np.float32)
# b2: All zeros: for biases, but not for the weights of a hidden layer.
b2 = (np.zeros((16,))).astype(np.float32)
# W3: A uniform distribution on ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq.
# 16).
W3 = ((2 * rng.random((16, 10)) - 1) * np.sqrt(6 / 26)).astype(np.float32)
# b3: All zeros: for biases, but not for the weights of a hidden layer.
b3 = (np.zeros((10,))).astype(np.float32)

# -- The objective on all rows --------------------------------------------------------


def objective(X, y):
    """Return the objective J in inference mode."""
    n = len(X)
    z1 = X @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    a2 = np.maximum(z2, 0)
    z3 = a2 @ W3 + b3
    s = z3 - z3.max(axis=1, keepdims=True)
    e = np.exp(s)
    log_p = s - np.log(e.sum(axis=1, keepdims=True))
    losses = -(y * log_p).sum(axis=1, keepdims=True)
    J = losses.sum() / n
    return J


# -- Training -------------------------------------------------------------------------

beta1 = 0.9
beta2 = 0.999
eps = 1e-08
# The optimizer's state is initially 0.
m_W1 = np.zeros_like(W1)
v_W1 = np.zeros_like(W1)
m_b1 = np.zeros_like(b1)
v_b1 = np.zeros_like(b1)
m_W2 = np.zeros_like(W2)
v_W2 = np.zeros_like(W2)
m_b2 = np.zeros_like(b2)
v_b2 = np.zeros_like(b2)
m_W3 = np.zeros_like(W3)
v_W3 = np.zeros_like(W3)
m_b3 = np.zeros_like(b3)
v_b3 = np.zeros_like(b3)
epochs = 20
batch_size = 128
n_all = len(X_all)
lr = 0.002
t = 0  # number of steps so far
history = []

for epoch in range(epochs):
    # The objective on all rows, with the parameters at the beginning of the epoch.
    history.append(float(objective(X_all, y_all)))
    order = rng.permutation(n_all)
    for start in range(0, n_all, batch_size):
        rows = order[start : start + batch_size]
        X, y = X_all[rows], y_all[rows]
        n = len(X)
        t = t + 1

        # Forward: from the inputs to the objective.

        # layer 1: Dense(32, 'relu')
        # z1 is each unit's weighted sum of its inputs plus its bias.
        z1 = X @ W1 + b1  # (n, 32)
        # relu keeps positive values and sets all others to 0.
        a1 = np.maximum(z1, 0)  # (n, 32)

        # layer 2: Dense(16, 'relu')
        # z2 is each unit's weighted sum of its inputs plus its bias.
        z2 = a1 @ W2 + b2  # (n, 16)
        # relu keeps positive values and sets all others to 0.
        a2 = np.maximum(z2, 0)  # (n, 16)

        # layer 3: Dense(10)
        # z3 is each unit's weighted sum of its inputs plus its bias.
        z3 = a2 @ W3 + b3  # (n, 10)

        # loss: CrossEntropy()
        # s are the logits minus each row's maximum: the softmax stays the same and
        # cannot overflow.
        s = z3 - z3.max(axis=1, keepdims=True)  # (n, 10)
        # The exponential of each shifted logit.
        e = np.exp(s)  # (n, 10)
        # p are the class probabilities: each exponential divided by the sum of its row.
        p = e / e.sum(axis=1, keepdims=True)  # (n, 10)

        # Backward: the gradient of the objective with respect to each value, from last
        # to first.
        # dz3 is the prediction minus the target, divided by the number of rows, because
        # the loss is a mean.
        dz3 = (p - y) / n  # (n, 10)

        # layer 3: Dense(10)
        # The gradient of the weights: each input times each unit's gradient, summed
        # over the rows.
        dW3 = a2.T @ dz3  # (16, 10)
        # The gradient of the biases: each unit's gradient, summed over the rows.
        db3 = dz3.sum(axis=0)  # (10,)
        # The gradient of the inputs: the sum over the units of gradient times weight.
        da2 = dz3 @ W3.T  # (n, 16)

        # layer 2: Dense(16, 'relu')
        # dz2 is the upstream gradient times the activation's derivative; the derivative
        # of relu is 1 where z is positive, else 0.
        dz2 = da2 * (z2 > 0)  # (n, 16)
        # The gradient of the weights: each input times each unit's gradient, summed
        # over the rows.
        dW2 = a1.T @ dz2  # (32, 16)
        # The gradient of the biases: each unit's gradient, summed over the rows.
        db2 = dz2.sum(axis=0)  # (16,)
        # The gradient of the inputs: the sum over the units of gradient times weight.
        da1 = dz2 @ W2.T  # (n, 32)

        # layer 1: Dense(32, 'relu')
        # dz1 is the upstream gradient times the activation's derivative; the derivative
        # of relu is 1 where z is positive, else 0.
        dz1 = da1 * (z1 > 0)  # (n, 32)
        # The gradient of the weights: each input times each unit's gradient, summed
        # over the rows.
        dW1 = X.T @ dz1  # (784, 32)
        # The gradient of the biases: each unit's gradient, summed over the rows.
        db1 = dz1.sum(axis=0)  # (32,)

        # Update: a step against the gradient.

        # optimizer: Adam(lr=0.002)
        # The exponential moving average of the gradients.
        m_W1 = beta1 * m_W1 + (1 - beta1) * dW1  # (784, 32)
        # The exponential moving average of the squared gradients.
        v_W1 = beta2 * v_W1 + (1 - beta2) * dW1**2  # (784, 32)
        # The average with its bias corrected, because it started at 0.
        m_hat_W1 = m_W1 / (1 - beta1**t)  # (784, 32)
        # The average of the squares with its bias corrected.
        v_hat_W1 = v_W1 / (1 - beta2**t)  # (784, 32)
        # A step of about lr, smaller where the gradient keeps changing.
        # eps keeps the number below the fraction line away from 0.
        W1 = W1 - lr * m_hat_W1 / (np.sqrt(v_hat_W1) + eps)  # (784, 32)
        m_b1 = beta1 * m_b1 + (1 - beta1) * db1  # (32,)
        v_b1 = beta2 * v_b1 + (1 - beta2) * db1**2  # (32,)
        m_hat_b1 = m_b1 / (1 - beta1**t)  # (32,)
        v_hat_b1 = v_b1 / (1 - beta2**t)  # (32,)
        b1 = b1 - lr * m_hat_b1 / (np.sqrt(v_hat_b1) + eps)  # (32,)
        m_W2 = beta1 * m_W2 + (1 - beta1) * dW2  # (32, 16)
        v_W2 = beta2 * v_W2 + (1 - beta2) * dW2**2  # (32, 16)
        m_hat_W2 = m_W2 / (1 - beta1**t)  # (32, 16)
        v_hat_W2 = v_W2 / (1 - beta2**t)  # (32, 16)
        W2 = W2 - lr * m_hat_W2 / (np.sqrt(v_hat_W2) + eps)  # (32, 16)
        m_b2 = beta1 * m_b2 + (1 - beta1) * db2  # (16,)
        v_b2 = beta2 * v_b2 + (1 - beta2) * db2**2  # (16,)
        m_hat_b2 = m_b2 / (1 - beta1**t)  # (16,)
        v_hat_b2 = v_b2 / (1 - beta2**t)  # (16,)
        b2 = b2 - lr * m_hat_b2 / (np.sqrt(v_hat_b2) + eps)  # (16,)
        m_W3 = beta1 * m_W3 + (1 - beta1) * dW3  # (16, 10)
        v_W3 = beta2 * v_W3 + (1 - beta2) * dW3**2  # (16, 10)
        m_hat_W3 = m_W3 / (1 - beta1**t)  # (16, 10)
        v_hat_W3 = v_W3 / (1 - beta2**t)  # (16, 10)
        W3 = W3 - lr * m_hat_W3 / (np.sqrt(v_hat_W3) + eps)  # (16, 10)
        m_b3 = beta1 * m_b3 + (1 - beta1) * db3  # (10,)
        v_b3 = beta2 * v_b3 + (1 - beta2) * db3**2  # (10,)
        m_hat_b3 = m_b3 / (1 - beta1**t)  # (10,)
        v_hat_b3 = v_b3 / (1 - beta2**t)  # (10,)
        b3 = b3 - lr * m_hat_b3 / (np.sqrt(v_hat_b3) + eps)  # (10,)

# X, y and n hold the last batch; from here on, they hold all rows.
X, y, n = X_all, y_all, n_all

# -- Prediction -----------------------------------------------------------------------


def outputs(X):
    """Return the outputs p, of shape (n, 10), for rows X of shape (n, 784)."""
    z1 = X @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    a2 = np.maximum(z2, 0)
    z3 = a2 @ W3 + b3
    s = z3 - z3.max(axis=1, keepdims=True)
    e = np.exp(s)
    p = e / e.sum(axis=1, keepdims=True)
    return p


def predict(X):
    """Predict the most probable label for rows X."""
    return classes[outputs(X).argmax(axis=1)]


# -- Result ---------------------------------------------------------------------------

print(f"loss at the beginning {history[0]:.6g}, at the last epoch {history[-1]:.6g}")
