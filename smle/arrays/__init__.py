"""What enhances: the model in NumPy, each module beside its twin in `smle.tensors`."""
