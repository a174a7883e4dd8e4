"""Translation of a network and its training to code for PyTorch, Keras or scikit-learn."""
