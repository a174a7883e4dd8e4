"""Search: many fits with different settings, on any executor."""
