"""Parts shared by several models: weight files, world frames, inference on an accelerator, energy."""
