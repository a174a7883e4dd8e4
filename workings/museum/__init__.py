"""The museum: famous mistakes in neural networks, each shown beside the right network."""
