// flowc: golden design two_inputs for pynq-z2 at 100 MHz
//
// Part 1 of 1 of the C simulation: compiling several files as one costs the vendor headers once.
#include "../top.cpp"
#include "../sim/threads.cpp"
#include "../testbench.cpp"
#include "../layers/a.cpp"
#include "../layers/b.cpp"
#include "../layers/add.cpp"
#include "../layers/s.cpp"
