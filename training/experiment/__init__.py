"""Experiments: configuration files, the training run, model cards and plots."""
