# flowc: golden design two_inputs for pynq-z2 at 100 MHz
#
# The block design: processor, a DMA engine per stream, or several, and the accelerator between them. Sourced by build.tcl.

create_bd_design flowc_system

# ---- processor, clock and reset -------------------------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7:5.5 ps
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 -config { make_external "FIXED_IO, DDR" apply_board_preset "1" Master "Disable" Slave "Disable" } [get_bd_cells ps]
set_property -dict [list \
    CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {100} \
    CONFIG.PCW_USE_M_AXI_GP0 {1} \
    CONFIG.PCW_USE_FABRIC_INTERRUPT {1} \
    CONFIG.PCW_IRQ_F2P_INTR {1} \
    CONFIG.PCW_USE_S_AXI_HP0 {1} \
    CONFIG.PCW_S_AXI_HP0_DATA_WIDTH {64} \
] [get_bd_cells ps]

create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 sys_reset

# ---- control bus: processor -> registers ----------------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 control
set_property -dict [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {5}] [get_bd_cells control]
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_GP0] [get_bd_intf_pins control/S00_AXI]

# ---- memory buses: DMA engines -> DRAM, one for each of the processor's memory ports in use --------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 memory0
set_property -dict [list CONFIG.NUM_SI {3} CONFIG.NUM_MI {1}] [get_bd_cells memory0]
connect_bd_intf_net [get_bd_intf_pins memory0/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0]

# ---- frames per batch, read by the output streams -------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 frames
set_property -dict [list CONFIG.C_GPIO_WIDTH {32} CONFIG.C_ALL_OUTPUTS {1} CONFIG.C_DOUT_DEFAULT {0x00000000}] [get_bd_cells frames]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins frames/S_AXI]

# ---- interrupts: one per DMA engine, gathered ------------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:xlconcat:2.1 requests
set_property CONFIG.NUM_PORTS {3} [get_bd_cells requests]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc:4.1 interrupts
set_property CONFIG.C_IRQ_CONNECTION {1} [get_bd_cells interrupts]
connect_bd_intf_net [get_bd_intf_pins control/M01_AXI] [get_bd_intf_pins interrupts/s_axi]
connect_bd_net [get_bd_pins requests/dout] [get_bd_pins interrupts/intr]
connect_bd_net [get_bd_pins interrupts/irq] [get_bd_pins ps/IRQ_F2P]

# ---- the accelerator ------------------------------------------------------------------------------------------------
create_bd_cell -type ip -vlnv $accelerator_vlnv accelerator

# ---- input a: 5 x int3 per cycle, 6 cycles per frame; 2 of 2 bytes used
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma_a
set_property -dict [list \
    CONFIG.c_include_sg {0} \
    CONFIG.c_sg_include_stscntrl_strm {0} \
    CONFIG.c_include_mm2s {1} \
    CONFIG.c_include_s2mm {0} \
    CONFIG.c_sg_length_width {26} \
    CONFIG.c_addr_width {32} \
    CONFIG.c_m_axi_mm2s_data_width {64} \
    CONFIG.c_m_axis_mm2s_tdata_width {16} \
    CONFIG.c_mm2s_burst_size {16} \
] [get_bd_cells dma_a]
connect_bd_intf_net [get_bd_intf_pins control/M02_AXI] [get_bd_intf_pins dma_a/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_a/M_AXI_MM2S] [get_bd_intf_pins memory0/S01_AXI]
connect_bd_net [get_bd_pins dma_a/mm2s_introut] [get_bd_pins requests/In0]

# ---- input b: 5 x bipolar per cycle, 6 cycles per frame; 1 of 1 bytes used
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma_b
set_property -dict [list \
    CONFIG.c_include_sg {0} \
    CONFIG.c_sg_include_stscntrl_strm {0} \
    CONFIG.c_include_mm2s {1} \
    CONFIG.c_include_s2mm {0} \
    CONFIG.c_sg_length_width {26} \
    CONFIG.c_addr_width {32} \
    CONFIG.c_m_axi_mm2s_data_width {64} \
    CONFIG.c_m_axis_mm2s_tdata_width {8} \
    CONFIG.c_mm2s_burst_size {16} \
] [get_bd_cells dma_b]
connect_bd_intf_net [get_bd_intf_pins control/M03_AXI] [get_bd_intf_pins dma_b/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_b/M_AXI_MM2S] [get_bd_intf_pins memory0/S02_AXI]
connect_bd_net [get_bd_pins dma_b/mm2s_introut] [get_bd_pins requests/In1]

