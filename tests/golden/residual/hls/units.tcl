# flowc: golden design residual for kv260 at 100 MHz
#
# One unit alone, out of context: FLOWC_UNIT=unit_<layer> vitis_hls -f units.tcl. units.py runs it for all.
# FLOWC_STEPS="csynth export" runs Vivado's synthesis on the result, too.
set steps {csim csynth cosim export}
if {[info exists ::env(FLOWC_STEPS)]} { set steps [string map {, " "} $::env(FLOWC_STEPS)] }
foreach step $steps {
  if {$step ni {csim csynth cosim export}} {
    error "flowc: FLOWC_STEPS names '$step'; the steps are csim, csynth, cosim and export"
  }
}
# What of the period Vitis HLS keeps free for routing; 27% is also what it takes by itself.
set uncertainty [expr {[info exists ::env(FLOWC_UNCERTAINTY)] ? $::env(FLOWC_UNCERTAINTY) : "27%"}]
set here [file normalize [file dirname [info script]]]
cd $here

# Only synthesis begins afresh: a simulation leaves its results alone, co-simulation and export need them.
proc open_flowc_project {name} {
  if {"csynth" in $::steps} { open_project -reset $name } else { open_project $name }
}

proc open_flowc_solution {project part period} {
  if {"csynth" in $::steps} {
    open_solution -reset solution -flow_target vivado
  } else {
    foreach step {cosim export} {
      if {$step in $::steps && ![file exists [file join $::here $project solution syn report csynth.xml]]} {
        error "flowc: $step needs the results of csynth, which $project has not: run that step first"
      }
    }
    open_solution solution -flow_target vivado
  }
  set_part $part
  create_clock -period $period -name default
  set_clock_uncertainty $::uncertainty
}

# Top function to the layer that it calls.
array set layers {
  unit_in_x in_x
  unit_n_Conv_10_pad n_Conv_10_pad
  unit_n_Conv_10_window n_Conv_10_window
  unit_n_Conv_10 n_Conv_10
  unit_n_MaxPool_21_window n_MaxPool_21_window
  unit_n_MaxPool_21 n_MaxPool_21
  unit_n_MaxPool_21_fork_width n_MaxPool_21_fork_width
  unit_n_MaxPool_21_fork n_MaxPool_21_fork
  unit_n_Conv_27_pad n_Conv_27_pad
  unit_n_Conv_27_window n_Conv_27_window
  unit_n_Conv_27 n_Conv_27
  unit_n_Add_37 n_Add_37
  unit_n_Gemm_49_width n_Gemm_49_width
  unit_n_Gemm_49 n_Gemm_49
  unit_out_Gemm_49 out_Gemm_49
}
set unit $::env(FLOWC_UNIT)
set work [file join $here units $unit]
file mkdir $work
cd $work

set flags "-std=c++14"
open_project -reset $unit
set_top $unit
add_files -cflags $flags [file join $here units $unit.cpp]
add_files -cflags $flags [file join $here layers $layers($unit).cpp]
open_solution -reset solution -flow_target vivado
set_part xck26-sfvc784-2LV-c
create_clock -period 10 -name default
set_clock_uncertainty $uncertainty
csynth_design
if {"export" in $steps} { export_design -flow syn -rtl verilog -format ip_catalog }
exit
