"""Support: arrays, sparse rows, atomic writes, colours, and the source of functions; nothing here knows a network."""
