// From the accelerator to the DMA engine: fills each beat up to a power of two bytes, and makes one packet of a batch.
//
// The accelerator ends every frame with TLAST; the DMA engine ends a transfer at the first TLAST. So only every
// `frames`-th TLAST goes through. `frames` = 0 forgets the frames counted so far and lets every TLAST through; the
// driver writes 0, then the number of frames of the batch, while nothing streams.

`default_nettype none

module flowc_stream_out #(
    parameter integer MEMORY_BYTES = 4,
    parameter integer STREAM_BYTES = 3
) (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axis:m_axis, ASSOCIATED_RESET aresetn" *)
    input  wire                      aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire                      aresetn,

    input  wire [31:0]               frames,

    input  wire [8*STREAM_BYTES-1:0] s_axis_tdata,
    input  wire [STREAM_BYTES-1:0]   s_axis_tkeep,
    input  wire                      s_axis_tlast,
    input  wire                      s_axis_tvalid,
    output wire                      s_axis_tready,

    output wire [8*MEMORY_BYTES-1:0] m_axis_tdata,
    output wire [MEMORY_BYTES-1:0]   m_axis_tkeep,
    output wire                      m_axis_tlast,
    output wire                      m_axis_tvalid,
    input  wire                      m_axis_tready
);
    reg [31:0] left;     // frames of the packet that are still to come, this one not counted; valid if running
    reg        running;

    wire [31:0] after = running ? left : frames - 32'd1;
    wire        final_frame = frames == 32'd0 || after == 32'd0;

    always @(posedge aclk)
        if (!aresetn || frames == 32'd0) begin
            running <= 1'b0;
            left    <= 32'd0;
        end else if (s_axis_tvalid && m_axis_tready && s_axis_tlast) begin
            running <= !final_frame;
            left    <= after - 32'd1;
        end

    generate
        if (MEMORY_BYTES > STREAM_BYTES) begin : filled
            assign m_axis_tdata = {{8*(MEMORY_BYTES-STREAM_BYTES){1'b0}}, s_axis_tdata};
        end else begin : full
            assign m_axis_tdata = s_axis_tdata;
        end
    endgenerate
    assign m_axis_tkeep  = {MEMORY_BYTES{1'b1}};
    assign m_axis_tlast  = s_axis_tlast && final_frame;
    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = m_axis_tready;

    // The DMA engine gets whole beats whatever the accelerator says of its bytes.
    wire unused = &{1'b0, s_axis_tkeep};
endmodule

`default_nettype wire
