"""Exactness: integer functions by evaluation of the model's own float32 operations, and what can be proven of them."""
