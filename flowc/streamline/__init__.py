"""From the imported model to unfolded hardware units: the list of passes, the cut between host and accelerator, lowering."""
