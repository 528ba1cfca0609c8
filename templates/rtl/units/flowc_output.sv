// Frames to the outside: an AXI4-Stream of whole bytes, filled up with zeros; `out_last` on the last beat of a frame.
module flowc_output #(
    parameter int WIDTH = 8,
    parameter int BEATS = 1,
    parameter int DELAY = 2,
    localparam int BYTES = (WIDTH + 7) / 8
) (
    input logic clk,
    input logic rst,
    input logic [WIDTH-1:0] in_data,
    input logic in_valid,
    output logic in_ready,
    output logic [BYTES*8-1:0] out_data,
    output logic out_last,
    output logic out_valid,
    input logic out_ready
);
  localparam int BITS = BEATS > 1 ? $clog2(BEATS) : 1;
  logic enable, last;
  logic [BITS-1:0] beat;
  logic [WIDTH-1:0] data;
  assign in_ready = enable;
  flowc_count #(.COUNT(BEATS)) beats (.clk, .rst, .step(enable && in_valid), .value(beat), .last);
  flowc_emit #(.WIDTH(WIDTH + 1), .DELAY(DELAY)) emit (
      .clk, .rst, .data({last, in_data}), .valid(in_valid), .enable, .out_data({out_last, data}), .out_valid, .out_ready);
  assign out_data = (BYTES * 8)'(data);
  wire unused = &{1'b0, beat};
endmodule
