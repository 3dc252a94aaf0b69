"""Movement over the network: leaders from capture software, partners to engines and avatars."""
