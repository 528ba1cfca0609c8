# flowc: golden design residual for kv260 at 100 MHz
#
# vitis_hls -f vitis_hls.tcl                        C simulation, synthesis, co-simulation, IP export
# FLOWC_STEPS="csynth export" vitis_hls -f vitis_hls.tcl    some of: csim csynth cosim export
set steps {csim csynth cosim export}
if {[info exists ::env(FLOWC_STEPS)]} { set steps $::env(FLOWC_STEPS) }
set here [file normalize [file dirname [info script]]]
set vectors [file join $here vectors]

cd $here
open_project -reset vitis_net
set_top net
set flags "-std=c++14 -Wno-unknown-pragmas"
add_files -cflags $flags top.cpp
add_files -cflags $flags layers/in_x.cpp
add_files -cflags $flags layers/n_Conv_10_pad.cpp
add_files -cflags $flags layers/n_Conv_10_window.cpp
add_files -cflags $flags layers/n_Conv_10.cpp
add_files -cflags $flags layers/n_MaxPool_21_window.cpp
add_files -cflags $flags layers/n_MaxPool_21.cpp
add_files -cflags $flags layers/n_MaxPool_21_fork_width.cpp
add_files -cflags $flags layers/n_MaxPool_21_fork.cpp
add_files -cflags $flags layers/n_Conv_27_pad.cpp
add_files -cflags $flags layers/n_Conv_27_window.cpp
add_files -cflags $flags layers/n_Conv_27.cpp
add_files -cflags $flags layers/n_Add_37.cpp
add_files -cflags $flags layers/n_Gemm_49_width.cpp
add_files -cflags $flags layers/n_Gemm_49.cpp
add_files -cflags $flags layers/out_Gemm_49.cpp
add_files -tb -cflags $flags testbench.cpp

open_solution -reset solution -flow_target vivado
set_part xck26-sfvc784-2LV-c
create_clock -period 10 -name default

if {"csim" in $steps} { csim_design -argv $vectors }
if {"csynth" in $steps} { csynth_design }
if {"cosim" in $steps} { cosim_design -argv $vectors }
if {"export" in $steps} {
  export_design -format ip_catalog -vendor flowc -library hls -version 1.0 -ipname net -display_name net
}
exit
