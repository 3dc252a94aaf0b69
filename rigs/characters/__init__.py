"""Characters: bone hierarchies with rest poses as humanoids, and their conversion to and from the 29 joints."""
