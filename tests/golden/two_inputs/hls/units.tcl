# flowc: golden design two_inputs for pynq-z2 at 100 MHz
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
  unit_a a
  unit_b b
  unit_add add
  unit_s s
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
set_part xc7z020clg400-1
create_clock -period 10 -name default
set_clock_uncertainty $uncertainty
csynth_design
if {"export" in $steps} { export_design -flow syn -rtl verilog -format ip_catalog }
exit
