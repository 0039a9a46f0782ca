"""What trains: the model in torch, each module beside its twin in `smle.arrays`."""
