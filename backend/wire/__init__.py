"""The wire format: typed requests and results, their binary encoding and their validation."""
