"""Files: sound of every kind, read in blocks, written whole or not at all; pipes, names, locks."""
