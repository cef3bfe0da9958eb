"""What trainings came to, side by side, and what that proves: differences with their intervals, step by step."""
