"""What the places and the hierarchy of bones tell of the joints that they are."""
