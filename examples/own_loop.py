"""A training loop of your own: one update at a time, with every value of the step at hand."""

from workings import CrossEntropy, Dense, Momentum, Network
from workings.datasets import moons

X, y = moons(200, noise=0.2, seed=0)
net = Network([Dense(5, "tanh"), Dense(2)], loss=CrossEntropy(), seed=0)
optimizer = Momentum(0.1)
for step in range(501):
    trace = net.step(X, y, optimizer)
    if step % 100 == 0:
        saturated = (abs(trace["a1"]) > 0.99).mean()
        print(
            f"step {step}: J = {trace['J']:.4f}, |dW1| up to {abs(trace['dW1']).max():.4f}, {saturated:.0%} saturated"
        )
print(f"accuracy {net.score(X, y):.3f}")
