"""How a design meets the outside: names of ports, packing of integers into beats and words, weights that streams bring."""
