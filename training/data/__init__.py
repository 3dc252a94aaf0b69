"""Training data: duets, music pairs and songs, and the checks of a choreographer's folder."""
