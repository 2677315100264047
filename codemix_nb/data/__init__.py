"""Published files, their ledgers, near-duplicate groups and folds."""
