# Stands in for Vitis HLS: records every command that plain Tcl does not know into $STUB_RECORD; csynth_design writes a report that holds
# the text of $STUB_REPORT with TOP replaced. Units of $STUB_FAIL fail, those of $STUB_HANG never end.
set script [lindex $argv end]
set project ""
set top ""

proc unknown {command args} {
    set log [open $::env(STUB_RECORD) a]
    puts $log [join [list $command {*}$args] \x1f]
    close $log
    switch -- $command {
        open_project { set ::project [lindex $args end]; file mkdir $::project }
        set_top { set ::top [lindex $args 0] }
        csynth_design {
            if {$::top in $::env(STUB_FAIL)} {
                puts "INFO: \[HLS 200-10\] Analyzing"
                puts "ERROR: \[HLS 200-474\] Only pointers of one type are allowed."
                exit 1
            }
            if {$::top in $::env(STUB_HANG)} { after 60000 }
            set folder [file join $::project solution syn report]
            file mkdir $folder
            set in [open $::env(STUB_REPORT)]
            set out [open [file join $folder csynth.xml] w]
            puts $out [string map [list TOP $::top] [read $in]]
            close $out
        }
    }
    return
}

if {[catch { source $script } message]} {
    puts stderr $message
    exit 1
}
