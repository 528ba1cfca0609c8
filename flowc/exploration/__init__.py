"""Many allocations of one model: over frame rates and boards, on all cores or a cluster."""
