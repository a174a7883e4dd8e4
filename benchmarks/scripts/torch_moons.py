"""Two moons with PyTorch."""

import sys

import numpy as np
import torch

torch.manual_seed(0)
torch.set_num_threads(1)
data = np.load(sys.argv[1])
X, y = torch.from_numpy(data["X"]), torch.from_numpy(data["y"])
first, last = torch.nn.Linear(2, 3, dtype=torch.float64), torch.nn.Linear(3, 2, dtype=torch.float64)
model = torch.nn.Sequential(first, torch.nn.Tanh(), last)
weights = {"params": [first.weight, last.weight], "weight_decay": 0.01}
biases = {"params": [first.bias, last.bias], "weight_decay": 0.0}
optimizer = torch.optim.SGD([weights, biases], lr=0.01, fused=True)
loss = torch.nn.CrossEntropyLoss(reduction="sum")
for _ in range(int(sys.argv[2])):
    optimizer.zero_grad()
    loss(model(X), y).backward()
    optimizer.step()
print((model(X).argmax(dim=1) == y).double().mean().item())
