"""What the names of bones tell of the joints that they are."""
