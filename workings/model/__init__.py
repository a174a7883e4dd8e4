"""The model: layers, loss and parameters, what its targets mean, and what it predicts."""
