# flowc: golden design two_inputs for pynq-z2 at 100 MHz
#
# vitis_hls -f vitis_hls.tcl                        C simulation, synthesis, co-simulation, IP export
# FLOWC_STEPS="csynth export" vitis_hls -f vitis_hls.tcl    some of: csim csynth cosim export; each may be run alone
#
# From version 2023.2 on: vitis-run --mode hls --tcl vitis_hls.tcl
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

set vectors [file join $here vectors]
set flags "-std=c++14"

open_flowc_project vitis_two_inputs
set_top two_inputs
add_files -cflags $flags top.cpp
add_files -cflags $flags layers/a.cpp
add_files -cflags $flags layers/b.cpp
add_files -cflags $flags layers/add.cpp
add_files -cflags $flags layers/s.cpp
add_files -tb -cflags $flags testbench.cpp
open_flowc_solution vitis_two_inputs xc7z020clg400-1 10

if {"csim" in $steps} { csim_design -argv $vectors }
if {"csynth" in $steps} { csynth_design }
if {"cosim" in $steps} { cosim_design -argv $vectors }
if {"export" in $steps} {
  export_design -format ip_catalog -vendor flowc -library hls -version 1.0 -ipname two_inputs -display_name two_inputs
}
exit
