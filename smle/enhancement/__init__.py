"""The signal path: who runs when, masks, streams, and the enhancer that holds it all."""
