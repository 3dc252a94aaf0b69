"""Generation: the models, the engine that runs them, the server and its client, and the `pasdedeux` command."""
