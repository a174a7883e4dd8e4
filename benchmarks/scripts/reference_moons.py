"""Two moons with Workings, the reference engine."""

import sys

import numpy as np

from workings import L2, SGD, CrossEntropy, Dense, Network

data = np.load(sys.argv[1])
X, y = data["X"], data["y"]
loss = CrossEntropy(reduction="sum")
net = Network([Dense(3, "tanh"), Dense(2)], loss=loss, regularizer=L2(0.01), seed=0)
net.fit(X, y, optimizer=SGD(0.01), epochs=int(sys.argv[2]), batch_size=None, engine="reference")
print(net.score(X, y))
