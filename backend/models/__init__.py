"""The models, one package each: `network.py` holds the network, `pipeline.py` takes a request to a result."""
