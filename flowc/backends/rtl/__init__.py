"""SystemVerilog backend: a dataflow graph as modules that open tools simulate, check and synthesize (`flowc.backends.rtl.backend`)."""
