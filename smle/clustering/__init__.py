"""Groups of training material, found by speaker, gender, noise, ratio or loss."""
