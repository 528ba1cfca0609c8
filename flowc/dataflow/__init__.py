"""Dataflow execution: a unit per layer, streams between, weights on chip."""
