// Lets a stream of the accelerator through, and shows its handshake to flowc_status. Purely combinational.

`default_nettype none

module flowc_tap #(
    parameter integer STREAM_BYTES = 4
) (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET aresetn" *)
    input  wire                      aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire                      aresetn,

    output wire [1:0]                tap,           // {TREADY, TVALID}

    input  wire [8*STREAM_BYTES-1:0] s_axis_tdata,
    input  wire [STREAM_BYTES-1:0]   s_axis_tkeep,
    input  wire                      s_axis_tlast,
    input  wire                      s_axis_tvalid,
    output wire                      s_axis_tready,

    output wire [8*STREAM_BYTES-1:0] m_axis_tdata,
    output wire [STREAM_BYTES-1:0]   m_axis_tkeep,
    output wire                      m_axis_tlast,
    output wire                      m_axis_tvalid,
    input  wire                      m_axis_tready
);
    assign m_axis_tdata  = s_axis_tdata;
    assign m_axis_tkeep  = s_axis_tkeep;
    assign m_axis_tlast  = s_axis_tlast;
    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = m_axis_tready;
    assign tap           = {m_axis_tready, s_axis_tvalid};

    // There for the interface definitions of the block design only.
    wire unused = &{1'b0, aclk, aresetn};
endmodule

`default_nettype wire
