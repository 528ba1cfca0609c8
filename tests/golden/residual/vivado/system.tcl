# flowc: golden design residual for kv260 at 100 MHz
#
# The block design: processor, a DMA engine per stream, or several, and the accelerator between them. Sourced by build.tcl.

create_bd_design flowc_system

# ---- processor, clock and reset -------------------------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:zynq_ultra_ps_e ps
apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config { apply_board_preset "1" } [get_bd_cells ps]
set_property -dict [list \
    CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ {100} \
    CONFIG.PSU__USE__M_AXI_GP0 {1} \
    CONFIG.PSU__USE__M_AXI_GP1 {0} \
    CONFIG.PSU__USE__M_AXI_GP2 {0} \
    CONFIG.PSU__USE__IRQ0 {1} \
    CONFIG.PSU__USE__S_AXI_GP2 {1} \
    CONFIG.PSU__SAXIGP2__DATA_WIDTH {128} \
] [get_bd_cells ps]

create_bd_cell -type ip -vlnv xilinx.com:ip:proc_sys_reset:5.0 sys_reset

# ---- control bus: processor -> registers ----------------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 control
set_property -dict [list CONFIG.NUM_SI {1} CONFIG.NUM_MI {4}] [get_bd_cells control]
connect_bd_intf_net [get_bd_intf_pins ps/M_AXI_HPM0_FPD] [get_bd_intf_pins control/S00_AXI]

# ---- memory buses: DMA engines -> DRAM, one for each of the processor's memory ports in use --------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:smartconnect:1.0 memory0
set_property -dict [list CONFIG.NUM_SI {2} CONFIG.NUM_MI {1}] [get_bd_cells memory0]
connect_bd_intf_net [get_bd_intf_pins memory0/M00_AXI] [get_bd_intf_pins ps/S_AXI_HP0_FPD]

# ---- frames per batch, read by the output streams -------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_gpio:2.0 frames
set_property -dict [list CONFIG.C_GPIO_WIDTH {32} CONFIG.C_ALL_OUTPUTS {1} CONFIG.C_DOUT_DEFAULT {0x00000000}] [get_bd_cells frames]
connect_bd_intf_net [get_bd_intf_pins control/M00_AXI] [get_bd_intf_pins frames/S_AXI]

# ---- interrupts: one per DMA engine, gathered ------------------------------------------------------------------------
create_bd_cell -type ip -vlnv xilinx.com:ip:xlconcat:2.1 requests
set_property CONFIG.NUM_PORTS {2} [get_bd_cells requests]
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_intc:4.1 interrupts
set_property CONFIG.C_IRQ_CONNECTION {1} [get_bd_cells interrupts]
connect_bd_intf_net [get_bd_intf_pins control/M01_AXI] [get_bd_intf_pins interrupts/s_axi]
connect_bd_net [get_bd_pins requests/dout] [get_bd_pins interrupts/intr]
connect_bd_net [get_bd_pins interrupts/irq] [get_bd_pins ps/pl_ps_irq0]

# ---- the accelerator ------------------------------------------------------------------------------------------------
create_bd_cell -type ip -vlnv $accelerator_vlnv accelerator

# ---- input in_x: 2 x int4 per cycle, 64 cycles per frame; 1 of 1 bytes used
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma_in_x
set_property -dict [list \
    CONFIG.c_include_sg {0} \
    CONFIG.c_sg_include_stscntrl_strm {0} \
    CONFIG.c_include_mm2s {1} \
    CONFIG.c_include_s2mm {0} \
    CONFIG.c_sg_length_width {26} \
    CONFIG.c_addr_width {40} \
    CONFIG.c_m_axi_mm2s_data_width {128} \
    CONFIG.c_m_axis_mm2s_tdata_width {8} \
    CONFIG.c_mm2s_burst_size {16} \
] [get_bd_cells dma_in_x]
connect_bd_intf_net [get_bd_intf_pins control/M02_AXI] [get_bd_intf_pins dma_in_x/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_in_x/M_AXI_MM2S] [get_bd_intf_pins memory0/S00_AXI]
connect_bd_net [get_bd_pins dma_in_x/mm2s_introut] [get_bd_pins requests/In0]

