"""What a model is: its recipe, its folder, names and shapes of its weights, what it costs."""
