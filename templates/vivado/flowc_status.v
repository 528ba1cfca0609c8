// Registers (AXI4-Lite) that say which design this is and what its streams did, and that can hold it in reset.
//
//   0x00  0x666c6f77 ("flow")        0x04  layout of these registers: 2
//   0x08  ID_LOW, 0x0c  ID_HIGH      0x10  bit 0: hold the accelerator and its streams in reset
//   0x14  PORTS, from bit 16 FIFOS   0x18  cycles since reset (modulo 2^32)
//   0x1c  written: number of a FIFO; read: the most beats that it has held since the accelerator was last in reset
//   0x20 + 16 p  of port p, modulo 2^32 and since the accelerator was last in reset: beats that passed,
//   0x24 + 16 p  cycles in which a beat waited (TVALID without TREADY),
//   0x28 + 16 p  cycles in which none was there for somebody who waited (TREADY without TVALID)

`default_nettype none

module flowc_status #(
    parameter integer PORTS   = 2,
    parameter integer ID_LOW  = 0,
    parameter integer ID_HIGH = 0,
    parameter integer FIFOS   = 0                   // whose marks the accelerator gives; none: fifo_mark is not connected
) (
    (* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 aclk CLK" *)
    (* X_INTERFACE_PARAMETER = "ASSOCIATED_BUSIF s_axi, ASSOCIATED_RESET aresetn" *)
    input  wire               aclk,
    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 aresetn RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    input  wire               aresetn,

    (* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 clear_n RST" *)
    (* X_INTERFACE_PARAMETER = "POLARITY ACTIVE_LOW" *)
    output reg                clear_n,              // the reset of accelerator and streams

    input  wire [2*PORTS-1:0] taps,                 // of flowc_tap, port 0 in the least significant bits
    output reg  [15:0]        fifo_at,
    input  wire [31:0]        fifo_mark,            // of FIFO fifo_at, a cycle later

    input  wire [8:0]         s_axi_awaddr,
    input  wire               s_axi_awvalid,
    output wire               s_axi_awready,
    input  wire [31:0]        s_axi_wdata,
    input  wire [3:0]         s_axi_wstrb,
    input  wire               s_axi_wvalid,
    output wire               s_axi_wready,
    output wire [1:0]         s_axi_bresp,
    output reg                s_axi_bvalid,
    input  wire               s_axi_bready,
    input  wire [8:0]         s_axi_araddr,
    input  wire               s_axi_arvalid,
    output wire               s_axi_arready,
    output reg  [31:0]        s_axi_rdata,
    output wire [1:0]         s_axi_rresp,
    output reg                s_axi_rvalid,
    input  wire               s_axi_rready
);
    // ---- writes: address and data are taken together, one at a time ----
    reg  hold;
    reg  [1:0] settling;                            // the mark is not yet that of fifo_at
    wire write = s_axi_awvalid && s_axi_wvalid && !s_axi_bvalid;

    assign s_axi_awready = write;
    assign s_axi_wready  = write;
    assign s_axi_bresp   = 2'b00;

    always @(posedge aclk)
        if (!aresetn) begin
            hold         <= 1'b0;
            s_axi_bvalid <= 1'b0;
            clear_n      <= 1'b0;
            fifo_at      <= 16'd0;
            settling     <= 2'b11;
        end else begin
            clear_n  <= !hold;
            settling <= {settling[0], 1'b0};
            if (write) begin
                s_axi_bvalid <= 1'b1;
                if (s_axi_awaddr[8:2] == 7'h04 && s_axi_wstrb[0]) hold <= s_axi_wdata[0];
                if (s_axi_awaddr[8:2] == 7'h07 && &s_axi_wstrb[1:0]) begin
                    fifo_at  <= s_axi_wdata[15:0];
                    settling <= 2'b11;
                end
            end else if (s_axi_bready) begin
                s_axi_bvalid <= 1'b0;
            end
        end

    // ---- counters ----
    reg [31:0] cycles;
    always @(posedge aclk)
        if (!aresetn) cycles <= 32'd0;
        else          cycles <= cycles + 32'd1;

    wire [128*PORTS-1:0] counters;
    genvar p;
    generate
        for (p = 0; p < PORTS; p = p + 1) begin : port
            reg [31:0] beats, waited, starved;
            wire       valid = taps[2*p];
            wire       ready = taps[2*p+1];
            always @(posedge aclk)
                if (!clear_n) begin
                    beats   <= 32'd0;
                    waited  <= 32'd0;
                    starved <= 32'd0;
                end else begin
                    if (valid && ready)  beats   <= beats + 32'd1;
                    if (valid && !ready) waited  <= waited + 32'd1;
                    if (!valid && ready) starved <= starved + 32'd1;
                end
            assign counters[128*p +: 128] = {32'd0, starved, waited, beats};
        end
    endgenerate

    // ---- reads, one at a time ----
    wire        read  = s_axi_arvalid && !s_axi_rvalid && !settling[1];
    wire [6:0]  word  = s_axi_araddr[8:2];
    wire [6:0]  place = word - 7'h08;
    reg  [31:0] value;

    assign s_axi_arready = read;
    assign s_axi_rresp   = 2'b00;

    always @(*)
        case (word)
            7'h00:   value = 32'h666c6f77;
            7'h01:   value = 32'd2;
            7'h02:   value = ID_LOW;
            7'h03:   value = ID_HIGH;
            7'h04:   value = {31'd0, hold};
            7'h05:   value = (FIFOS << 16) | PORTS;
            7'h06:   value = cycles;
            7'h07:   value = FIFOS > 0 ? fifo_mark : 32'd0;
            default: value = {25'd0, place} < 4 * PORTS ? counters[32*place +: 32] : 32'd0;
        endcase

    always @(posedge aclk)
        if (!aresetn) begin
            s_axi_rvalid <= 1'b0;
            s_axi_rdata  <= 32'd0;
        end else if (read) begin
            s_axi_rvalid <= 1'b1;
            s_axi_rdata  <= value;
        end else if (s_axi_rready) begin
            s_axi_rvalid <= 1'b0;
        end

    wire unused = &{1'b0, s_axi_awaddr[1:0], s_axi_araddr[1:0], s_axi_wdata[31:16], s_axi_wstrb[3:2]};
endmodule

`default_nettype wire
