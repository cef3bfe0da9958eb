"""Crash safety: every writing verb killed at chosen and random moments, on a full disk, beside another, and traced."""
