"""What training hears: corpora, rooms, and the mixtures that are drawn from them."""
