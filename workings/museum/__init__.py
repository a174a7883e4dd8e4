"""The museum: common mistakes in neural networks, each shown next to the correct network."""