# ---- output out_Gemm_49: 1 x int12 per cycle, 5 cycles per frame; 2 of 2 bytes used
create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma:7.1 dma_out_Gemm_49
set_property -dict [list \
    CONFIG.c_include_sg {0} \
    CONFIG.c_sg_include_stscntrl_strm {0} \
    CONFIG.c_include_s2mm {1} \
    CONFIG.c_include_mm2s {0} \
    CONFIG.c_sg_length_width {26} \
    CONFIG.c_addr_width {40} \
    CONFIG.c_m_axi_s2mm_data_width {128} \
    CONFIG.c_s_axis_s2mm_tdata_width {16} \
    CONFIG.c_s2mm_burst_size {16} \
] [get_bd_cells dma_out_Gemm_49]
connect_bd_intf_net [get_bd_intf_pins control/M03_AXI] [get_bd_intf_pins dma_out_Gemm_49/S_AXI_LITE]
connect_bd_intf_net [get_bd_intf_pins dma_out_Gemm_49/M_AXI_S2MM] [get_bd_intf_pins memory0/S01_AXI]
connect_bd_net [get_bd_pins dma_out_Gemm_49/s2mm_introut] [get_bd_pins requests/In1]

# ---- input in_x: between DMA engine and accelerator
create_bd_cell -type module -reference flowc_stream_in fit_in_x
set_property -dict [list CONFIG.MEMORY_BYTES {1} CONFIG.STREAM_BYTES {1}] [get_bd_cells fit_in_x]
connect_bd_intf_net [get_bd_intf_pins dma_in_x/M_AXIS_MM2S] [get_bd_intf_pins fit_in_x/s_axis]
connect_bd_intf_net [get_bd_intf_pins fit_in_x/m_axis] [get_bd_intf_pins accelerator/in_x]

# ---- output out_Gemm_49: between DMA engine and accelerator
create_bd_cell -type module -reference flowc_stream_out fit_out_Gemm_49
set_property -dict [list CONFIG.MEMORY_BYTES {2} CONFIG.STREAM_BYTES {2}] [get_bd_cells fit_out_Gemm_49]
connect_bd_net [get_bd_pins frames/gpio_io_o] [get_bd_pins fit_out_Gemm_49/frames]
connect_bd_intf_net [get_bd_intf_pins accelerator/out_Gemm_49] [get_bd_intf_pins fit_out_Gemm_49/s_axis]
connect_bd_intf_net [get_bd_intf_pins fit_out_Gemm_49/m_axis] [get_bd_intf_pins dma_out_Gemm_49/S_AXIS_S2MM]

# ---- one clock and one reset everywhere -----------------------------------------------------------------------------
foreach pin {
    ps/maxihpm0_fpd_aclk ps/saxihp0_fpd_aclk memory0/aclk
    sys_reset/slowest_sync_clk control/aclk frames/s_axi_aclk interrupts/s_axi_aclk accelerator/ap_clk
    dma_in_x/s_axi_lite_aclk dma_in_x/m_axi_mm2s_aclk
    dma_out_Gemm_49/s_axi_lite_aclk dma_out_Gemm_49/m_axi_s2mm_aclk
    fit_in_x/aclk
    fit_out_Gemm_49/aclk
} {
    connect_bd_net [get_bd_pins ps/pl_clk0] [get_bd_pins $pin]
}
connect_bd_net [get_bd_pins ps/pl_resetn0] [get_bd_pins sys_reset/ext_reset_in]
foreach pin { control/aresetn memory0/aresetn } {
    connect_bd_net [get_bd_pins sys_reset/interconnect_aresetn] [get_bd_pins $pin]
}
foreach pin {
    frames/s_axi_aresetn interrupts/s_axi_aresetn accelerator/ap_rst_n
    dma_in_x/axi_resetn
    dma_out_Gemm_49/axi_resetn
    fit_in_x/aresetn
    fit_out_Gemm_49/aresetn
} {
    connect_bd_net [get_bd_pins sys_reset/peripheral_aresetn] [get_bd_pins $pin]
}

# ---- address map ----------------------------------------------------------------------------------------------------
foreach {offset segment} {
    0xA0000000 frames/S_AXI/Reg
    0xA0010000 interrupts/S_AXI/Reg
    0xA0020000 dma_in_x/S_AXI_LITE/Reg
    0xA0030000 dma_out_Gemm_49/S_AXI_LITE/Reg
} {
    assign_bd_address -offset $offset -range 64K -target_address_space [get_bd_addr_spaces ps/Data] \
        [get_bd_addr_segs $segment] -force
}
# What is left are the DMA engines' views of the DRAM.
assign_bd_address

validate_bd_design
save_bd_design
