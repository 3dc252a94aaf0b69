"""Data sets, losses, metrics and the training of the models in `backend.models`."""
