"""How well systems enhance: pairs, metrics, statistics, reports."""
