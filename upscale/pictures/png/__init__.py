"""PNG, animated too: read, written and compressed."""
