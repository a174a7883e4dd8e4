"""Files: one model, several formats."""
