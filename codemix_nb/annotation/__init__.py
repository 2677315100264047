"""How a corpus is made: readers, agreement, labelling, what to label next, its card."""
