"""How a mixture is trained: stages, objectives, losses, optimisers."""
