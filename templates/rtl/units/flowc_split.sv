// Channel slices: within a position of WORDS beats, output i carries beats BEGINS[i] to ENDS[i] - 1; what no output carries is dropped.
module flowc_split #(
    parameter int WIDTH = 8,
    parameter int WAYS = 2,
    parameter int WORDS = 2,
    parameter bit [WAYS-1:0][31:0] BEGINS = {32'd1, 32'd0},
    parameter bit [WAYS-1:0][31:0] ENDS = {32'd2, 32'd1},
    parameter int DELAY = 2,
    localparam int BITS = WORDS > 1 ? $clog2(WORDS) : 1
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [WAYS*WIDTH-1:0] out_data,
    output logic [WAYS-1:0] out_valid,
    input logic [WAYS-1:0] out_ready
);
  logic last;
  logic [BITS-1:0] word;
  logic [WAYS-1:0] enable, chosen;
  // An output that stands still holds up only beats of its own.
  assign in_ready = (chosen & ~enable) == '0;
  flowc_count #(.COUNT(WORDS)) words (.clk, .rst, .step(in_valid && in_ready), .value(word), .last);
  for (genvar i = 0; i < WAYS; i++) begin : g_way
    localparam int BEGIN = int'(BEGINS[i]), END = int'(ENDS[i]);
    assign chosen[i] = (BEGIN == 0 || 32'(word) >= 32'(BEGIN)) && (END == WORDS || 32'(word) < 32'(END));
    flowc_emit #(.WIDTH(WIDTH), .DELAY(DELAY)) emit (
        .clk, .rst, .data(in_data), .valid(in_valid && chosen[i] && enable[i]), .enable(enable[i]),
        .out_data(out_data[i*WIDTH+:WIDTH]), .out_valid(out_valid[i]), .out_ready(out_ready[i]));
  end
  wire unused = &{1'b0, last};
endmodule
