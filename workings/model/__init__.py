"""The model: layers, loss, parameters, targets and predictions."""
