"""Data-parallel training: one model, trained by many workers, with the same bits for any number of workers.

Each batch is cut into shards of a fixed number of rows.  The workers compute the gradients of the shards; the sum of
the gradients is exact, so that neither its order nor the number of workers matters.  Then the optimizer makes a step.
"""
