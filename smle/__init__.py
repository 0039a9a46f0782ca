"""Speech enhancement with a sparse mixture of local experts."""
