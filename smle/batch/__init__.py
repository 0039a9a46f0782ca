"""Folders of files and pipes, enhanced: what becomes what, what is done so far, what is told."""
