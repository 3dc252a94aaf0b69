"""What several models share: weight files, CPU inference, the world frame."""
