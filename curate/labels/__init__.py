"""The labels: which are wrong and which would be right, which to ask people about, and what the pool could be given."""
