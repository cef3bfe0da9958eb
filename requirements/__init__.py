"""What is installed, to the byte: locks, how they are made, and what can be checked of them."""
