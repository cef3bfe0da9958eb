"""Files as an attacker or a broken disk would make them, and what `curate` makes of them."""
