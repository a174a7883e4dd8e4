"""The translator: a network's settings in the conventions of another system, as code that runs there."""