# ---- output s: 5 x int4 per cycle, 6 cycles per frame; 3 of 4 bytes used
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma_s
set_property -dict [list \
    CONFIG.c_include_sg {0} \
    CONFIG.c_sg_include_stscntrl_strm {0} \
    CONFIG.c_include_s2mm {1} \
    CONFIG.c_include_mm2s {0} \
    CONFIG.c_sg_length_width {26} \
    CONFIG.c_addr_width {32} \
    CONFIG.c_m_axi_s2mm_data_width {64} \
    CONFIG.c_s_axis_s2mm_tdata_width {32} \
    CONFIG.c_s2mm_burst_size {16} \
] [get_bd_cells dma_s]
connect_bd_intf_net [get_bd_intf_pins control/M04_AXI] [get_bd_intf_pins dma_s/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_s/M_AXI_S2MM] [get_bd_intf_pins memory0/S00_AXI]
connect_bd_net [get_bd_pins dma_s/s2mm_introut] [get_bd_pins requests/In2]

# ---- input a: between DMA engine and accelerator
create_bd_cell -type module -reference flowc_stream_in fit_a
set_property -dict [list CONFIG.MEMORY_BYTES {2} CONFIG.STREAM_BYTES {2}] [get_bd_cells fit_a]
connect_bd_intf_net [get_bd_intf_pins dma_a/M_AXIS_MM2S] [get_bd_intf_pins fit_a/s_axis]
connect_bd_intf_net [get_bd_intf_pins fit_a/m_axis] [get_bd_intf_pins accelerator/a]

# ---- input b: between DMA engine and accelerator
create_bd_cell -type module -reference flowc_stream_in fit_b
set_property -dict [list CONFIG.MEMORY_BYTES {1} CONFIG.STREAM_BYTES {1}] [get_bd_cells fit_b]
connect_bd_intf_net [get_bd_intf_pins dma_b/M_AXIS_MM2S] [get_bd_intf_pins fit_b/s_axis]
connect_bd_intf_net [get_bd_intf_pins fit_b/m_axis] [get_bd_intf_pins accelerator/b]

# ---- output s: between DMA engine and accelerator
create_bd_cell -type module -reference flowc_stream_out fit_s
set_property -dict [list CONFIG.MEMORY_BYTES {4} CONFIG.STREAM_BYTES {3}] [get_bd_cells fit_s]
connect_bd_net [get_bd_pins frames/gpio_io_o] [get_bd_pins fit_s/frames]
connect_bd_intf_net [get_bd_intf_pins accelerator/s] [get_bd_intf_pins fit_s/s_axis]
connect_bd_intf_net [get_bd_intf_pins fit_s/m_axis] [get_bd_intf_pins dma_s/S_AXIS_S2MM]

# ---- one clock and one reset everywhere -----------------------------------------------------------------------------
foreach pin {
    ps/M_AXI_GP0_ACLK ps/S_AXI_HP0_ACLK memory0/aclk
    sys_reset/slowest_sync_clk control/aclk frames/s_axi_aclk interrupts/s_axi_aclk accelerator/ap_clk
    dma_a/s_axi_lite_aclk dma_a/m_axi_mm2s_aclk
    dma_b/s_axi_lite_aclk dma_b/m_axi_mm2s_aclk
    dma_s/s_axi_lite_aclk dma_s/m_axi_s2mm_aclk
    fit_a/aclk
    fit_b/aclk
    fit_s/aclk
} {
    connect_bd_net [get_bd_pins ps/FCLK_CLK0] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins ps/FCLK_RESET0_N] [get_bd_pins sys_reset/ext_reset_in]
foreach pin { control/aresetn memory0/aresetn } {
    connect_bd_net [get_bd_pins sys_reset/interconnect_aresetn] [get_bd_pins $pin]
}
foreach pin {
    frames/s_axi_aresetn interrupts/s_axi_aresetn accelerator/ap_rst_n
    dma_a/axi_resetn
    dma_b/axi_resetn
    dma_s/axi_resetn
    fit_a/aresetn
    fit_b/aresetn
    fit_s/aresetn
} {
    connect_bd_net [get_bd_pins sys_reset/peripheral_aresetn] [get_bd_pins $pin]
}

# ---- address map ----------------------------------------------------------------------------------------------------
foreach {offset segment} {
    0x40000000 frames/S_AXI/Reg
    0x40010000 interrupts/S_AXI/Reg
    0x40020000 dma_a/S_AXI_LITE/Reg
    0x40030000 dma_b/S_AXI_LITE/Reg
    0x40040000 dma_s/S_AXI_LITE/Reg
} {
    assign_bd_address -offset $offset -range 64K -target_address_space [get_bd_addr_spaces ps/Data] \
        [get_bd_addr_segs $segment] -force
}
# What is left are the DMA engines' views of the DRAM.
assign_bd_address

validate_bd_design
save_bd_design
