"""Sample the poses of armatures as the scene shows them."""
