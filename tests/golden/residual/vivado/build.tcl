# flowc: golden design residual for kv260 at 100 MHz
#
# Project, block design, bitstream. Run in this folder, after `vitis_hls -f vitis_hls.tcl` in ../hls:
#     vivado -mode batch -source build.tcl

set here [file dirname [file normalize [info script]]]
set part xck26-sfvc784-2LV-c
set board_part xilinx.com:kv260_som:part0:1.4
set jobs [expr {[info exists ::env(JOBS)] ? $::env(JOBS) : 2}]

proc stop {message} {
    error "flowc: $message"
}

# ---- the accelerator that Vitis HLS exported ------------------------------------------------------------------------
set components [glob -nocomplain [file join $here .. hls * * impl ip component.xml]]
if {[llength $components] == 0} {
    stop "no exported IP under ../hls: run `vitis_hls -f vitis_hls.tcl` there first"
}

create_project -force flowc_system [file join $here project] -part $part

# The named version of the board files, else the latest one that is installed: presets of the processor's DRAM come from there.
set boards [get_board_parts -quiet $board_part]
if {[llength $boards] == 0} {
    set boards [get_board_parts -quiet -latest_file_version "[join [lrange [split $board_part :] 0 2] :]:*"]
}
if {[llength $boards] == 0} {
    stop "the board files of $board_part are not installed: install them by Vivado's Tools > Vivado Store > Boards"
}
set_property board_part [lindex $boards 0] [current_project]

set_property ip_repo_paths [lmap component $components {file dirname $component}] [current_project]
update_ip_catalog
set found [get_ipdefs -quiet flowc:hls:net:1.0]
if {[llength $found] == 0} {
    stop "../hls exported an IP, but not flowc:hls:net:1.0"
}
set accelerator_vlnv [lindex $found 0]
add_files -norecurse [list [file join $here flowc_stream_in.v] [file join $here flowc_stream_out.v]]
update_compile_order -fileset sources_1

# ---- block design ---------------------------------------------------------------------------------------------------
source [file join $here system.tcl]
set design [get_files flowc_system.bd]
generate_target all $design
add_files -norecurse [make_wrapper -files $design -top]
set_property top flowc_system_wrapper [current_fileset]
update_compile_order -fileset sources_1

# ---- bitstream ------------------------------------------------------------------------------------------------------
launch_runs impl_1 -to_step write_bitstream -jobs $jobs
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    stop "implementation failed; see [file join $here project]"
}
open_run impl_1
report_utilization -hierarchical -file [file join $here utilization.rpt]
report_timing_summary -file [file join $here timing.rpt]
report_power -file [file join $here power.rpt]

set run [get_property DIRECTORY [get_runs impl_1]]
file copy -force [file join $run flowc_system_wrapper.bit] [file join $here design.bit]
set handoffs [glob -nocomplain [file join $here project * sources_1 bd flowc_system hw_handoff flowc_system.hwh]]
if {[llength $handoffs] == 0} {
    stop "no hardware handoff file flowc_system.hwh in [file join $here project]"
}
file copy -force [lindex $handoffs 0] [file join $here design.hwh]

set slack [get_property STATS.WNS [get_runs impl_1]]
if {$slack < 0} {
    stop "timing is not met at 100 MHz (worst slack $slack ns; see timing.rpt): design.bit was written but may fail"
}
puts "flowc: design.bit and design.hwh are in $here; worst slack $slack ns at 100 MHz"
