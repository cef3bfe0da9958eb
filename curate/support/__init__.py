"""What helps when something is wrong: is this machine ready, and what a report about a bug needs."""
