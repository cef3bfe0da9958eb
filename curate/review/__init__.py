"""Review: what people are asked, how they answer, and where the answers go."""
