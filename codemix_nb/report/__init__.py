"""From results to pages and a paper, the same bytes every time."""
