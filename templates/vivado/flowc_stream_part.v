// From the accelerator to several DMA engines: gives each its part of every beat.
//
// WAYS (2 to 4) streams take PART_BYTES bytes of every beat each, the first one the least significant. They take them when they like;
// the next beat comes when all have.

`default_nettype none

module flowc_stream_part #(
    parameter integer WAYS = 2,
    parameter integer PART_BYTES = 8
) (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axis:m0_axis:m1_axis:m2_axis:m3_axis, ASSOCIATED_RESET aresetn" *)
    input  wire                         aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire                         aresetn,

    input  wire [8*WAYS*PART_BYTES-1:0] s_axis_tdata,
    input  wire [WAYS*PART_BYTES-1:0]   s_axis_tkeep,
    input  wire                         s_axis_tlast,
    input  wire                         s_axis_tvalid,
    output wire                         s_axis_tready,

    output wire [8*PART_BYTES-1:0]      m0_axis_tdata,
    output wire [PART_BYTES-1:0]        m0_axis_tkeep,
    output wire                         m0_axis_tlast,
    output wire                         m0_axis_tvalid,
    input  wire                         m0_axis_tready,

    output wire [8*PART_BYTES-1:0]      m1_axis_tdata,
    output wire [PART_BYTES-1:0]        m1_axis_tkeep,
    output wire                         m1_axis_tlast,
    output wire                         m1_axis_tvalid,
    input  wire                         m1_axis_tready,

    output wire [8*PART_BYTES-1:0]      m2_axis_tdata,
    output wire [PART_BYTES-1:0]        m2_axis_tkeep,
    output wire                         m2_axis_tlast,
    output wire                         m2_axis_tvalid,
    input  wire                         m2_axis_tready,

    output wire [8*PART_BYTES-1:0]      m3_axis_tdata,
    output wire [PART_BYTES-1:0]        m3_axis_tkeep,
    output wire                         m3_axis_tlast,
    output wire                         m3_axis_tvalid,
    input  wire                         m3_axis_tready
);
    localparam [3:0] USED = (4'd1 << WAYS) - 4'd1;

    reg  [3:0] taken;  // parts of the beat in front that were taken
    wire [3:0] ready = {m3_axis_tready, m2_axis_tready, m1_axis_tready, m0_axis_tready};
    wire [3:0] valid = USED & ~taken & {4{s_axis_tvalid}};
    wire [3:0] after = taken | (valid & ready);

    assign s_axis_tready = (after & USED) == USED;

    always @(posedge aclk)
        if (!aresetn || (s_axis_tvalid && s_axis_tready)) taken <= 4'd0;
        else taken <= after;

    wire [32*PART_BYTES-1:0] parts;

    generate
        if (WAYS < 4) begin : some
            assign parts = {{(8*(4-WAYS)*PART_BYTES){1'b0}}, s_axis_tdata};
        end else begin : all
            assign parts = s_axis_tdata;
        end
    endgenerate

    assign {m3_axis_tdata, m2_axis_tdata, m1_axis_tdata, m0_axis_tdata}     = parts;
    assign {m3_axis_tvalid, m2_axis_tvalid, m1_axis_tvalid, m0_axis_tvalid} = valid;
    assign {m3_axis_tlast, m2_axis_tlast, m1_axis_tlast, m0_axis_tlast}     = {4{s_axis_tlast}};
    assign {m3_axis_tkeep, m2_axis_tkeep, m1_axis_tkeep, m0_axis_tkeep}     = {(4*PART_BYTES){1'b1}};

    wire unused = &{1'b0, s_axis_tkeep};
endmodule

`default_nettype wire
