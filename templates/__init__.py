"""Templates and headers of the code that flowc generates; they are data, read through `importlib.resources`."""
