# flowc: golden design two_inputs for pynq-z2 at 100 MHz
#
# vitis_hls -f vitis_hls.tcl                        C simulation, synthesis, co-simulation, IP export
# FLOWC_STEPS="csynth export" vitis_hls -f vitis_hls.tcl    some of: csim csynth cosim export
set steps {csim csynth cosim export}
if {[info exists ::env(FLOWC_STEPS)]} { set steps $::env(FLOWC_STEPS) }
set here [file normalize [file dirname [info script]]]
set vectors [file join $here vectors]

cd $here
open_project -reset vitis_two_inputs
set_top two_inputs
set flags "-std=c++14 -Wno-unknown-pragmas"
add_files -cflags $flags top.cpp
add_files -cflags $flags layers/a.cpp
add_files -cflags $flags layers/b.cpp
add_files -cflags $flags layers/add.cpp
add_files -cflags $flags layers/s.cpp
add_files -tb -cflags $flags testbench.cpp

open_solution -reset solution -flow_target vivado
set_part xc7z020clg400-1
create_clock -period 10 -name default

if {"csim" in $steps} { csim_design -argv $vectors }
if {"csynth" in $steps} { csynth_design }
if {"cosim" in $steps} { cosim_design -argv $vectors }
if {"export" in $steps} {
  export_design -format ip_catalog -vendor flowc -library hls -version 1.0 -ipname two_inputs -display_name two_inputs
}
exit
