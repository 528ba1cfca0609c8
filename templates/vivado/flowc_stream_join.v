// From several DMA engines to the accelerator: puts the parts of a beat together.
//
// WAYS (2 to 4) streams bring PART_BYTES bytes of every beat each, the first one the least significant. A beat leaves when all parts
// are there. Purely combinational.

`default_nettype none

module flowc_stream_join #(
    parameter integer WAYS = 2,
    parameter integer PART_BYTES = 8
) (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s0_axis:s1_axis:s2_axis:s3_axis:m_axis, ASSOCIATED_RESET aresetn" *)
    input  wire                         aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire                         aresetn,

    input  wire [8*PART_BYTES-1:0]      s0_axis_tdata,
    input  wire [PART_BYTES-1:0]        s0_axis_tkeep,
    input  wire                         s0_axis_tlast,
    input  wire                         s0_axis_tvalid,
    output wire                         s0_axis_tready,

    input  wire [8*PART_BYTES-1:0]      s1_axis_tdata,
    input  wire [PART_BYTES-1:0]        s1_axis_tkeep,
    input  wire                         s1_axis_tlast,
    input  wire                         s1_axis_tvalid,
    output wire                         s1_axis_tready,

    input  wire [8*PART_BYTES-1:0]      s2_axis_tdata,
    input  wire [PART_BYTES-1:0]        s2_axis_tkeep,
    input  wire                         s2_axis_tlast,
    input  wire                         s2_axis_tvalid,
    output wire                         s2_axis_tready,

    input  wire [8*PART_BYTES-1:0]      s3_axis_tdata,
    input  wire [PART_BYTES-1:0]        s3_axis_tkeep,
    input  wire                         s3_axis_tlast,
    input  wire                         s3_axis_tvalid,
    output wire                         s3_axis_tready,

    output wire [8*WAYS*PART_BYTES-1:0] m_axis_tdata,
    output wire [WAYS*PART_BYTES-1:0]   m_axis_tkeep,
    output wire                         m_axis_tlast,
    output wire                         m_axis_tvalid,
    input  wire                         m_axis_tready
);
    wire [32*PART_BYTES-1:0] parts = {s3_axis_tdata, s2_axis_tdata, s1_axis_tdata, s0_axis_tdata};
    wire [3:0]               valid = {s3_axis_tvalid, s2_axis_tvalid, s1_axis_tvalid, s0_axis_tvalid};
    wire                     whole = &valid[WAYS-1:0];

    assign m_axis_tdata   = parts[8*WAYS*PART_BYTES-1:0];
    assign m_axis_tkeep   = {(WAYS*PART_BYTES){1'b1}};
    assign m_axis_tlast   = s0_axis_tlast;
    assign m_axis_tvalid  = whole;
    assign s0_axis_tready = whole && m_axis_tready;
    assign s1_axis_tready = whole && m_axis_tready;
    assign s2_axis_tready = whole && m_axis_tready;
    assign s3_axis_tready = whole && m_axis_tready;

    // Ways that are not used; clock and reset are there for the interface definitions of the block design only.
    wire unused = &{1'b0, aclk, aresetn, parts, valid, s0_axis_tkeep, s1_axis_tkeep, s2_axis_tkeep, s3_axis_tkeep,
                    s1_axis_tlast, s2_axis_tlast, s3_axis_tlast};
endmodule

`default_nettype wire
