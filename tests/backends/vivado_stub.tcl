# Stands in for Vivado: every command that plain Tcl does not know is recorded and answered plausibly.
# Arguments: the script to run, the file to record to. Environment: STUB_BOARDS (installed board parts), STUB_SLACK.

lassign $argv script record
set log [open $record w]

proc record {args} {
    puts $::log [join $args \x1f]
}

proc unknown {command args} {
    set options [lsearch -all -inline -glob $args -*]
    set operands [lsearch -all -inline -not -glob $args -*]
    if {$command eq "set_property" && "-dict" in $options} {
        foreach {name value} [lindex $operands 0] {
            record set_property $name $value [lindex $operands 1]
        }
        return
    }
    record $command {*}$args
    switch -glob -- $command {
        get_board_parts { return [lsearch -all -inline -glob [split $::env(STUB_BOARDS)] [lindex $operands end]] }
        get_property {
            switch -- [lindex $operands 0] {
                PROGRESS { return "100%" }
                STATS.WNS { return $::env(STUB_SLACK) }
                DIRECTORY { return [file join [file dirname $::script] project runs impl_1] }
                default { error "the stub knows no property [lindex $operands 0]" }
            }
        }
        current_* { return $command }
        make_wrapper { return "[lindex $operands 0]_wrapper.v" }
        get_* { return [lindex $operands end] }
    }
    return
}

set code [catch { source $script } message]
close $log
if {$code} {
    puts stderr $message
    exit 1
}
