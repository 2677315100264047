"""What is computed once, where it is kept, how it is tested."""
