"""Two moons with scikit-learn, whose loss is a mean: the learning rate is 200 times as large."""

import sys
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
data = np.load(sys.argv[1])
X, y = data["X"], data["y"]
model = MLPClassifier(
    (3,), activation="tanh", solver="sgd", learning_rate_init=2.0, momentum=0.0, alpha=0.01, batch_size=200,
    max_iter=int(sys.argv[2]), tol=0.0, n_iter_no_change=np.inf, random_state=0,
)  # fmt: skip
print(model.fit(X, y).score(X, y))
