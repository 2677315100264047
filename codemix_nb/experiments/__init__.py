"""One question each: its units, table, figure and sentence."""
