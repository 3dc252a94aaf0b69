"""Characters: rigs as bone trees with rest poses, and their conversion from and to the 29 joints."""
